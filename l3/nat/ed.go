// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"context"
	"net/netip"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	binding "go.fd.io/govpp/binapi/nat44_ed"
	"go.fd.io/govpp/binapi/nat_types"

	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// ed is the endpoint-dependent variant.
type ed struct{ vpp binding.RPCService }

func newED(c *vppnet.Conn) ed { return ed{binding.NewServiceClient(c)} }

func (ed) variant() Variant { return EndpointDependent }

func (ed) messages(which ...part) []api.Message {
	return parts(map[part][]api.Message{
		partReads:    {&binding.Nat44ShowRunningConfig{}, &binding.NatGetMssClamping{}},
		partWrites:   {&binding.Nat44EdPluginEnableDisable{}, &binding.NatSetTimeouts{}, &binding.Nat44ForwardingEnableDisable{}, &binding.NatSetMssClamping{}},
		partRoles:    {&binding.Nat44InterfaceDump{}, &binding.Nat44InterfaceAddDelFeature{}, &binding.Nat44EdOutputInterfaceGet{}, &binding.Nat44EdAddDelOutputInterface{}},
		partPool:     {&binding.Nat44AddressDump{}, &binding.Nat44AddDelAddressRange{}},
		partMaps:     {&binding.Nat44StaticMappingDump{}, &binding.Nat44AddDelStaticMappingV2{}, &binding.Nat44IdentityMappingDump{}, &binding.Nat44AddDelIdentityMapping{}},
		partRest:     {&binding.Nat44LbStaticMappingDump{}, &binding.Nat44InterfaceAddrDump{}, &binding.Nat44EdVrfTablesV2Dump{}},
		partSessions: {&binding.Nat44UserDump{}, &binding.Nat44UserSessionV3Dump{}, &binding.Nat44DelSession{}},
	}, which)
}

func (k ed) settings(ctx context.Context) (s settings, err error) {
	c, err := k.vpp.Nat44ShowRunningConfig(ctx, &binding.Nat44ShowRunningConfig{})
	if err != nil {
		return s, err
	}
	m, err := k.vpp.NatGetMssClamping(ctx, &binding.NatGetMssClamping{})
	if err != nil {
		return s, err
	}
	s = settings{
		inside: c.InsideVrf, outside: c.OutsideVrf, sessions: c.Sessions, forwarding: c.ForwardingEnabled,
		timeouts: timeouts{c.Timeouts.UDP, c.Timeouts.TCPEstablished, c.Timeouts.TCPTransitory, c.Timeouts.ICMP},
	}
	if m.Enable {
		s.mss = m.MssValue
	}
	return s, nil
}

func (k ed) enable(ctx context.Context, s settings) error {
	_, err := k.vpp.Nat44EdPluginEnableDisable(ctx, &binding.Nat44EdPluginEnableDisable{
		Enable: true, InsideVrf: s.inside, OutsideVrf: s.outside, Sessions: s.sessions,
	})
	return err
}

func (k ed) disable(ctx context.Context) error {
	_, err := k.vpp.Nat44EdPluginEnableDisable(ctx, &binding.Nat44EdPluginEnableDisable{})
	return err
}

func (k ed) setTimeouts(ctx context.Context, t timeouts) error {
	_, err := k.vpp.NatSetTimeouts(ctx, &binding.NatSetTimeouts{UDP: t.udp, TCPEstablished: t.established, TCPTransitory: t.transitory, ICMP: t.icmp})
	return err
}

func (k ed) setForwarding(ctx context.Context, on bool) error {
	_, err := k.vpp.Nat44ForwardingEnableDisable(ctx, &binding.Nat44ForwardingEnableDisable{Enable: on})
	return err
}

func (k ed) setMSS(ctx context.Context, mss uint16) error {
	_, err := k.vpp.NatSetMssClamping(ctx, &binding.NatSetMssClamping{MssValue: mss, Enable: mss != 0})
	return err
}

func (k ed) roles(ctx context.Context) (map[uint32]place.Role, error) {
	all, err := vppnet.Collect(k.vpp.Nat44InterfaceDump(ctx, &binding.Nat44InterfaceDump{}))
	if err != nil {
		return nil, err
	}
	out := map[uint32]place.Role{}
	for _, d := range all {
		out[uint32(d.SwIfIndex)] |= place.RoleOf(d.Flags)
	}
	outputs, err := shared.Pages(func(cursor uint32) (func() (*binding.Nat44EdOutputInterfaceDetails, *binding.Nat44EdOutputInterfaceGetReply, error), error) {
		stream, err := k.vpp.Nat44EdOutputInterfaceGet(ctx, &binding.Nat44EdOutputInterfaceGet{Cursor: cursor})
		if err != nil {
			return nil, err
		}
		return stream.Recv, nil
	}, func(r *binding.Nat44EdOutputInterfaceGetReply) uint32 { return r.Cursor })
	for _, d := range outputs {
		out[uint32(d.SwIfIndex)] |= place.Output
	}
	return out, err
}

func (k ed) setRole(ctx context.Context, id uint32, r place.Role, add bool) (err error) {
	index := interface_types.InterfaceIndex(id)
	if r == place.Output {
		_, err = k.vpp.Nat44EdAddDelOutputInterface(ctx, &binding.Nat44EdAddDelOutputInterface{IsAdd: add, SwIfIndex: index})
		return err
	}
	flags := nat_types.NAT_IS_OUTSIDE
	if r == place.Inside {
		flags = nat_types.NAT_IS_INSIDE
	}
	_, err = k.vpp.Nat44InterfaceAddDelFeature(ctx, &binding.Nat44InterfaceAddDelFeature{IsAdd: add, SwIfIndex: index, Flags: flags})
	return err
}

