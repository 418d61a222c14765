// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
)

// world wants an external network: the BVI by which this host is in it, its table,
// and what its routers share of it. The addresses are single ones, and the subnet is a
// route: with the address of a subnet VPP forgets all neighbours in it, those of the
// other routers too.
func (g *routing) world(x *external) {
	g.out.Work++
	name, table, source := door(x.net), outside(x.net), "external/"+x.net.Name()
	var keys []string
	for _, r := range x.exits {
		keys = append(keys, r.exit.Name())
	}
	six := slices.ContainsFunc(x.subnets, func(a netip.Prefix) bool { return a.Addr().Is6() })
	four := slices.ContainsFunc(x.subnets, func(a netip.Prefix) bool { return a.Addr().Is4() })
	link := vppnet.LinkState{Interface: name, Up: g.serving, MTU: x.exits[0].exit.MTU}
	objs := append(x.net.objects(), l3.Table{Name: table, ID: g.number(x.net)}, vppnet.Loopback{Name: name, MAC: g.site.mac(name)})
	if g.serving { // as a gateway's, see l3.Gateway.Down
		port := vppnet.BridgePort{Bridge: x.net.Name(), Interface: name, BVI: true}
		objs = append(objs, port)
		link.After = []desiredstate.Key{port.Key()}
	}
	objs = append(objs, l3.Membership{Interface: name, Table: table, NoIPv4: !four, NoIPv6: !six})
	objs = append(objs, believed()...)
	var largest uint32
	for _, r := range x.exits {
		largest = max(largest, r.largest())
	}
	objs = append(objs, clamp(name, x.exits[0].exit.MTU, largest)...)
	objs = append(objs, g.stand(name, x.net, g.site.mac(name))...)
	if link.Up || link.MTU != 0 {
		objs = append(objs, link)
	}
	if x.translates() {
		objs = append(objs, nat.Plugin{}, nat.Interface{Interface: name, Table: table, Outside: true}, l3.ProxyARP{Interface: name})
	}
	if x.entered = x.enters(); x.entered {
		objs = append(objs, x.enter()...)
	}
	objs = append(objs, g.ways(x, table, name)...)
	g.want(source, objs, keys...)
	for _, r := range x.exits {
		var own []desiredstate.Object
		for _, a := range r.exit.Addrs {
			alone := netip.PrefixFrom(a.Addr(), a.Addr().BitLen())
			own = append(own, l3.Address{Interface: name, Prefix: alone, Table: table})
			g.voice(name, a.Addr(), own[len(own)-1].Key())
			if a.Bits() < a.Addr().BitLen() {
				own = append(own, x.linked(a))
			}
		}
		for _, next := range r.exit.Next { // who leads out is on the link, whatever the subnets
			if route, ok := x.ways[alone(next)]; ok {
				own = append(own, route)
			}
		}
		g.want(source, own, r.exit.Name())
	}
	var all []desiredstate.Object
	for _, r := range slices.SortedFunc(maps.Values(x.ways), func(a, b l3.Route) int { return a.Key().Compare(b.Key()) }) {
		all = append(all, r)
	}
	g.want(source, all)
}

// ways are those to everywhere. VPP answers ARP only of whom it takes to be on the link, and
// nobody says of which other subnets of the network floating IPs are; so where there is
// such a one everybody is, by a path that nothing goes by as long as there is a gateway. VPP
// goes by the last of a route's paths, as it sorts them, to tell who is on the link, and sorts next
// hops behind links; so the gateway is a table further.
func (g *routing) ways(x *external, table, door string) (objs []desiredstate.Object) {
	link := netip.Addr{}
	if x.outlying() {
		link = netip.IPv4Unspecified()
	}
	for _, next := range x.next() {
		route := l3.Route{Table: table, Prefix: netip.PrefixFrom(unspecified(next), 0), Paths: []l3.Path{{Interface: door, NextHop: next}}}
		if next.Is4() && link.IsValid() {
			further := "beyond-" + x.net.Name()
			objs = append(objs, l3.Table{Name: further, ID: tableNumber(further)}, l3.Route{Table: further, Prefix: route.Prefix, Paths: route.Paths})
			route.Paths = []l3.Path{{Table: further}, {Interface: door, Preference: 1}}
			link = netip.Addr{}
		}
		objs = append(objs, route)
	}
	if link.IsValid() {
		objs = append(objs, l3.Route{Table: table, Prefix: netip.PrefixFrom(link, 0), Paths: []l3.Path{{Interface: door}}})
	}
	return objs
}

// outlying says whether there is a floating IP of a subnet that nobody names.
func (x *external) outlying() bool {
	return slices.ContainsFunc(x.exits, func(r *router) bool {
		return slices.ContainsFunc(r.floats, func(f FloatingIP) bool { return !x.holds(f.Floating) })
	})
}

// next are the gateways of the network: of each family that of the first router that
// has one.
func (x *external) next() (out []netip.Addr) {
	for _, is6 := range []bool{false, true} {
		for _, r := range x.exits {
			if i := slices.IndexFunc(r.exit.Next, func(a netip.Addr) bool { return a.Is6() == is6 }); i >= 0 {
				out = append(out, r.exit.Next[i])
				break
			}
		}
	}
	return out
}

func unspecified(a netip.Addr) netip.Addr {
	if a.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// ways are the paths of an extra route, whether all of them lead out, and the hops
// that are in none of the router's networks.
func (r *router) ways(e ExtraRoute) (paths []l3.Path, out bool, lost []netip.Addr) {
	out = true
	for _, hop := range e.By {
		by := ""
		for _, net := range slices.Sorted(maps.Keys(r.legs)) {
			l := r.legs[net]
			if slices.ContainsFunc(l.addrs(), func(a netip.Prefix) bool { return a.Contains(hop) }) {
				by, out = l.door, false
			}
		}
		if by == "" && slices.ContainsFunc(r.exit.Addrs, func(a netip.Prefix) bool { return a.Contains(hop) }) {
			by = door(r.exit.Net)
		}
		if by == "" {
			lost = append(lost, hop)
			continue
		}
		paths = append(paths, l3.Path{Interface: by, NextHop: hop})
	}
	return paths, out, lost
}

// number is that of an external network's table: the same on each host, and none of
// a router's.
func (g *routing) number(n Net) uint32 { return tableNumber(n.Name()) }

func tableNumber(name string) uint32 {
	sum := sha256.Sum256([]byte(name))
	return binary.BigEndian.Uint32(sum[:])&(maxVRF>>1) | (maxVRF + 1)
}

// mac is the address of the BVI in an external network. It is no router's: when the
// router goes, the others stay as they are.
func (s Site) mac(name string) vppnet.MAC {
	if s.HA { // whoever serves has it
		return macOf("", name)
	}
	return macOf(s.Host, name)
}

// macOf makes an address of whose it is and of its name.
func macOf(host, name string) vppnet.MAC {
	sum := sha256.Sum256([]byte(Owner + " " + host + " " + name))
	m := vppnet.MAC(sum[:6])
	m[0] = m[0]&^1 | 2
	return m
}
