// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/ip_types"
)

// pathType is what VPP makes of a path, in its order.
type pathType int

const (
	viaNeighbour pathType = iota // a next hop on an interface
	viaLink                      // an interface
	viaRoute                     // a next hop, looked up
	viaNothing                   // drops, or says that it is unreachable or prohibited
	viaTable     pathType = 5    // looked up in another table
	viaSelf      pathType = 8
)

func typeOf(p fib_types.FibPath) pathType {
	hop := p.Nh.Address.XXX_UnionData != [16]byte{}
	switch {
	case p.Type == fib_types.FIB_API_PATH_TYPE_LOCAL:
		return viaSelf
	case p.Type != fib_types.FIB_API_PATH_TYPE_NORMAL:
		return viaNothing
	case p.SwIfIndex != none && hop:
		return viaNeighbour
	case p.SwIfIndex != none:
		return viaLink
	case hop:
		return viaRoute
	}
	return viaTable
}

func comparePaths(a, b fib_types.FibPath) int {
	return cmp.Or(cmp.Compare(a.Preference, b.Preference), samePath(a, b))
}

// samePath is 0 for two paths that VPP takes for one. All that lead to nothing are.
func samePath(a, b fib_types.FibPath) int {
	if order := cmp.Or(cmp.Compare(typeOf(a), typeOf(b)), cmp.Compare(a.Proto, b.Proto)); order != 0 {
		return order
	}
	if t := typeOf(a); t == viaNothing || t == viaSelf {
		return 0
	}
	return cmp.Or(
		slices.Compare(hopKept(a), hopKept(b)),
		cmp.Compare(a.SwIfIndex, b.SwIfIndex), cmp.Compare(a.TableID, b.TableID),
	)
}

// hopKept are all bytes of a next hop that VPP keeps, and goes by. Of a host on a link in an
// IPv6 route an IPv4 path shows the last four, which are the first here.
func hopKept(p fib_types.FibPath) []byte {
	b := p.Nh.Address.XXX_UnionData
	if p.Proto == fib_types.FIB_API_PATH_NH_PROTO_IP6 {
		return b[:]
	}
	return append(b[4:16:16], b[:4]...)
}

// seen is a path as VPP shows it.
func seen(p fib_types.FibPath) fib_types.FibPath {
	if p.Proto != fib_types.FIB_API_PATH_NH_PROTO_IP6 {
		clear(p.Nh.Address.XXX_UnionData[4:])
	}
	return p
}

// path is what VPP makes of one, before it knows what leads there.
func (s *ips) path(c *Call, p fib_types.FibPath) (fib_types.FibPath, int32) {
	out := fib_types.FibPath{SwIfIndex: none, Weight: max(p.Weight, 1), Preference: p.Preference, Type: p.Type, Proto: p.Proto}
	is6 := p.Proto == fib_types.FIB_API_PATH_NH_PROTO_IP6
	switch {
	case p.Proto > fib_types.FIB_API_PATH_NH_PROTO_BIER:
		return out, unspecified
	case !is6 && p.Proto != fib_types.FIB_API_PATH_NH_PROTO_IP4:
		return out, c.NotImitated(fmt.Sprint("a path of protocol ", p.Proto))
	case p.NLabels > 0:
		return out, c.NotImitated("a path with labels")
	case p.RpfID != 0 && p.RpfID != none:
		return out, c.NotImitated("a path with an RPF id")
	}
	switch p.Type {
	case fib_types.FIB_API_PATH_TYPE_LOCAL:
		out.SwIfIndex = p.SwIfIndex
		return out, 0
	case fib_types.FIB_API_PATH_TYPE_DROP, fib_types.FIB_API_PATH_TYPE_ICMP_UNREACH, fib_types.FIB_API_PATH_TYPE_ICMP_PROHIBIT:
		return out, 0
	case fib_types.FIB_API_PATH_TYPE_CLASSIFY:
		if s.classified || s.v.life.classes.ever {
			return out, c.NotImitated("a path by a table of the classifier, of which the ACL plugin has some")
		}
		return out, noSuchTable // there are none
	case fib_types.FIB_API_PATH_TYPE_NORMAL:
	case fib_types.FIB_API_PATH_TYPE_UDP_ENCAP, fib_types.FIB_API_PATH_TYPE_BIER_IMP, fib_types.FIB_API_PATH_TYPE_SOURCE_LOOKUP,
		fib_types.FIB_API_PATH_TYPE_DVR, fib_types.FIB_API_PATH_TYPE_INTERFACE_RX:
		return out, c.NotImitated(fmt.Sprint("a path of type ", p.Type))
	default: // VPP looks at nothing more, and takes what it did not set for local0
		out.Type, out.SwIfIndex = fib_types.FIB_API_PATH_TYPE_NORMAL, 0
		return out, 0
	}
	out.SwIfIndex = p.SwIfIndex
	copy(out.Nh.Address.XXX_UnionData[:], hopBytes(p))
	if p.SwIfIndex == none {
		t := s.pool[family(is6)].find(p.TableID)
		if t == nil {
			return out, noSuchFIB
		}
		out.TableID = t.id // which is not what was asked for, if another is where the last one of all ones was
		if hop := hopOf(out); hop.IsValid() && s.hopTable(out) == nil {
			return out, c.NotImitated("an IPv6 next hop that VPP takes for an IPv4 one, in a table that is not there")
		}
	} else if int64(p.SwIfIndex) >= int64(len(s.v.life.interfaces.all)) || s.v.life.interfaces.all[p.SwIfIndex] == nil {
		return out, noMatch
	}
	return out, 0
}

