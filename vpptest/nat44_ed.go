// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"go.fd.io/govpp/binapi/interface_types"
	nat "go.fd.io/govpp/binapi/nat44_ed"
	"go.fd.io/govpp/binapi/nat_types"
)

// natED is the endpoint-dependent NAT44 plugin.
type natED struct {
	nat44
	exits pool[natExit]
}

func loadNATED(v *VPP) {
	n := &natED{nat44: nat44{name: "nat44-ed", off: unsupported, strict: true, source: srcNATED, defaultUser: [2]uint32{63 * 1024, 0}}}
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
	// Of these there are none: what makes them is no message of a kind.
	HandleDump(v, func(*Call, *nat.Nat44LbStaticMappingDump) []*nat.Nat44LbStaticMappingDetails { return nil })
	HandleDump(v, func(*Call, *nat.Nat44InterfaceAddrDump) []*nat.Nat44InterfaceAddrDetails { return nil })
	Handle(v, n.addDelIdentity)
	HandleDump(v, n.identityDetails)
	Handle(v, n.deleteSession)
	n.loadExits(v)
	HandleDump(v, func(*Call, *nat.Nat44UserDump) []*nat.Nat44UserDetails { return nil })
	HandleDump(v, func(*Call, *nat.Nat44UserSessionV3Dump) []*nat.Nat44UserSessionV3Details { return nil })
}

func (n *natED) enable(_ *Call, q *nat.Nat44EdPluginEnableDisable) *nat.Nat44EdPluginEnableDisableReply {
	r := new(nat.Nat44EdPluginEnableDisableReply)
	switch {
	case !q.Enable:
		if r.Retval = n.switchOff(); r.Retval != featureDisabled2 {
			n.forgetExits()
		}
	case q.Flags&(nat.NAT44_IS_STATIC_MAPPING_ONLY|nat.NAT44_IS_CONNECTION_TRACKING) != 0:
		r.Retval = unsupported
	default:
		r.Retval = n.switchOn(natConfig{inside: q.InsideVrf, outside: q.OutsideVrf, sessions: q.Sessions})
	}
	return r
}

func (n *natED) running(*Call, *nat.Nat44ShowRunningConfig) *nat.Nat44ShowRunningConfigReply {
	return &nat.Nat44ShowRunningConfigReply{
		InsideVrf: n.config.inside, OutsideVrf: n.config.outside, Sessions: n.config.sessions, TranslationBuckets: n.buckets[0],
		ForwardingEnabled: n.forwarding, IpfixLoggingEnabled: true, Flags: nat.NAT44_IS_ENDPOINT_DEPENDENT, Timeouts: n.showTimeouts(),
	}
}

func (n *nat44) showTimeouts() nat_types.NatTimeouts {
	return nat_types.NatTimeouts{UDP: n.timeouts[0], TCPEstablished: n.timeouts[1], TCPTransitory: n.timeouts[2], ICMP: n.timeouts[3]}
}

func (n *natED) setTimeouts(_ *Call, q *nat.NatSetTimeouts) *nat.NatSetTimeoutsReply {
	n.timeouts = [4]uint32{q.UDP, q.TCPEstablished, q.TCPTransitory, q.ICMP}
	return new(nat.NatSetTimeoutsReply)
}

func (n *natED) setForwarding(_ *Call, q *nat.Nat44ForwardingEnableDisable) *nat.Nat44ForwardingEnableDisableReply {
	n.forwarding = q.Enable
	return new(nat.Nat44ForwardingEnableDisableReply)
}

func (n *natED) setMSS(_ *Call, q *nat.NatSetMssClamping) *nat.NatSetMssClampingReply {
	n.clamp(q.Enable, q.MssValue)
	return new(nat.NatSetMssClampingReply)
}

func (n *nat44) clamp(enable bool, mss uint16) {
	if n.mss = 0; enable {
		n.mss = mss
	}
}

func (n *natED) readMSS(*Call, *nat.NatGetMssClamping) *nat.NatGetMssClampingReply {
	return &nat.NatGetMssClampingReply{MssValue: n.mss, Enable: n.mss != 0}
}

