// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

const (
	hops    = 20 // next hops of all routes
	ecmp    = 10 // each tenth route has two
	inTable = "internet"
)

// routes is a full table as routers have it: five IPv4 routes for each of IPv6, of the
// prefix lengths that there are, by twenty next hops.
func routes() *workload {
	var table, iface uint32
	path := func(n int, changed, second bool) (hop int) {
		hop = n * 7 % hops
		if changed {
			hop = (hop + 1) % hops
		}
		if second {
			hop = (hop + 3) % hops
		}
		return hop
	}
	paths := func(n int) int {
		if n%ecmp == 0 {
			return 2
		}
		return 1
	}
	return &workload{
		name: "routes", most: 1_500_000,
		base: []desiredstate.Object{
			l3.Table{Name: inTable},
			vppnet.Loopback{Name: "transit"},
			l3.Membership{Interface: "transit", Table: inTable},
			l3.Address{Interface: "transit", Table: inTable, Prefix: netip.MustParsePrefix("10.255.0.1/24")},
			l3.Address{Interface: "transit", Table: inTable, Prefix: netip.MustParsePrefix("fd00:ffff::1/64")},
		},
		kinds: func(c *vppnet.Conn) []desiredstate.AnyKind {
			return []desiredstate.AnyKind{vppnet.Loopbacks(c), l3.Tables(c), l3.Memberships(c), l3.Addresses(c), l3.Routes(c)}
		},
		numbers: func(at func(desiredstate.Key) uint32) {
			table, iface = at(l3.TableKey(inTable)), at(vppnet.InterfaceKey("transit"))
		},
		object: func(n int, changed bool) desiredstate.Object {
			p := prefix(n)
			r := l3.Route{Table: inTable, Prefix: p}
			for i := range paths(n) {
				r.Paths = append(r.Paths, l3.Path{Interface: "transit", NextHop: hopAddr(path(n, changed, i > 0), p.Addr().Is6())})
			}
			return r
		},
		message: func(n int, changed, add bool) api.Message {
			p := prefix(n)
			m := &ip.IPRouteAddDelV2{IsAdd: add, Route: ip.IPRouteV2{TableID: table, Prefix: routePrefix(p)}}
			if !add {
				return m
			}
			for i := range paths(n) {
				hop := hopAddr(path(n, changed, i > 0), p.Addr().Is6())
				w := fib_types.FibPath{SwIfIndex: iface, Weight: 1}
				if hop.Is6() {
					w.Proto = fib_types.FIB_API_PATH_NH_PROTO_IP6
					w.Nh.Address.SetIP6(hop.As16())
				} else {
					w.Nh.Address.SetIP4(hop.As4())
				}
				m.Route.Paths = append(m.Route.Paths, w)
			}
			m.Route.NPaths = uint8(len(m.Route.Paths))
			return m
		},
		moves: func(n int) bool { return n*7%hops == 0 },
		dumps: func(w *wire) []dump {
			var all []*ip.IPRouteV2Details
			return []dump{
				dumpOf(w, &ip.IPRouteV2Dump{Src: apiSource, Table: ip.IPTable{TableID: table}}, &all),
				dumpOf(w, &ip.IPRouteV2Dump{Src: apiSource, Table: ip.IPTable{TableID: table, IsIP6: true}}, &all),
			}
		},
	}
}

const apiSource = 8 // VPP's number of who adds routes by the API, to show only those

// prefix is the n-th of the table, of the lengths that most have; no two overlap.
func prefix(n int) netip.Prefix {
	if k := n / 6; n%6 == 5 {
		if k%4 == 0 {
			return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a, 1, byte(k / 4 >> 8), byte(k / 4)}), 32)
		}
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a, 2, byte(k >> 24), byte(k >> 16), byte(k >> 8), byte(k)}), 48)
	}
	k := n/6*5 + n%6
	switch few := k / 16; k % 16 {
	case 0:
		return four(2<<20+few*4, 22)
	case 1, 2:
		return four(3<<20+(few*2+k%16-1)*2, 23)
	case 3:
		return four(4<<20+few*16, 20)
	default:
		return four(1<<20+few*12+k%16-4, 24)
	}
}

// four is a prefix of which the first 24 bits are place, from 11.0.0.0 on.
func four(place, bits int) netip.Prefix {
	place += 11 << 16
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(place >> 16), byte(place >> 8), byte(place)}), bits)
}

func hopAddr(hop int, is6 bool) netip.Addr {
	if is6 {
		return netip.MustParseAddr(fmt.Sprintf("fd00:ffff::%x", 0x10+hop))
	}
	return netip.AddrFrom4([4]byte{10, 255, 0, byte(10 + hop)})
}

func routePrefix(p netip.Prefix) (out ip_types.Prefix) {
	out.Len = uint8(p.Bits())
	if p.Addr().Is6() {
		out.Address.Af = ip_types.ADDRESS_IP6
		out.Address.Un.SetIP6(p.Addr().As16())
	} else {
		out.Address.Un.SetIP4(p.Addr().As4())
	}
	return out
}
