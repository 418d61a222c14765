// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"go.fd.io/govpp/binapi/bond"
	"go.fd.io/govpp/binapi/lacp"
)

// lacpEnd is what LACP knows of a member. No timer runs out, and nobody is on the wire,
// until Partner.
type lacpEnd struct {
	port    uint16
	state   uint8
	partner lacpPartner
	rx, mux uint32
}

type lacpPartner struct {
	system mac
	key    uint16
	port   uint16
	state  uint8
}

// The bits of LACP's states, and the states of VPP's machines.
const (
	lacpActivity = 1 << iota
	lacpShort
	lacpAggregation
	lacpSync
	lacpCollecting
	lacpDistributing
	lacpDefaulted
	lacpExpired

	lacpWorks = lacpSync | lacpCollecting | lacpDistributing

	lacpRxExpired, lacpRxCurrent     = 2, 5
	lacpMuxCollecting                = 3
	lacpSystemPriority, lacpPriority = 65535, 255
)

func loadLACP(v *VPP) {
	v.life.bonds.lacp = true
	HandleDump(v, v.life.bonds.lacpDetails)
}

// begin is a member that has just come, or come back.
func (m *member) begin() {
	if m.lacp.port == 0 {
		n := m.in.ports.lowest()
		m.in.ports.take(n)
		m.lacp.port = uint16(n + 1)
	}
	m.lacp.state = lacpAggregation | lacpDefaulted | lacpExpired
	if !m.long {
		m.lacp.state |= lacpShort
	}
	if !m.passive {
		m.lacp.state |= lacpActivity
	}
	m.lacp.partner.key, m.lacp.partner.port, m.lacp.partner.state = uint16(m.in.index), m.lacp.port, lacpShort
	m.lacp.rx, m.lacp.mux = lacpRxExpired, 0
}

func (e *lacpEnd) agreed() bool { return e.mux == lacpMuxCollecting }

// Partner is what happens at the other end of a member's wire: somebody who speaks LACP
// comes, and both ends agree at once, or goes, and is missed at once. It is for members of
// bonds of mode LACP that are up; for others, and an unknown name, it does nothing.
func (v *VPP) Partner(member string, there bool) {
	v.Do(func() {
		b := v.life.bonds
		for _, i := range v.life.interfaces.all {
			if i == nil || i.title() != member {
				continue
			}
			m := b.member(i)
			if m == nil || m.in.mode != bond.BOND_API_MODE_LACP || !i.admin || !i.hw.link {
				continue
			}
			m.begin()
			if there {
				m.lacp.partner = lacpPartner{mac{2, 0xca, 0xfe, 0xff, 0, 0}, 1, m.lacp.port, lacpActivity | lacpShort | lacpAggregation | lacpWorks}
				m.lacp.state = m.lacp.state&^(lacpDefaulted|lacpExpired) | lacpWorks
				m.lacp.rx, m.lacp.mux = lacpRxCurrent, lacpMuxCollecting
			}
			b.update(m)
		}
	})
}

func (b *bonds) lacpDetails(*Call, *lacp.SwInterfaceLacpDump) (out []*lacp.SwInterfaceLacpDetails) {
	b.members.each(none, func(_ uint32, at **member) {
		m := *at
		if m.in.mode != bond.BOND_API_MODE_LACP {
			return
		}
		e := &m.lacp
		out = append(out, &lacp.SwInterfaceLacpDetails{
			SwIfIndex: indexOf(m.iface), InterfaceName: cut(m.device(b.v).name, 63), BondInterfaceName: cut(m.in.name, 63),
			RxState: e.rx, MuxState: e.mux,
			ActorSystemPriority: lacpSystemPriority, ActorSystem: m.in.address, ActorKey: uint16(m.in.index),
			ActorPortPriority: lacpPriority, ActorPortNumber: e.port, ActorState: e.state,
			PartnerSystemPriority: lacpSystemPriority, PartnerSystem: e.partner.system, PartnerKey: e.partner.key,
			PartnerPortPriority: lacpPriority, PartnerPortNumber: e.partner.port, PartnerState: e.partner.state,
		})
	})
	return out
}
