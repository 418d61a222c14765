// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"net/netip"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	nat "go.fd.io/govpp/binapi/nat44_ei"

	"github.com/vppkit/vppkit/vppnet"
)

// natEI is the endpoint-independent variant.
type natEI struct{ vpp nat.RPCService }

func newNATEI(c *vppnet.Conn) natEI { return natEI{nat.NewServiceClient(c)} }

func (natEI) variant() NATVariant { return EndpointIndependent }

func (natEI) messages(which ...natPart) []api.Message {
	return parts(map[natPart][]api.Message{
		natReads:    {&nat.Nat44EiShowRunningConfig{}, &nat.Nat44EiGetMssClamping{}},
		natWrites:   {&nat.Nat44EiPluginEnableDisable{}, &nat.Nat44EiSetTimeouts{}, &nat.Nat44EiForwardingEnableDisable{}, &nat.Nat44EiSetMssClamping{}},
		natRoles:    {&nat.Nat44EiInterfaceDump{}, &nat.Nat44EiInterfaceAddDelFeature{}, &nat.Nat44EiOutputInterfaceGet{}, &nat.Nat44EiAddDelOutputInterface{}},
		natPool:     {&nat.Nat44EiAddressDump{}, &nat.Nat44EiAddDelAddressRange{}},
		natMaps:     {&nat.Nat44EiStaticMappingDump{}, &nat.Nat44EiAddDelStaticMapping{}, &nat.Nat44EiIdentityMappingDump{}, &nat.Nat44EiAddDelIdentityMapping{}},
		natSessions: {&nat.Nat44EiUserDump{}, &nat.Nat44EiUserSessionV2Dump{}, &nat.Nat44EiDelSession{}},
	}, which)
}

func (k natEI) settings(ctx context.Context) (s natSettings, err error) {
	c, err := k.vpp.Nat44EiShowRunningConfig(ctx, &nat.Nat44EiShowRunningConfig{})
	if err != nil {
		return s, err
	}
	m, err := k.vpp.Nat44EiGetMssClamping(ctx, &nat.Nat44EiGetMssClamping{})
	if err != nil {
		return s, err
	}
	s = natSettings{
		inside: c.InsideVrf, outside: c.OutsideVrf, sessions: c.Sessions, users: c.Users, userSessions: c.UserSessions, forwarding: c.ForwardingEnabled,
		timeouts: natTimeouts{c.Timeouts.UDP, c.Timeouts.TCPEstablished, c.Timeouts.TCPTransitory, c.Timeouts.ICMP},
	}
	if m.Enable {
		s.mss = m.MssValue
	}
	s.stateless = c.Flags&(nat.NAT44_EI_STATIC_MAPPING_ONLY|nat.NAT44_EI_CONNECTION_TRACKING) == nat.NAT44_EI_STATIC_MAPPING_ONLY
	return s, nil
}

func (k natEI) enable(ctx context.Context, s natSettings) error {
	_, err := k.vpp.Nat44EiPluginEnableDisable(ctx, &nat.Nat44EiPluginEnableDisable{
		Enable: true, InsideVrf: s.inside, OutsideVrf: s.outside, Sessions: s.sessions, Users: s.users, UserSessions: s.userSessions,
	})
	return err
}

func (k natEI) disable(ctx context.Context) error {
	_, err := k.vpp.Nat44EiPluginEnableDisable(ctx, &nat.Nat44EiPluginEnableDisable{})
	return err
}

func (k natEI) setTimeouts(ctx context.Context, t natTimeouts) error {
	_, err := k.vpp.Nat44EiSetTimeouts(ctx, &nat.Nat44EiSetTimeouts{UDP: t.udp, TCPEstablished: t.established, TCPTransitory: t.transitory, ICMP: t.icmp})
	return err
}

func (k natEI) setForwarding(ctx context.Context, on bool) error {
	_, err := k.vpp.Nat44EiForwardingEnableDisable(ctx, &nat.Nat44EiForwardingEnableDisable{Enable: on})
	return err
}

func (k natEI) setMSS(ctx context.Context, mss uint16) error {
	_, err := k.vpp.Nat44EiSetMssClamping(ctx, &nat.Nat44EiSetMssClamping{MssValue: mss, Enable: mss != 0})
	return err
}

func (k natEI) roles(ctx context.Context) (map[uint32]natRole, error) {
	all, err := vppnet.Collect(k.vpp.Nat44EiInterfaceDump(ctx, &nat.Nat44EiInterfaceDump{}))
	if err != nil {
		return nil, err
	}
	out := map[uint32]natRole{}
	for _, d := range all {
		if d.Flags&nat.NAT44_EI_IF_INSIDE != 0 {
			out[uint32(d.SwIfIndex)] |= roleInside
		}
		if d.Flags&nat.NAT44_EI_IF_OUTSIDE != 0 {
			out[uint32(d.SwIfIndex)] |= roleOutside
		}
	}
	outputs, err := pages(func(cursor uint32) (func() (*nat.Nat44EiOutputInterfaceDetails, *nat.Nat44EiOutputInterfaceGetReply, error), error) {
		stream, err := k.vpp.Nat44EiOutputInterfaceGet(ctx, &nat.Nat44EiOutputInterfaceGet{Cursor: cursor})
		if err != nil {
			return nil, err
		}
		return stream.Recv, nil
	}, func(r *nat.Nat44EiOutputInterfaceGetReply) uint32 { return r.Cursor })
	for _, d := range outputs {
		out[uint32(d.SwIfIndex)] |= roleOutput
	}
	return out, err
}