func (n *natED) addDelRole(_ *Call, q *nat.Nat44InterfaceAddDelFeature) *nat.Nat44InterfaceAddDelFeatureReply {
	return &nat.Nat44InterfaceAddDelFeatureReply{Retval: n.setRole(uint32(q.SwIfIndex), q.Flags&nat_types.NAT_IS_INSIDE != 0, q.IsAdd)}
}

func (n *natED) roleDetails(*Call, *nat.Nat44InterfaceDump) (out []*nat.Nat44InterfaceDetails) {
	n.roles.each(none, func(_ uint32, r *natRole) {
		d := &nat.Nat44InterfaceDetails{SwIfIndex: interface_types.InterfaceIndex(r.index)}
		if r.inside {
			d.Flags |= nat_types.NAT_IS_INSIDE
		}
		if r.outside {
			d.Flags |= nat_types.NAT_IS_OUTSIDE
		}
		out = append(out, d)
	})
	return out
}

func (n *natED) addDelOutput(_ *Call, q *nat.Nat44EdAddDelOutputInterface) *nat.Nat44EdAddDelOutputInterfaceReply {
	return &nat.Nat44EdAddDelOutputInterfaceReply{Retval: n.setOutput(uint32(q.SwIfIndex), q.IsAdd)}
}

func (n *natED) outputDetails(_ *Call, q *nat.Nat44EdOutputInterfaceGet) (out []*nat.Nat44EdOutputInterfaceDetails, r *nat.Nat44EdOutputInterfaceGetReply) {
	all, retval, cursor := n.outputsFrom(q.Cursor)
	for _, i := range all {
		out = append(out, &nat.Nat44EdOutputInterfaceDetails{SwIfIndex: interface_types.InterfaceIndex(i)})
	}
	return out, &nat.Nat44EdOutputInterfaceGetReply{Retval: retval, Cursor: cursor}
}

func (n *natED) addDelRange(c *Call, q *nat.Nat44AddDelAddressRange) *nat.Nat44AddDelAddressRangeReply {
	which := natPool
	if q.Flags&nat_types.NAT_IS_TWICE_NAT != 0 {
		which = natTwicePool
	}
	return &nat.Nat44AddDelAddressRangeReply{Retval: n.setRange(c, which, q.FirstIPAddress, q.LastIPAddress, q.VrfID, q.IsAdd)}
}

func (n *natED) addressDetails(*Call, *nat.Nat44AddressDump) (out []*nat.Nat44AddressDetails) {
	for which, all := range n.addresses {
		for _, a := range all {
			d := &nat.Nat44AddressDetails{IPAddress: a.addr, VrfID: a.table}
			if which == natTwicePool {
				d.Flags = nat_types.NAT_IS_TWICE_NAT
			}
			out = append(out, d)
		}
	}
	return out
}

// The flags of a mapping that VPP keeps.
const natMappingFlags = nat_types.NAT_IS_TWICE_NAT | nat_types.NAT_IS_SELF_TWICE_NAT | nat_types.NAT_IS_OUT2IN_ONLY | nat_types.NAT_IS_ADDR_ONLY

func (n *natED) addDelMapping(c *Call, q *nat.Nat44AddDelStaticMappingV2) *nat.Nat44AddDelStaticMappingV2Reply {
	r := new(nat.Nat44AddDelStaticMappingV2Reply)
	twice := q.Flags&(nat_types.NAT_IS_TWICE_NAT|nat_types.NAT_IS_SELF_TWICE_NAT) != 0
	only := q.Flags&nat_types.NAT_IS_ADDR_ONLY != 0
	if n.on && twice && only {
		r.Retval = unsupported
		return r
	}
	r.Retval = n.change(c, natMapping{
		local: q.LocalIPAddress, localPort: q.LocalPort, external: q.ExternalIPAddress, externalPort: q.ExternalPort, protocol: q.Protocol,
		addressOnly: only, oneWay: q.Flags&nat_types.NAT_IS_OUT2IN_ONLY != 0, flags: uint8(q.Flags & natMappingFlags), table: q.VrfID, tag: cut(q.Tag, 63),
	}, uint32(q.ExternalSwIfIndex), q.IsAdd)
	return r
}