// hopBytes are the bytes of a path's next hop that VPP looks at.
func hopBytes(p fib_types.FibPath) []byte {
	if p.Proto == fib_types.FIB_API_PATH_NH_PROTO_IP6 {
		return p.Nh.Address.XXX_UnionData[:]
	}
	return p.Nh.Address.XXX_UnionData[:4]
}

// hopOf is the address that a next hop is for VPP, which tells the families apart by the
// zeros before. The zero value is none.
func hopOf(p fib_types.FibPath) netip.Addr {
	bytes := hopBytes(p)
	if len(bytes) == 16 {
		if [12]byte(bytes[:12]) != [12]byte{} {
			return netip.AddrFrom16([16]byte(bytes))
		}
		bytes = bytes[12:]
	}
	if [4]byte(bytes) == [4]byte{} {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(bytes))
}

// fixPath is what VPP makes of a path for the sake of the prefix: a way to itself drops,
// a host on an interface's link is its own next hop.
func fixPath(p netip.Prefix, f fib_types.FibPath) fib_types.FibPath {
	switch t := typeOf(f); {
	case t == viaRoute && as6(hopOf(f)) == as6(p.Addr()):
		f.Type, f.TableID, f.Nh.Address = fib_types.FIB_API_PATH_TYPE_DROP, 0, ip_types.AddressUnion{}
	case t == viaLink && p.IsSingleIP():
		own := as6(p.Addr()).As16()
		if f.Proto == fib_types.FIB_API_PATH_NH_PROTO_IP6 {
			f.Nh.Address.SetIP6(own)
		} else {
			f.Nh.Address.SetIP4([4]byte(own[12:]))
			copy(f.Nh.Address.XXX_UnionData[4:], own[:12])
		}
	}
	return f
}

// fixPaths does so with all, and orders them as VPP does: by what was said of each, whatever became
// of it. What leads to VPP itself has all that is added after it lead there, drop or not, and to no
// table; so has one for which no interface was said those before it. own says that it is so from the start.
func fixPaths(p netip.Prefix, said, paths []fib_types.FibPath, adds, own bool) (out []fib_types.FibPath) {
	for _, f := range paths {
		own = own || adds && f.Type == fib_types.FIB_API_PATH_TYPE_LOCAL && f.SwIfIndex == none
	}
	type ordered struct{ path, by fib_types.FibPath }
	all := make([]ordered, len(paths))
	for n, f := range paths {
		fixed := fixPath(p, f)
		by := fixed
		switch {
		case said[n].Type == fib_types.FIB_API_PATH_TYPE_DROP || unreachable(said[n]): // on a link, to VPP
			by.Type, by.SwIfIndex = fib_types.FIB_API_PATH_TYPE_NORMAL, interfaceSaid(said[n])
			by = fixPath(p, by)
		case fixed.Type != f.Type:
			by = f
		}
		if (own || toSelf(fixed)) && !unreachable(said[n]) {
			fixed, own = by, own || adds
			fixed.Type, fixed.TableID = fib_types.FIB_API_PATH_TYPE_LOCAL, 0
		}
		all[n] = ordered{fixed, by}
	}
	slices.SortStableFunc(all, func(a, b ordered) int { return compareSaid(a.by, b.by) })
	for _, o := range all {
		out = append(out, o.path)
	}
	return out
}

func dropped(is6 bool) []fib_types.FibPath {
	p := fib_types.FibPath{SwIfIndex: none, Weight: 1, Type: fib_types.FIB_API_PATH_TYPE_DROP}
	if is6 {
		p.Proto = fib_types.FIB_API_PATH_NH_PROTO_IP6
	}
	return []fib_types.FibPath{p}
}

func allSeen(paths []fib_types.FibPath) (out []fib_types.FibPath) {
	for _, p := range paths {
		out = append(out, seen(p))
	}
	return out
}