func (k ed) addresses(ctx context.Context) (out []poolAddress, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44AddressDump(ctx, &binding.Nat44AddressDump{}))
	for _, d := range all {
		out = append(out, poolAddress{netip.AddrFrom4(d.IPAddress), d.VrfID, d.Flags&nat_types.NAT_IS_TWICE_NAT != 0})
	}
	return out, err
}

func (k ed) setAddress(ctx context.Context, a poolAddress, add bool) error {
	req := &binding.Nat44AddDelAddressRange{IsAdd: add, FirstIPAddress: a.addr.As4(), LastIPAddress: a.addr.As4(), VrfID: a.table}
	if a.twice {
		req.Flags = nat_types.NAT_IS_TWICE_NAT
	}
	_, err := k.vpp.Nat44AddDelAddressRange(ctx, req)
	return err
}

func (k ed) mappings(ctx context.Context) (out []staticMapping, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44StaticMappingDump(ctx, &binding.Nat44StaticMappingDump{}))
	for _, d := range all {
		out = append(out, staticMapping{
			borrows: d.ExternalSwIfIndex != noIndex, local: netip.AddrFrom4(d.LocalIPAddress), localPort: d.LocalPort, external: netip.AddrFrom4(d.ExternalIPAddress), externalPort: d.ExternalPort,
			protocol: d.Protocol, table: d.VrfID, tag: strings.TrimRight(d.Tag, "\x00"),
			twice: d.Flags&nat_types.NAT_IS_TWICE_NAT != 0, self: d.Flags&nat_types.NAT_IS_SELF_TWICE_NAT != 0, oneWay: d.Flags&nat_types.NAT_IS_OUT2IN_ONLY != 0,
		})
	}
	return out, err
}

func (k ed) setMapping(ctx context.Context, m staticMapping, add bool) error {
	req := &binding.Nat44AddDelStaticMappingV2{
		IsAdd: add, LocalIPAddress: m.local.As4(), LocalPort: m.localPort, ExternalIPAddress: m.external.As4(), ExternalPort: m.externalPort,
		Protocol: m.protocol, ExternalSwIfIndex: noIndex, VrfID: m.table, Tag: m.tag,
	}
	for _, f := range []struct {
		is   bool
		flag nat_types.NatConfigFlags
	}{
		{m.protocol == 0, nat_types.NAT_IS_ADDR_ONLY},
		{m.twice, nat_types.NAT_IS_TWICE_NAT},
		{m.self, nat_types.NAT_IS_SELF_TWICE_NAT},
		{m.oneWay, nat_types.NAT_IS_OUT2IN_ONLY},
	} {
		if f.is {
			req.Flags |= f.flag
		}
	}
	_, err := k.vpp.Nat44AddDelStaticMappingV2(ctx, req)
	return err
}

func (k ed) identities(ctx context.Context) (out []staticMapping, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44IdentityMappingDump(ctx, &binding.Nat44IdentityMappingDump{}))
	for _, d := range all {
		m := staticMapping{borrows: d.SwIfIndex != noIndex, external: netip.AddrFrom4(d.IPAddress), externalPort: d.Port, protocol: d.Protocol, table: d.VrfID, tag: strings.TrimRight(d.Tag, "\x00")}
		if d.Flags&nat_types.NAT_IS_ADDR_ONLY != 0 {
			m.protocol = 0
		}
		out = append(out, m)
	}
	return out, err
}

func (k ed) setIdentity(ctx context.Context, m staticMapping, add bool) error {
	req := &binding.Nat44AddDelIdentityMapping{
		IsAdd: add, IPAddress: m.external.As4(), Port: m.externalPort, Protocol: m.protocol, SwIfIndex: noIndex, VrfID: m.table, Tag: m.tag,
	}
	if m.protocol == 0 {
		req.Flags = nat_types.NAT_IS_ADDR_ONLY
	}
	_, err := k.vpp.Nat44AddDelIdentityMapping(ctx, req)
	return err
}

func (k ed) hosts(ctx context.Context) (out []sessionHost, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44UserDump(ctx, &binding.Nat44UserDump{}))
	for _, d := range all {
		out = append(out, sessionHost{netip.AddrFrom4(d.IPAddress), d.VrfID})
	}
	return out, err
}

func (k ed) sessions(ctx context.Context, host netip.Addr, table uint32) (out []Session, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44UserSessionV3Dump(ctx, &binding.Nat44UserSessionV3Dump{IPAddress: host.As4(), VrfID: table}))
	for _, d := range all {
		out = append(out, Session{
			Protocol: uint8(d.Protocol), Static: d.Flags&nat_types.NAT_IS_STATIC != 0,
			Inside: addrPort(d.InsideIPAddress, d.InsidePort), Outside: addrPort(d.OutsideIPAddress, d.OutsidePort),
			Peer: addrPort(d.ExtHostAddress, d.ExtHostPort), PeerInside: addrPort(d.ExtHostNatAddress, d.ExtHostNatPort),
			Bytes: d.TotalBytes, Packets: uint64(d.TotalPkts), Idle: seconds(d.TimeSinceLastHeard),
		})
	}
	return out, err
}

// endSession needs the peer as the host sees it.
func (k ed) endSession(ctx context.Context, s Session, table uint32) error {
	peer := s.Peer
	if s.PeerInside.IsValid() {
		peer = s.PeerInside
	}
	_, err := k.vpp.Nat44DelSession(ctx, &binding.Nat44DelSession{
		Address: s.Inside.Addr().As4(), Port: s.Inside.Port(), Protocol: s.Protocol, VrfID: table,
		Flags: nat_types.NAT_IS_INSIDE | nat_types.NAT_IS_EXT_HOST_VALID, ExtHostAddress: peer.Addr().As4(), ExtHostPort: peer.Port(),
	})
	return err
}
