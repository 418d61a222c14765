// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"context"
	"net/netip"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	binding "go.fd.io/govpp/binapi/nat44_ei"

	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// ei is the endpoint-independent variant.
type ei struct{ vpp binding.RPCService }

func newEI(c *vppnet.Conn) ei { return ei{binding.NewServiceClient(c)} }

func (ei) variant() Variant { return EndpointIndependent }

func (ei) messages(which ...part) []api.Message {
	return parts(map[part][]api.Message{
		partReads:    {&binding.Nat44EiShowRunningConfig{}, &binding.Nat44EiGetMssClamping{}},
		partWrites:   {&binding.Nat44EiPluginEnableDisable{}, &binding.Nat44EiSetTimeouts{}, &binding.Nat44EiForwardingEnableDisable{}, &binding.Nat44EiSetMssClamping{}},
		partRoles:    {&binding.Nat44EiInterfaceDump{}, &binding.Nat44EiInterfaceAddDelFeature{}, &binding.Nat44EiOutputInterfaceGet{}, &binding.Nat44EiAddDelOutputInterface{}},
		partPool:     {&binding.Nat44EiAddressDump{}, &binding.Nat44EiAddDelAddressRange{}},
		partMaps:     {&binding.Nat44EiStaticMappingDump{}, &binding.Nat44EiAddDelStaticMapping{}, &binding.Nat44EiIdentityMappingDump{}, &binding.Nat44EiAddDelIdentityMapping{}},
		partRest:     {&binding.Nat44EiInterfaceAddrDump{}},
		partSessions: {&binding.Nat44EiUserDump{}, &binding.Nat44EiUserSessionV2Dump{}, &binding.Nat44EiDelSession{}},
	}, which)
}

func (k ei) settings(ctx context.Context) (s settings, err error) {
	c, err := k.vpp.Nat44EiShowRunningConfig(ctx, &binding.Nat44EiShowRunningConfig{})
	if err != nil {
		return s, err
	}
	m, err := k.vpp.Nat44EiGetMssClamping(ctx, &binding.Nat44EiGetMssClamping{})
	if err != nil {
		return s, err
	}
	s = settings{
		inside: c.InsideVrf, outside: c.OutsideVrf, sessions: c.Sessions, users: c.Users, userSessions: c.UserSessions, forwarding: c.ForwardingEnabled,
		timeouts: timeouts{c.Timeouts.UDP, c.Timeouts.TCPEstablished, c.Timeouts.TCPTransitory, c.Timeouts.ICMP},
	}
	if m.Enable {
		s.mss = m.MssValue
	}
	s.stateless = c.Flags&(binding.NAT44_EI_STATIC_MAPPING_ONLY|binding.NAT44_EI_CONNECTION_TRACKING) == binding.NAT44_EI_STATIC_MAPPING_ONLY
	return s, nil
}

func (k ei) enable(ctx context.Context, s settings) error {
	_, err := k.vpp.Nat44EiPluginEnableDisable(ctx, &binding.Nat44EiPluginEnableDisable{
		Enable: true, InsideVrf: s.inside, OutsideVrf: s.outside, Sessions: s.sessions, Users: s.users, UserSessions: s.userSessions,
	})
	return err
}

func (k ei) disable(ctx context.Context) error {
	_, err := k.vpp.Nat44EiPluginEnableDisable(ctx, &binding.Nat44EiPluginEnableDisable{})
	return err
}

func (k ei) setTimeouts(ctx context.Context, t timeouts) error {
	_, err := k.vpp.Nat44EiSetTimeouts(ctx, &binding.Nat44EiSetTimeouts{UDP: t.udp, TCPEstablished: t.established, TCPTransitory: t.transitory, ICMP: t.icmp})
	return err
}

func (k ei) setForwarding(ctx context.Context, on bool) error {
	_, err := k.vpp.Nat44EiForwardingEnableDisable(ctx, &binding.Nat44EiForwardingEnableDisable{Enable: on})
	return err
}

func (k ei) setMSS(ctx context.Context, mss uint16) error {
	_, err := k.vpp.Nat44EiSetMssClamping(ctx, &binding.Nat44EiSetMssClamping{MssValue: mss, Enable: mss != 0})
	return err
}

func (k ei) roles(ctx context.Context) (map[uint32]place.Role, error) {
	all, err := vppnet.Collect(k.vpp.Nat44EiInterfaceDump(ctx, &binding.Nat44EiInterfaceDump{}))
	if err != nil {
		return nil, err
	}
	out := map[uint32]place.Role{}
	for _, d := range all {
		if d.Flags&binding.NAT44_EI_IF_INSIDE != 0 {
			out[uint32(d.SwIfIndex)] |= place.Inside
		}
		if d.Flags&binding.NAT44_EI_IF_OUTSIDE != 0 {
			out[uint32(d.SwIfIndex)] |= place.Outside
		}
	}
	outputs, err := shared.Pages(func(cursor uint32) (func() (*binding.Nat44EiOutputInterfaceDetails, *binding.Nat44EiOutputInterfaceGetReply, error), error) {
		stream, err := k.vpp.Nat44EiOutputInterfaceGet(ctx, &binding.Nat44EiOutputInterfaceGet{Cursor: cursor})
		if err != nil {
			return nil, err
		}
		return stream.Recv, nil
	}, func(r *binding.Nat44EiOutputInterfaceGetReply) uint32 { return r.Cursor })
	for _, d := range outputs {
		out[uint32(d.SwIfIndex)] |= place.Output
	}
	return out, err
}

