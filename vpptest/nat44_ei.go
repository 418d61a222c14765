// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"go.fd.io/govpp/binapi/interface_types"
	nat "go.fd.io/govpp/binapi/nat44_ei"
)

// natEI is the endpoint-independent NAT44 plugin.
type natEI struct{ nat44 }

func loadNATEI(v *VPP) {
	n := &natEI{nat44{name: "nat44-ei", off: featureDisabled2, needsPool: true, source: srcNATEI, defaultUser: [2]uint32{10 * 1024, 1024}}}
	n.load(v)
	Handle(v, n.enable)
	Handle(v, n.running)
	Handle(v, n.setTimeouts)
	Handle(v, n.setForwarding)
	Handle(v, n.setMSS)
	Handle(v, n.readMSS)
	Handle(v, n.addDelRole)
	HandleDump(v, n.roleDetails)
	Handle(v, n.addDelOutput)
	HandleGet(v, n.outputDetails)
	Handle(v, n.addDelRange)
	HandleDump(v, n.addressDetails)
	Handle(v, n.addDelMapping)
	HandleDump(v, n.mappingDetails)
	HandleDump(v, func(*Call, *nat.Nat44EiInterfaceAddrDump) []*nat.Nat44EiInterfaceAddrDetails { return nil }) // what makes them is no message of a kind
	Handle(v, n.addDelIdentity)
	HandleDump(v, n.identityDetails)
	Handle(v, n.deleteSession)
	HandleDump(v, func(*Call, *nat.Nat44EiUserDump) []*nat.Nat44EiUserDetails { return nil })
	HandleDump(v, func(c *Call, _ *nat.Nat44EiUserSessionV2Dump) []*nat.Nat44EiUserSessionV2Details {
		n.lookForSessions(c)
		return nil
	})
}

func (n *natEI) enable(c *Call, q *nat.Nat44EiPluginEnableDisable) *nat.Nat44EiPluginEnableDisableReply {
	if !q.Enable {
		return &nat.Nat44EiPluginEnableDisableReply{Retval: n.switchOff()}
	}
	if !n.on && q.Flags&nat.NAT44_EI_OUT2IN_DPO != 0 {
		return &nat.Nat44EiPluginEnableDisableReply{Retval: c.NotImitated("with the flag OUT2IN_DPO")}
	}
	return &nat.Nat44EiPluginEnableDisableReply{Retval: n.switchOn(natConfig{
		q.InsideVrf, q.OutsideVrf, q.Sessions, q.Users, q.UserSessions,
		q.Flags&nat.NAT44_EI_STATIC_MAPPING_ONLY != 0, q.Flags&nat.NAT44_EI_CONNECTION_TRACKING != 0,
	})}
}

func (n *natEI) running(*Call, *nat.Nat44EiShowRunningConfig) *nat.Nat44EiShowRunningConfigReply {
	c := n.config
	var flags nat.Nat44EiConfigFlags
	if c.static {
		flags |= nat.NAT44_EI_STATIC_MAPPING_ONLY
	}
	if c.tracked {
		flags |= nat.NAT44_EI_CONNECTION_TRACKING
	}
	return &nat.Nat44EiShowRunningConfigReply{
		Flags:     flags,
		InsideVrf: c.inside, OutsideVrf: c.outside, Users: c.users, Sessions: c.sessions, UserSessions: c.userSessions,
		TranslationBuckets: n.buckets[0], UserBuckets: n.buckets[1],
		ForwardingEnabled: n.forwarding, IpfixLoggingEnabled: true, Timeouts: n.showTimeouts(),
	}
}

func (n *natEI) setTimeouts(_ *Call, q *nat.Nat44EiSetTimeouts) *nat.Nat44EiSetTimeoutsReply {
	n.timeouts = [4]uint32{q.UDP, q.TCPEstablished, q.TCPTransitory, q.ICMP}
	return new(nat.Nat44EiSetTimeoutsReply)
}

