// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_neighbor"
	"go.fd.io/govpp/binapi/ip_types"
)

type neighbourKey struct {
	index uint32 // of the interface, which may be dead
	ip    netip.Addr
}

func (k neighbourKey) compare(o neighbourKey) int {
	return cmp.Or(cmp.Compare(k.index, o.index), k.ip.Compare(o.ip))
}

type neighbour struct {
	mac   mac
	flags ip_neighbor.IPNeighborFlags
	route bool // there is one to it
}

const (
	staticNeighbour = ip_neighbor.IP_API_NEIGHBOR_FLAG_STATIC
	noFIBEntry      = ip_neighbor.IP_API_NEIGHBOR_FLAG_NO_FIB_ENTRY
)

func (s *ips) addDelNeighbour(c *Call, q *ip_neighbor.IPNeighborAddDel) *ip_neighbor.IPNeighborAddDelReply {
	return &ip_neighbor.IPNeighborAddDelReply{Retval: s.setNeighbour(c, q), StatsIndex: none}
}

func (s *ips) setNeighbour(c *Call, q *ip_neighbor.IPNeighborAddDel) int32 {
	i := s.v.life.interfaces.at(q.Neighbor.SwIfIndex)
	if i == nil {
		return invalidInterface
	}
	if q.IsAdd && i.hw.class.l3 && i.framed() && !s.v.life.interfaces.ethernet && q.Neighbor.Flags&noFIBEntry == 0 {
		if addrOf(q.Neighbor.IPAddress).IsUnspecified() {
			return c.NotImitated("the neighbour 0.0.0.0 or :: of local0, before some interface has a hardware address")
		}
		c.Die("made a neighbour on local0, of whose hardware address there is no place before some interface has one")
		return 0
	}
	key := neighbourKey{i.index, addrOf(q.Neighbor.IPAddress)}
	table := s.side(i.index).tables[family(key.ip.Is6())]
	n := s.neighbours[key]
	flags := q.Neighbor.Flags & (staticNeighbour | noFIBEntry)
	switch {
	case !q.IsAdd && n == nil:
		return noSuchEntry
	case !q.IsAdd:
		s.adjacency(c, key, table, false)
		delete(s.neighbours, key)
	case n == nil && s.full(key.ip.Is6()):
		if s.caches[family(key.ip.Is6())].recycle && s.learnt(key.ip.Is6()) {
			return c.NotImitated("the oldest of what was learnt of neighbours makes way")
		}
		return limitExceeded
	case n == nil:
		s.neighbours[key] = &neighbour{mac: q.Neighbor.MacAddress, flags: flags}
		if flags&noFIBEntry == 0 {
			s.reach(i.index)
			s.adjacency(c, key, table, true)
		}
	case n.flags&staticNeighbour != 0 && flags&staticNeighbour == 0 && n.mac != q.Neighbor.MacAddress:
		return invalidInterface // that is not what is wrong
	default: // its route stays as it is
		n.mac = q.Neighbor.MacAddress
		n.flags |= flags & staticNeighbour
	}
	return 0
}

// adjacency makes or unmakes a neighbour's path of the route to it. When its interface
// moves, it gets one even if it was to have none.
func (s *ips) adjacency(c *Call, key neighbourKey, t *fibTable, on bool) {
	n := s.neighbours[key]
	if !on && !n.route {
		return
	}
	n.route = on
	if key.ip.Is6() && key.ip.IsLinkLocalUnicast() {
		if on {
			s.linkRoute(key.index, key.ip, fib_types.FIB_API_PATH_TYPE_NORMAL)
		} else {
			s.unlinkRoute(key.index, key.ip)
		}
		return
	}
	p := netip.PrefixFrom(key.ip, key.ip.BitLen())
	var paths []fib_types.FibPath
	if e := t.entries[p]; e != nil && e.sources[srcAdjacency] != nil {
		paths = slices.DeleteFunc(slices.Clone(e.sources[srcAdjacency].paths), func(f fib_types.FibPath) bool { return f.SwIfIndex == key.index })
	}
	if on {
		f := fib_types.FibPath{SwIfIndex: key.index, Weight: 1}
		if key.ip.Is6() {
			f.Proto = fib_types.FIB_API_PATH_NH_PROTO_IP6
		}
		f.Nh.Address = wireAddr(key.ip).Un
		paths = append(paths, f)
	}
	if s.overDead(paths[:len(paths)-int(flag(on))]) {
		c.Die("changed the route to a neighbour that is one on an interface that is gone, too")
		return
	}
	s.paths(t, p, srcAdjacency, paths)
}

// forgetNeighbours is what going down does: what was learnt goes.
func (s *ips) forgetNeighbours(index uint32) {
	c := s.v.internal()
	for _, key := range s.neighbourKeys() {
		if n := s.neighbours[key]; key.index == index && n.flags&staticNeighbour == 0 {
			s.adjacency(c, key, s.side(index).tables[family(key.ip.Is6())], false)
			delete(s.neighbours, key)
		}
	}
}

// forgetSubnet is what removing an address does. Of a length that IPv4 has not, VPP's mask
// is none, and covers all; of one that IPv6 has not, it is whatever lies in the memory there.
func (s *ips) forgetSubnet(index uint32, p netip.Prefix) {
	c := s.v.internal()
	for _, key := range s.neighbourKeys() {
		if n := s.neighbours[key]; key.index == index && n.flags&staticNeighbour == 0 && key.ip.Is6() == p.Addr().Is6() && (p.Contains(key.ip) || key.ip.Is4() && !p.IsValid()) {
			s.adjacency(c, key, s.side(index).tables[family(key.ip.Is6())], false)
			delete(s.neighbours, key)
		} else if key.index == index && n.flags&staticNeighbour == 0 && key.ip.Is6() && p.Addr().Is6() && !p.IsValid() {
			c.NotImitated("the end of an address with a length beyond 128, where neighbours are learnt")
			return
		}
	}
}

func (s *ips) neighboursOf(_ *Call, q *ip_neighbor.IPNeighborDump) (out []*ip_neighbor.IPNeighborDetails) {
	for _, key := range s.neighbourKeys() {
		if q.Af > ip_types.ADDRESS_IP6 || key.ip.Is6() != (q.Af == ip_types.ADDRESS_IP6) || q.SwIfIndex != none && uint32(q.SwIfIndex) != key.index {
			continue
		}
		n := s.neighbours[key]
		out = append(out, &ip_neighbor.IPNeighborDetails{Neighbor: ip_neighbor.IPNeighbor{
			SwIfIndex: interface_types.InterfaceIndex(key.index), Flags: n.flags, MacAddress: n.mac, IPAddress: wireAddr(key.ip),
		}})
	}
	return out
}

func (s *ips) neighbourKeys() []neighbourKey {
	return slices.SortedFunc(maps.Keys(s.neighbours), neighbourKey.compare)
}

func (s *ips) dumpNeighbours(d *dump) {
	for _, key := range s.neighbourKeys() {
		n := s.neighbours[key]
		d.line(fmt.Sprintf("neighbour %v of interface %d is %v", key.ip, key.index, n.mac), n.flags.String())
	}
}