func (k ei) setRole(ctx context.Context, id uint32, r place.Role, add bool) (err error) {
	index := interface_types.InterfaceIndex(id)
	if r == place.Output {
		_, err = k.vpp.Nat44EiAddDelOutputInterface(ctx, &binding.Nat44EiAddDelOutputInterface{IsAdd: add, SwIfIndex: index})
		return err
	}
	flags := binding.NAT44_EI_IF_OUTSIDE
	if r == place.Inside {
		flags = binding.NAT44_EI_IF_INSIDE
	}
	_, err = k.vpp.Nat44EiInterfaceAddDelFeature(ctx, &binding.Nat44EiInterfaceAddDelFeature{IsAdd: add, SwIfIndex: index, Flags: flags})
	return err
}

func (k ei) addresses(ctx context.Context) (out []poolAddress, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44EiAddressDump(ctx, &binding.Nat44EiAddressDump{}))
	for _, d := range all {
		out = append(out, poolAddress{netip.AddrFrom4(d.IPAddress), d.VrfID, false})
	}
	return out, err
}

func (k ei) setAddress(ctx context.Context, a poolAddress, add bool) error {
	req := &binding.Nat44EiAddDelAddressRange{IsAdd: add, FirstIPAddress: a.addr.As4(), LastIPAddress: a.addr.As4(), VrfID: a.table}
	_, err := k.vpp.Nat44EiAddDelAddressRange(ctx, req)
	return err
}

func (k ei) mappings(ctx context.Context) (out []staticMapping, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44EiStaticMappingDump(ctx, &binding.Nat44EiStaticMappingDump{}))
	for _, d := range all {
		out = append(out, staticMapping{
			borrows: d.ExternalSwIfIndex != noIndex, local: netip.AddrFrom4(d.LocalIPAddress), localPort: d.LocalPort, external: netip.AddrFrom4(d.ExternalIPAddress), externalPort: d.ExternalPort,
			protocol: d.Protocol, table: d.VrfID, tag: strings.TrimRight(d.Tag, "\x00"),
		})
	}
	return out, err
}

func (k ei) setMapping(ctx context.Context, m staticMapping, add bool) error {
	req := &binding.Nat44EiAddDelStaticMapping{
		IsAdd: add, LocalIPAddress: m.local.As4(), LocalPort: m.localPort, ExternalIPAddress: m.external.As4(), ExternalPort: m.externalPort,
		Protocol: m.protocol, ExternalSwIfIndex: noIndex, VrfID: m.table, Tag: m.tag,
	}
	if m.protocol == 0 {
		req.Flags = binding.NAT44_EI_ADDR_ONLY_MAPPING
	}
	_, err := k.vpp.Nat44EiAddDelStaticMapping(ctx, req)
	return err
}

func (k ei) identities(ctx context.Context) (out []staticMapping, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44EiIdentityMappingDump(ctx, &binding.Nat44EiIdentityMappingDump{}))
	for _, d := range all {
		m := staticMapping{borrows: d.SwIfIndex != noIndex, external: netip.AddrFrom4(d.IPAddress), externalPort: d.Port, protocol: d.Protocol, table: d.VrfID, tag: strings.TrimRight(d.Tag, "\x00")}
		if d.Flags&binding.NAT44_EI_ADDR_ONLY_MAPPING != 0 {
			m.protocol = 0
		}
		out = append(out, m)
	}
	return out, err
}

func (k ei) setIdentity(ctx context.Context, m staticMapping, add bool) error {
	req := &binding.Nat44EiAddDelIdentityMapping{
		IsAdd: add, IPAddress: m.external.As4(), Port: m.externalPort, Protocol: m.protocol, SwIfIndex: noIndex, VrfID: m.table, Tag: m.tag,
	}
	if m.protocol == 0 {
		req.Flags = binding.NAT44_EI_ADDR_ONLY_MAPPING
	}
	_, err := k.vpp.Nat44EiAddDelIdentityMapping(ctx, req)
	return err
}

func (k ei) hosts(ctx context.Context) (out []sessionHost, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44EiUserDump(ctx, &binding.Nat44EiUserDump{}))
	for _, d := range all {
		out = append(out, sessionHost{netip.AddrFrom4(d.IPAddress), d.VrfID})
	}
	return out, err
}

func (k ei) sessions(ctx context.Context, host netip.Addr, table uint32) (out []Session, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44EiUserSessionV2Dump(ctx, &binding.Nat44EiUserSessionV2Dump{IPAddress: host.As4(), VrfID: table}))
	for _, d := range all {
		out = append(out, Session{
			Protocol: uint8(d.Protocol), Static: d.Flags&binding.NAT44_EI_STATIC_MAPPING != 0,
			Inside: addrPort(d.InsideIPAddress, d.InsidePort), Outside: addrPort(d.OutsideIPAddress, d.OutsidePort),
			Bytes: d.TotalBytes, Packets: uint64(d.TotalPkts), Idle: seconds(d.TimeSinceLastHeard),
		})
	}
	return out, err
}

func (k ei) endSession(ctx context.Context, s Session, table uint32) error {
	_, err := k.vpp.Nat44EiDelSession(ctx, &binding.Nat44EiDelSession{
		Address: s.Inside.Addr().As4(), Port: s.Inside.Port(), Protocol: s.Protocol, VrfID: table,
		Flags: binding.NAT44_EI_IF_INSIDE,
	})
	return err
}
