// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/urpf"
)

// reversePaths is which interfaces ask whether packets' sources are behind them. VPP forgets
// nothing of it when an interface goes, but that it was in effect.
type reversePaths struct {
	v  *VPP
	on map[reversePath]*reverseMode
}

type reversePath struct {
	index  uint32
	is6    bool
	output bool
}

type reverseMode struct {
	mode  urpf.UrpfMode
	live  bool
	moved bool // its interface has gone, and was in another table than the next one is
}

func loadURPF(v *VPP) {
	s := &reversePaths{v: v, on: make(map[reversePath]*reverseMode)}
	v.life.states = append(v.life.states, s.dump)
	i := v.life.interfaces
	i.deleting = append(i.deleting, func(i *iface) {
		for k, m := range s.on {
			if k.index == i.index {
				m.live, m.moved = false, s.table(k) != 0
			}
		}
	})
	for _, is6 := range []bool{false, true} {
		for _, output := range []bool{false, true} {
			for mode, word := range map[urpf.UrpfMode]string{urpf.URPF_API_MODE_LOOSE: "loose", urpf.URPF_API_MODE_STRICT: "strict"} {
				arc, name := reverseFeature(is6, output, word)
				v.life.features.follow(arc, name, func(i *iface) bool {
					m := s.on[reversePath{i.index, is6, output}]
					return m != nil && m.live && m.mode == mode
				})
			}
		}
	}
	v.life.features.follow("ip6-output", "interface-output", func(*iface) bool { return false })
	Handle(v, func(c *Call, q *urpf.UrpfUpdate) *urpf.UrpfUpdateReply {
		return &urpf.UrpfUpdateReply{Retval: s.set(c, q.SwIfIndex, q.Mode, q.Af, !q.IsInput, 0)}
	})
	Handle(v, func(c *Call, q *urpf.UrpfUpdateV2) *urpf.UrpfUpdateV2Reply {
		return &urpf.UrpfUpdateV2Reply{Retval: s.set(c, q.SwIfIndex, q.Mode, q.Af, !q.IsInput, q.TableID)}
	})
	HandleDump(v, s.details)
}

func reverseFeature(is6, output bool, mode string) (arc, name string) {
	family, where, way := "ip4", "unicast", "rx"
	if is6 {
		family = "ip6"
	}
	if output {
		where, way = "output", "tx"
	}
	return family + "-" + where, fmt.Sprintf("%s-%s-urpf-%s", family, way, mode)
}

// table is the one of the interface, by number.
func (s *reversePaths) table(k reversePath) uint32 {
	family := 0
	if k.is6 {
		family = 1
	}
	return s.v.life.ips.side(k.index).tables[family].id
}

func (s *reversePaths) set(c *Call, index interface_types.InterfaceIndex, mode urpf.UrpfMode, af ip_types.AddressFamily, output bool, table uint32) int32 {
	i := s.v.life.interfaces.at(index)
	switch {
	case i == nil:
		return invalidInterface
	case mode > urpf.URPF_API_MODE_STRICT:
		return invalidValue
	case af > ip_types.ADDRESS_IP6:
		return noSuchFamily
	}
	k := reversePath{i.index, af == ip_types.ADDRESS_IP6, output}
	m := s.on[k]
	if m == nil {
		m = &reverseMode{}
		s.on[k] = m
	}
	if table != none {
		return c.NotImitated("uRPF by a table of its own")
	}
	if m.moved {
		return c.NotImitated("uRPF that an interface of another table left behind")
	}
	if m.mode != mode {
		m.mode, m.live = mode, mode != urpf.URPF_API_MODE_OFF
		arc, _ := reverseFeature(k.is6, output, "")
		s.v.life.features.toggled(arc, i)
	}
	return 0
}

func (s *reversePaths) details(_ *Call, q *urpf.UrpfInterfaceDump) (out []*urpf.UrpfInterfaceDetails) {
	had := map[uint32]bool{}
	for k := range s.on {
		had[k.index] = true
	}
	for _, i := range sortedKeys(had) {
		if q.SwIfIndex != none && uint32(q.SwIfIndex) != i || s.v.life.interfaces.at(indexAt(i)) == nil {
			continue
		}
		for _, af := range []ip_types.AddressFamily{ip_types.ADDRESS_IP4, ip_types.ADDRESS_IP6} {
			for _, output := range []bool{false, true} {
				k := reversePath{i, af == ip_types.ADDRESS_IP6, output}
				if m := s.on[k]; m != nil && m.mode != urpf.URPF_API_MODE_OFF {
					out = append(out, &urpf.UrpfInterfaceDetails{SwIfIndex: indexAt(i), IsInput: !output, Mode: m.mode, Af: af, TableID: s.table(k)})
				}
			}
		}
	}
	return out
}

func (s *reversePaths) dump(d *dump) {
	for _, af := range []bool{false, true} {
		for _, output := range []bool{false, true} {
			by := map[uint32]*reverseMode{}
			for k, m := range s.on {
				if k.is6 == af && k.output == output && m.mode != urpf.URPF_API_MODE_OFF {
					by[k.index] = m
				}
			}
			for _, i := range sortedKeys(by) {
				d.line(fmt.Sprintf("uRPF %v on %d", by[i].mode, i), when(af, "IPv6"), when(output, "output"), when(!by[i].live, "to no effect"))
			}
		}
	}
}