func (n *natEI) setForwarding(_ *Call, q *nat.Nat44EiForwardingEnableDisable) *nat.Nat44EiForwardingEnableDisableReply {
	n.forwarding = q.Enable
	return new(nat.Nat44EiForwardingEnableDisableReply)
}

func (n *natEI) setMSS(_ *Call, q *nat.Nat44EiSetMssClamping) *nat.Nat44EiSetMssClampingReply {
	n.clamp(q.Enable, q.MssValue)
	return new(nat.Nat44EiSetMssClampingReply)
}

func (n *natEI) readMSS(*Call, *nat.Nat44EiGetMssClamping) *nat.Nat44EiGetMssClampingReply {
	return &nat.Nat44EiGetMssClampingReply{MssValue: n.mss, Enable: n.mss != 0}
}

func (n *natEI) addDelRole(_ *Call, q *nat.Nat44EiInterfaceAddDelFeature) *nat.Nat44EiInterfaceAddDelFeatureReply {
	return &nat.Nat44EiInterfaceAddDelFeatureReply{Retval: n.setRole(uint32(q.SwIfIndex), q.Flags&nat.NAT44_EI_IF_INSIDE != 0, q.IsAdd)}
}

func (n *natEI) roleDetails(*Call, *nat.Nat44EiInterfaceDump) (out []*nat.Nat44EiInterfaceDetails) {
	n.roles.each(none, func(_ uint32, r *natRole) {
		d := &nat.Nat44EiInterfaceDetails{SwIfIndex: interface_types.InterfaceIndex(r.index)}
		if r.inside {
			d.Flags |= nat.NAT44_EI_IF_INSIDE
		}
		if r.outside {
			d.Flags |= nat.NAT44_EI_IF_OUTSIDE
		}
		out = append(out, d)
	})
	return out
}

func (n *natEI) addDelOutput(_ *Call, q *nat.Nat44EiAddDelOutputInterface) *nat.Nat44EiAddDelOutputInterfaceReply {
	return &nat.Nat44EiAddDelOutputInterfaceReply{Retval: n.setOutput(uint32(q.SwIfIndex), q.IsAdd)}
}

func (n *natEI) outputDetails(_ *Call, q *nat.Nat44EiOutputInterfaceGet) (out []*nat.Nat44EiOutputInterfaceDetails, r *nat.Nat44EiOutputInterfaceGetReply) {
	all, retval, cursor := n.outputsFrom(q.Cursor)
	for _, i := range all {
		out = append(out, &nat.Nat44EiOutputInterfaceDetails{SwIfIndex: interface_types.InterfaceIndex(i)})
	}
	return out, &nat.Nat44EiOutputInterfaceGetReply{Retval: retval, Cursor: cursor}
}

func (n *natEI) addDelRange(c *Call, q *nat.Nat44EiAddDelAddressRange) *nat.Nat44EiAddDelAddressRangeReply {
	if n.staticOnly {
		return &nat.Nat44EiAddDelAddressRangeReply{Retval: featureDisabled}
	}
	return &nat.Nat44EiAddDelAddressRangeReply{Retval: n.setRange(c, natPool, q.FirstIPAddress, q.LastIPAddress, q.VrfID, q.IsAdd)}
}

func (n *natEI) addressDetails(*Call, *nat.Nat44EiAddressDump) (out []*nat.Nat44EiAddressDetails) {
	for _, a := range n.addresses[natPool] {
		out = append(out, &nat.Nat44EiAddressDetails{IPAddress: a.addr, VrfID: a.table})
	}
	return out
}

// protocolOf is what this plugin makes of a protocol: it knows three.
func protocolOf(p uint8) uint8 {
	switch p {
	case 1, 6, 17:
		return p
	case 58:
		return 1
	}
	return 0
}

// shownProtocol is what it shows of one.
func shownProtocol(p uint8) uint8 {
	if p == 0 {
		return 255
	}
	return p
}

