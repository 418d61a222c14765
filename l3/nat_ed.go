// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"net/netip"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	nat "go.fd.io/govpp/binapi/nat44_ed"
	"go.fd.io/govpp/binapi/nat_types"

	"github.com/vppkit/vppkit/vppnet"
)

// natED is the endpoint-dependent variant.
type natED struct{ vpp nat.RPCService }

func newNATED(c *vppnet.Conn) natED { return natED{nat.NewServiceClient(c)} }

func (natED) variant() NATVariant { return EndpointDependent }

func (natED) messages(which ...natPart) []api.Message {
	return parts(map[natPart][]api.Message{
		natReads:    {&nat.Nat44ShowRunningConfig{}, &nat.NatGetMssClamping{}},
		natWrites:   {&nat.Nat44EdPluginEnableDisable{}, &nat.NatSetTimeouts{}, &nat.Nat44ForwardingEnableDisable{}, &nat.NatSetMssClamping{}},
		natRoles:    {&nat.Nat44InterfaceDump{}, &nat.Nat44InterfaceAddDelFeature{}, &nat.Nat44EdOutputInterfaceGet{}, &nat.Nat44EdAddDelOutputInterface{}},
		natPool:     {&nat.Nat44AddressDump{}, &nat.Nat44AddDelAddressRange{}},
		natMaps:     {&nat.Nat44StaticMappingDump{}, &nat.Nat44AddDelStaticMappingV2{}, &nat.Nat44IdentityMappingDump{}, &nat.Nat44AddDelIdentityMapping{}},
		natSessions: {&nat.Nat44UserDump{}, &nat.Nat44UserSessionV3Dump{}, &nat.Nat44DelSession{}},
	}, which)
}

func (k natED) settings(ctx context.Context) (s natSettings, err error) {
	c, err := k.vpp.Nat44ShowRunningConfig(ctx, &nat.Nat44ShowRunningConfig{})
	if err != nil {
		return s, err
	}
	m, err := k.vpp.NatGetMssClamping(ctx, &nat.NatGetMssClamping{})
	if err != nil {
		return s, err
	}
	s = natSettings{
		inside: c.InsideVrf, outside: c.OutsideVrf, sessions: c.Sessions, forwarding: c.ForwardingEnabled,
		timeouts: natTimeouts{c.Timeouts.UDP, c.Timeouts.TCPEstablished, c.Timeouts.TCPTransitory, c.Timeouts.ICMP},
	}
	if m.Enable {
		s.mss = m.MssValue
	}
	return s, nil
}

func (k natED) enable(ctx context.Context, s natSettings) error {
	_, err := k.vpp.Nat44EdPluginEnableDisable(ctx, &nat.Nat44EdPluginEnableDisable{
		Enable: true, InsideVrf: s.inside, OutsideVrf: s.outside, Sessions: s.sessions,
	})
	return err
}

func (k natED) disable(ctx context.Context) error {
	_, err := k.vpp.Nat44EdPluginEnableDisable(ctx, &nat.Nat44EdPluginEnableDisable{})
	return err
}

func (k natED) setTimeouts(ctx context.Context, t natTimeouts) error {
	_, err := k.vpp.NatSetTimeouts(ctx, &nat.NatSetTimeouts{UDP: t.udp, TCPEstablished: t.established, TCPTransitory: t.transitory, ICMP: t.icmp})
	return err
}

func (k natED) setForwarding(ctx context.Context, on bool) error {
	_, err := k.vpp.Nat44ForwardingEnableDisable(ctx, &nat.Nat44ForwardingEnableDisable{Enable: on})
	return err
}

func (k natED) setMSS(ctx context.Context, mss uint16) error {
	_, err := k.vpp.NatSetMssClamping(ctx, &nat.NatSetMssClamping{MssValue: mss, Enable: mss != 0})
	return err
}

func (k natED) roles(ctx context.Context) (map[uint32]natRole, error) {
	all, err := vppnet.Collect(k.vpp.Nat44InterfaceDump(ctx, &nat.Nat44InterfaceDump{}))
	if err != nil {
		return nil, err
	}
	out := map[uint32]natRole{}
	for _, d := range all {
		if d.Flags&nat_types.NAT_IS_INSIDE != 0 {
			out[uint32(d.SwIfIndex)] |= roleInside
		}
		if d.Flags&nat_types.NAT_IS_OUTSIDE != 0 {
			out[uint32(d.SwIfIndex)] |= roleOutside
		}
	}
	outputs, err := pages(func(cursor uint32) (func() (*nat.Nat44EdOutputInterfaceDetails, *nat.Nat44EdOutputInterfaceGetReply, error), error) {
		stream, err := k.vpp.Nat44EdOutputInterfaceGet(ctx, &nat.Nat44EdOutputInterfaceGet{Cursor: cursor})
		if err != nil {
			return nil, err
		}
		return stream.Recv, nil
	}, func(r *nat.Nat44EdOutputInterfaceGetReply) uint32 { return r.Cursor })
	for _, d := range outputs {
		out[uint32(d.SwIfIndex)] |= roleOutput
	}
	return out, err
}