func (k natEI) setRole(ctx context.Context, id uint32, r natRole, add bool) (err error) {
	index := interface_types.InterfaceIndex(id)
	if r == roleOutput {
		_, err = k.vpp.Nat44EiAddDelOutputInterface(ctx, &nat.Nat44EiAddDelOutputInterface{IsAdd: add, SwIfIndex: index})
		return err
	}
	flags := nat.NAT44_EI_IF_OUTSIDE
	if r == roleInside {
		flags = nat.NAT44_EI_IF_INSIDE
	}
	_, err = k.vpp.Nat44EiInterfaceAddDelFeature(ctx, &nat.Nat44EiInterfaceAddDelFeature{IsAdd: add, SwIfIndex: index, Flags: flags})
	return err
}

func (k natEI) addresses(ctx context.Context) (out []natAddress, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44EiAddressDump(ctx, &nat.Nat44EiAddressDump{}))
	for _, d := range all {
		out = append(out, natAddress{netip.AddrFrom4(d.IPAddress), d.VrfID, false})
	}
	return out, err
}

func (k natEI) setAddress(ctx context.Context, a natAddress, add bool) error {
	req := &nat.Nat44EiAddDelAddressRange{IsAdd: add, FirstIPAddress: a.addr.As4(), LastIPAddress: a.addr.As4(), VrfID: a.table}
	_, err := k.vpp.Nat44EiAddDelAddressRange(ctx, req)
	return err
}

// mappings leaves out those that wait for an interface's address.
func (k natEI) mappings(ctx context.Context) (out []natMapping, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44EiStaticMappingDump(ctx, &nat.Nat44EiStaticMappingDump{}))
	for _, d := range all {
		if d.ExternalSwIfIndex != noIndex {
			continue
		}
		out = append(out, natMapping{
			local: netip.AddrFrom4(d.LocalIPAddress), localPort: d.LocalPort, external: netip.AddrFrom4(d.ExternalIPAddress), externalPort: d.ExternalPort,
			protocol: d.Protocol, table: d.VrfID, tag: strings.TrimRight(d.Tag, "\x00"),
		})
	}
	return out, err
}

func (k natEI) setMapping(ctx context.Context, m natMapping, add bool) error {
	req := &nat.Nat44EiAddDelStaticMapping{
		IsAdd: add, LocalIPAddress: m.local.As4(), LocalPort: m.localPort, ExternalIPAddress: m.external.As4(), ExternalPort: m.externalPort,
		Protocol: m.protocol, ExternalSwIfIndex: noIndex, VrfID: m.table, Tag: m.tag,
	}
	if m.protocol == 0 {
		req.Flags = nat.NAT44_EI_ADDR_ONLY_MAPPING
	}
	_, err := k.vpp.Nat44EiAddDelStaticMapping(ctx, req)
	return err
}

func (k natEI) identities(ctx context.Context) (out []natMapping, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44EiIdentityMappingDump(ctx, &nat.Nat44EiIdentityMappingDump{}))
	for _, d := range all {
		if d.SwIfIndex != noIndex {
			continue
		}
		m := natMapping{external: netip.AddrFrom4(d.IPAddress), externalPort: d.Port, protocol: d.Protocol, table: d.VrfID, tag: strings.TrimRight(d.Tag, "\x00")}
		if d.Flags&nat.NAT44_EI_ADDR_ONLY_MAPPING != 0 {
			m.protocol = 0
		}
		out = append(out, m)
	}
	return out, err
}

func (k natEI) setIdentity(ctx context.Context, m natMapping, add bool) error {
	req := &nat.Nat44EiAddDelIdentityMapping{
		IsAdd: add, IPAddress: m.external.As4(), Port: m.externalPort, Protocol: m.protocol, SwIfIndex: noIndex, VrfID: m.table, Tag: m.tag,
	}
	if m.protocol == 0 {
		req.Flags = nat.NAT44_EI_ADDR_ONLY_MAPPING
	}
	_, err := k.vpp.Nat44EiAddDelIdentityMapping(ctx, req)
	return err
}

func (k natEI) hosts(ctx context.Context) (out []natHost, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44EiUserDump(ctx, &nat.Nat44EiUserDump{}))
	for _, d := range all {
		out = append(out, natHost{netip.AddrFrom4(d.IPAddress), d.VrfID})
	}
	return out, err
}

func (k natEI) sessions(ctx context.Context, host netip.Addr, table uint32) (out []NATSession, err error) {
	all, err := vppnet.Collect(k.vpp.Nat44EiUserSessionV2Dump(ctx, &nat.Nat44EiUserSessionV2Dump{IPAddress: host.As4(), VrfID: table}))
	for _, d := range all {
		out = append(out, NATSession{
			Protocol: uint8(d.Protocol), Static: d.Flags&nat.NAT44_EI_STATIC_MAPPING != 0,
			Inside: addrPort(d.InsideIPAddress, d.InsidePort), Outside: addrPort(d.OutsideIPAddress, d.OutsidePort),
			Bytes: d.TotalBytes, Packets: uint64(d.TotalPkts), Idle: seconds(d.TimeSinceLastHeard),
		})
	}
	return out, err
}

func (k natEI) endSession(ctx context.Context, s NATSession, table uint32) error {
	_, err := k.vpp.Nat44EiDelSession(ctx, &nat.Nat44EiDelSession{
		Address: s.Inside.Addr().As4(), Port: s.Inside.Port(), Protocol: s.Protocol, VrfID: table,
		Flags: nat.NAT44_EI_IF_INSIDE,
	})
	return err
}