func (n *natEI) addDelMapping(c *Call, q *nat.Nat44EiAddDelStaticMapping) *nat.Nat44EiAddDelStaticMappingReply {
	only := q.Flags & nat.NAT44_EI_ADDR_ONLY_MAPPING
	if only != 0 {
		q.LocalPort, q.ExternalPort, q.Protocol = 0, 0, 0
	}
	return &nat.Nat44EiAddDelStaticMappingReply{Retval: n.change(c, natMapping{
		local: q.LocalIPAddress, localPort: q.LocalPort, external: q.ExternalIPAddress, externalPort: q.ExternalPort, protocol: protocolOf(q.Protocol),
		addressOnly: only != 0, flags: uint8(only), table: q.VrfID, tag: cut(q.Tag, 63),
	}, uint32(q.ExternalSwIfIndex), q.IsAdd)}
}

func (n *natEI) mappingDetails(*Call, *nat.Nat44EiStaticMappingDump) (out []*nat.Nat44EiStaticMappingDetails) {
	n.mappings.each(none, func(_ uint32, m *natMapping) {
		if !m.identity {
			out = append(out, n.static(m, none))
		}
	})
	for _, p := range n.pending {
		if !p.identity {
			out = append(out, n.static(&p.natMapping, p.index))
		}
	}
	return out
}

func (n *natEI) static(m *natMapping, index uint32) *nat.Nat44EiStaticMappingDetails {
	d := &nat.Nat44EiStaticMappingDetails{
		Flags: nat.Nat44EiConfigFlags(m.flags), LocalIPAddress: m.local, ExternalSwIfIndex: interface_types.InterfaceIndex(index),
		VrfID: m.table, Tag: m.tag,
	}
	if index == none {
		d.ExternalIPAddress = m.external
	}
	if !m.addressOnly {
		d.Protocol, d.LocalPort, d.ExternalPort = shownProtocol(m.protocol), m.localPort, m.externalPort
	}
	return d
}

func (n *natEI) addDelIdentity(c *Call, q *nat.Nat44EiAddDelIdentityMapping) *nat.Nat44EiAddDelIdentityMappingReply {
	only := q.Flags & nat.NAT44_EI_ADDR_ONLY_MAPPING
	if only != 0 {
		q.Port, q.Protocol = 0, 0
	}
	return &nat.Nat44EiAddDelIdentityMappingReply{Retval: n.change(c, natMapping{
		local: q.IPAddress, localPort: q.Port, external: q.IPAddress, externalPort: q.Port, protocol: protocolOf(q.Protocol), identity: true,
		addressOnly: only != 0, flags: uint8(only), table: q.VrfID, tag: cut(q.Tag, 63),
	}, uint32(q.SwIfIndex), q.IsAdd)}
}

func (n *natEI) identityDetails(*Call, *nat.Nat44EiIdentityMappingDump) (out []*nat.Nat44EiIdentityMappingDetails) {
	add := func(m *natMapping, addr [4]byte, index, table uint32) {
		out = append(out, &nat.Nat44EiIdentityMappingDetails{
			Flags: nat.Nat44EiConfigFlags(m.flags), IPAddress: addr, Protocol: shownProtocol(m.protocol), Port: m.localPort,
			SwIfIndex: interface_types.InterfaceIndex(index), VrfID: table, Tag: m.tag,
		})
	}
	n.mappings.each(none, func(_ uint32, m *natMapping) {
		m.tables.each(none, func(_ uint32, t *natTable) { add(m, m.external, none, t.id) })
	})
	for _, p := range n.pending {
		if p.identity {
			add(&p.natMapping, [4]byte{}, p.index, p.table)
		}
	}
	return out
}

// lookForSessions: VPP has no place for them while NAT is off, or for static mappings only.
func (n *natEI) lookForSessions(c *Call) {
	if !n.on || n.config.static {
		c.Die("looked for sessions while NAT has none")
	}
}

func (n *natEI) deleteSession(c *Call, _ *nat.Nat44EiDelSession) *nat.Nat44EiDelSessionReply {
	if !n.on {
		return &nat.Nat44EiDelSessionReply{Retval: n.off}
	}
	n.lookForSessions(c)
	return &nat.Nat44EiDelSessionReply{Retval: noSuchEntry}
}
