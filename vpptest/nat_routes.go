// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"net/netip"

	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/interface_types"
)

// natRoute is a route by which an outside interface answers for an address.
type natRoute struct {
	addr  [4]byte
	index uint32
}

// routes adds or removes those to an address, on all outside interfaces.
func (n *nat44) routes(addr [4]byte, add bool) {
	n.roles.each(none, func(_ uint32, r *natRole) {
		if r.outside {
			n.route(natRoute{addr, r.index}, add)
		}
	})
	n.outputs.each(none, func(_ uint32, index *uint32) { n.route(natRoute{addr, *index}, add) })
}

// routesOf adds or removes those of an interface that becomes an outside one.
func (n *nat44) routesOf(index uint32, add bool) {
	for _, a := range n.addresses[natPool] {
		n.route(natRoute{a.addr, index}, add)
	}
	n.mappings.each(none, func(_ uint32, m *natMapping) {
		if n.strict || m.addressOnly && m.local != m.external {
			n.route(natRoute{m.external, index}, add)
		}
	})
}

// route is in the table that the interface is in at that moment. The endpoint-dependent
// plugin counts who needs it, the other one does not.
func (n *nat44) route(r natRoute, add bool) {
	if n.strict {
		if add {
			n.counts[r]++
			if n.counts[r] > 1 {
				return
			}
		} else {
			if n.counts[r] == 0 {
				return
			}
			if n.counts[r]--; n.counts[r] > 0 {
				return
			}
			delete(n.counts, r)
		}
	}
	n.v.life.ips.local(interface_types.InterfaceIndex(r.index), r.addr, n.source, add)
}

// local is the route by which an interface answers for an address, in the table that it is in now.
func (s *ips) local(index interface_types.InterfaceIndex, addr [4]byte, source uint8, add bool) {
	var paths []fib_types.FibPath
	if add {
		p := fib_types.FibPath{SwIfIndex: uint32(index), Weight: 1, Type: fib_types.FIB_API_PATH_TYPE_LOCAL}
		p.Nh.Address.SetIP4(addr)
		paths = append(paths, p)
	}
	s.paths(s.side(uint32(index)).tables[0], netip.PrefixFrom(netip.AddrFrom4(addr), 32), source, paths)
}