func (k natED) setRole(ctx context.Context, id uint32, r natRole, add bool) (err error) {
	index := interface_types.InterfaceIndex(id)
	if r == roleOutput {
		_, err = k.vpp.Nat44EdAddDelOutputInterface(ctx, &nat.Nat44EdAddDelOutputInterface{IsAdd: add, SwIfIndex: index})
		return err
	}
	flags := nat_types.NAT_IS_OUTSIDE
	if r == roleInside {
		flags = nat_types.NAT_IS_INSIDE
	}
	_, err = k.vpp.Nat44InterfaceAddDelFeature(ctx, &nat.Nat44InterfaceAddDelFeature{IsAdd: add, SwIfIndex: index, Flags: flags})
	return err
}

func (k natED) addresses(ctx context.Context) (out []natAddress, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44AddressDump(ctx, &nat.Nat44AddressDump{}))
	for _, d := range all {
		out = append(out, natAddress{netip.AddrFrom4(d.IPAddress), d.VrfID, d.Flags&nat_types.NAT_IS_TWICE_NAT != 0})
	}
	return out, err
}

func (k natED) setAddress(ctx context.Context, a natAddress, add bool) error {
	req := &nat.Nat44AddDelAddressRange{IsAdd: add, FirstIPAddress: a.addr.As4(), LastIPAddress: a.addr.As4(), VrfID: a.table}
	if a.twice {
		req.Flags = nat_types.NAT_IS_TWICE_NAT
	}
	_, err := k.vpp.Nat44AddDelAddressRange(ctx, req)
	return err
}

// mappings leaves out those that wait for an interface's address.
func (k natED) mappings(ctx context.Context) (out []natMapping, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44StaticMappingDump(ctx, &nat.Nat44StaticMappingDump{}))
	for _, d := range all {
		if d.ExternalSwIfIndex != noIndex {
			continue
		}
		out = append(out, natMapping{
			local: netip.AddrFrom4(d.LocalIPAddress), localPort: d.LocalPort, external: netip.AddrFrom4(d.ExternalIPAddress), externalPort: d.ExternalPort,
			protocol: d.Protocol, table: d.VrfID, tag: strings.TrimRight(d.Tag, "\x00"),
			twice: d.Flags&nat_types.NAT_IS_TWICE_NAT != 0, self: d.Flags&nat_types.NAT_IS_SELF_TWICE_NAT != 0, oneWay: d.Flags&nat_types.NAT_IS_OUT2IN_ONLY != 0,
		})
	}
	return out, err
}

func (k natED) setMapping(ctx context.Context, m natMapping, add bool) error {
	req := &nat.Nat44AddDelStaticMappingV2{
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

func (k natED) identities(ctx context.Context) (out []natMapping, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44IdentityMappingDump(ctx, &nat.Nat44IdentityMappingDump{}))
	for _, d := range all {
		if d.SwIfIndex != noIndex {
			continue
		}
		m := natMapping{external: netip.AddrFrom4(d.IPAddress), externalPort: d.Port, protocol: d.Protocol, table: d.VrfID, tag: strings.TrimRight(d.Tag, "\x00")}
		if d.Flags&nat_types.NAT_IS_ADDR_ONLY != 0 {
			m.protocol = 0
		}
		out = append(out, m)
	}
	return out, err
}

func (k natED) setIdentity(ctx context.Context, m natMapping, add bool) error {
	req := &nat.Nat44AddDelIdentityMapping{
		IsAdd: add, IPAddress: m.external.As4(), Port: m.externalPort, Protocol: m.protocol, SwIfIndex: noIndex, VrfID: m.table, Tag: m.tag,
	}
	if m.protocol == 0 {
		req.Flags = nat_types.NAT_IS_ADDR_ONLY
	}
	_, err := k.vpp.Nat44AddDelIdentityMapping(ctx, req)
	return err
}

func (k natED) hosts(ctx context.Context) (out []natHost, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44UserDump(ctx, &nat.Nat44UserDump{}))
	for _, d := range all {
		out = append(out, natHost{netip.AddrFrom4(d.IPAddress), d.VrfID})
	}
	return out, err
}

func (k natED) sessions(ctx context.Context, host netip.Addr, table uint32) (out []NATSession, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44UserSessionV3Dump(ctx, &nat.Nat44UserSessionV3Dump{IPAddress: host.As4(), VrfID: table}))
	for _, d := range all {
		out = append(out, NATSession{
			Protocol: uint8(d.Protocol), Static: d.Flags&nat_types.NAT_IS_STATIC != 0,
			Inside: addrPort(d.InsideIPAddress, d.InsidePort), Outside: addrPort(d.OutsideIPAddress, d.OutsidePort),
			Peer: addrPort(d.ExtHostAddress, d.ExtHostPort), PeerInside: addrPort(d.ExtHostNatAddress, d.ExtHostNatPort),
			Bytes: d.TotalBytes, Packets: uint64(d.TotalPkts), Idle: seconds(d.TimeSinceLastHeard),
		})
	}
	return out, err
}

// endSession needs the peer as the host sees it.
func (k natED) endSession(ctx context.Context, s NATSession, table uint32) error {
	peer := s.Peer
	if s.PeerInside.IsValid() {
		peer = s.PeerInside
	}
	_, err := k.vpp.Nat44DelSession(ctx, &nat.Nat44DelSession{
		Address: s.Inside.Addr().As4(), Port: s.Inside.Port(), Protocol: s.Protocol, VrfID: table,
		Flags: nat_types.NAT_IS_INSIDE | nat_types.NAT_IS_EXT_HOST_VALID, ExtHostAddress: peer.Addr().As4(), ExtHostPort: peer.Port(),
	})
	return err
}