func (n *natED) mappingDetails(*Call, *nat.Nat44StaticMappingDump) (out []*nat.Nat44StaticMappingDetails) {
	n.mappings.each(none, func(_ uint32, m *natMapping) {
		if !m.identity {
			out = append(out, &nat.Nat44StaticMappingDetails{
				Flags: nat_types.NatConfigFlags(m.flags), LocalIPAddress: m.local, ExternalIPAddress: m.external, Protocol: m.protocol,
				LocalPort: m.localPort, ExternalPort: m.externalPort, ExternalSwIfIndex: none, VrfID: m.table, Tag: m.tag,
			})
		}
	})
	for _, p := range n.pending {
		if p.identity {
			continue
		}
		d := &nat.Nat44StaticMappingDetails{
			Flags:          nat_types.NatConfigFlags(p.flags) & (nat_types.NAT_IS_TWICE_NAT | nat_types.NAT_IS_ADDR_ONLY),
			LocalIPAddress: p.local, ExternalSwIfIndex: interface_types.InterfaceIndex(p.index), VrfID: p.table, Tag: p.tag,
		}
		if !p.addressOnly {
			d.Protocol, d.LocalPort, d.ExternalPort = p.protocol, p.localPort, p.externalPort
		}
		out = append(out, d)
	}
	return out
}

func (n *natED) addDelIdentity(c *Call, q *nat.Nat44AddDelIdentityMapping) *nat.Nat44AddDelIdentityMappingReply {
	if q.Flags&nat_types.NAT_IS_ADDR_ONLY != 0 {
		q.Port, q.Protocol = 0, 0
	}
	return &nat.Nat44AddDelIdentityMappingReply{Retval: n.change(c, natMapping{
		local: q.IPAddress, localPort: q.Port, external: q.IPAddress, externalPort: q.Port, protocol: q.Protocol, identity: true,
		addressOnly: q.Flags&nat_types.NAT_IS_ADDR_ONLY != 0, flags: uint8(q.Flags & nat_types.NAT_IS_ADDR_ONLY), table: q.VrfID, tag: cut(q.Tag, 63),
	}, uint32(q.SwIfIndex), q.IsAdd)}
}

func (n *natED) identityDetails(*Call, *nat.Nat44IdentityMappingDump) (out []*nat.Nat44IdentityMappingDetails) {
	n.mappings.each(none, func(_ uint32, m *natMapping) {
		m.tables.each(none, func(_ uint32, t *natTable) {
			out = append(out, &nat.Nat44IdentityMappingDetails{
				Flags: nat_types.NatConfigFlags(m.flags), IPAddress: m.external, Protocol: m.protocol, Port: m.externalPort,
				SwIfIndex: none, VrfID: t.id, Tag: m.tag,
			})
		})
	})
	for _, p := range n.pending {
		if p.identity {
			out = append(out, &nat.Nat44IdentityMappingDetails{
				Flags: nat_types.NatConfigFlags(p.flags), Protocol: p.protocol, Port: p.localPort,
				SwIfIndex: interface_types.InterfaceIndex(p.index), VrfID: p.table, Tag: p.tag,
			})
		}
	}
	return out
}

// deleteSession finds no session. VPP looks in the table that mappings are in too, as
// sessions with nobody, and takes the number of such a one for that of a session.
func (n *natED) deleteSession(_ *Call, q *nat.Nat44DelSession) *nat.Nat44DelSessionReply {
	fib := n.v.life.ips.pool[0].find(q.VrfID)
	nobody := natKey{protocol: q.Protocol}
	local := natKey{q.Address, q.Port, q.Protocol, nil}
	peer := natKey{q.ExtHostAddress, q.ExtHostPort, q.Protocol, nil}
	_, external := n.byExternal[peer]
	_, internal := n.byLocal[natKey{q.Address, q.Port, q.Protocol, fib}]
	switch {
	case !n.on:
		return &nat.Nat44DelSessionReply{Retval: n.off}
	case peer == nobody && internal, local == nobody && external && fib == n.v.life.ips.pool[0].slots[0]:
		return &nat.Nat44DelSessionReply{Retval: unspecified}
	}
	return &nat.Nat44DelSessionReply{Retval: noSuchEntry}
}
