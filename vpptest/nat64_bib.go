// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"encoding/binary"
	"slices"

	"go.fd.io/govpp/binapi/nat64"
	"go.fd.io/govpp/binapi/nat_types"
)

// addDelRange goes as far as it can.
func (n *nat64s) addDelRange(c *Call, q *nat64.Nat64AddDelPoolAddrRange) *nat64.Nat64AddDelPoolAddrRangeReply {
	r := new(nat64.Nat64AddDelPoolAddrRangeReply)
	first := binary.BigEndian.Uint32(q.StartAddr[:])
	count := int32(binary.BigEndian.Uint32(q.EndAddr[:]) - first + 1)
	for k := range max(count, 0) {
		one := *q
		binary.BigEndian.PutUint32(one.StartAddr[:], first+uint32(k))
		if r.Retval = n.addDelAddress(c, &one); r.Retval != 0 || n.v.died != "" {
			break
		}
	}
	return r
}

// addDelAddress changes the first of a range, and the route to it of the first interface that is not inside.
func (n *nat64s) addDelAddress(c *Call, q *nat64.Nat64AddDelPoolAddrRange) int32 {
	at := slices.IndexFunc(n.addresses, func(a *nat64Address) bool { return a.addr == q.StartAddr })
	ips := n.v.life.ips
	switch {
	case q.IsAdd && at >= 0:
		return valueExists
	case q.IsAdd && len(n.addresses) >= nat64Pool:
		c.Die("has a main heap too small for the ports of so many addresses")
		return 0
	case q.IsAdd:
		a := &nat64Address{addr: q.StartAddr, ports: map[nat64Port]int{}}
		if q.VrfID != none {
			a.table = ips.table(true, q.VrfID)
			ips.lock(a.table)
		}
		n.addresses = append(n.addresses, a)
	case at < 0:
		return noSuchEntry
	default:
		if t := n.addresses[at].table; t != nil {
			ips.unlock(t)
		}
		last := len(n.addresses) - 1 // it takes the place
		n.addresses[at] = n.addresses[last]
		n.addresses = n.addresses[:last]
	}
	for _, i := range n.interfaces.all {
		if i == nil || i.inside {
			continue
		}
		if n.v.life.interfaces.at(i.index) == nil {
			c.Die("looked for the table of an interface outside NAT64 that has gone")
			return 0
		}
		ips.local(i.index, q.StartAddr, srcNAT64, q.IsAdd)
		break
	}
	return 0
}

func (n *nat64s) addressDetails(*Call, *nat64.Nat64PoolAddrDump) (out []*nat64.Nat64PoolAddrDetails) {
	for _, a := range n.addresses {
		d := &nat64.Nat64PoolAddrDetails{Address: a.addr, VrfID: none}
		if a.table != nil {
			d.VrfID = a.table.id
		}
		out = append(out, d)
	}
	return out
}

func (n *nat64s) addDelPrefix(_ *Call, q *nat64.Nat64AddDelPrefix) *nat64.Nat64AddDelPrefixReply {
	r := new(nat64.Nat64AddDelPrefixReply)
	at := slices.IndexFunc(n.prefixes, func(p nat64Prefix) bool { return p.table == q.VrfID })
	ips := n.v.life.ips
	switch {
	case !slices.Contains([]uint8{32, 40, 48, 56, 64, 96}, q.Prefix.Len):
		r.Retval = invalidValue
	case q.IsAdd && at >= 0:
		n.prefixes[at].prefix = q.Prefix
	case q.IsAdd:
		ips.lock(ips.table(true, q.VrfID)) // for good
		n.prefixes = append(n.prefixes, nat64Prefix{q.Prefix, q.VrfID})
	case at < 0:
		r.Retval = noSuchEntry
	default:
		last := len(n.prefixes) - 1
		n.prefixes[at] = n.prefixes[last]
		n.prefixes = n.prefixes[:last]
	}
	return r
}

// addDelMapping keeps the table for good, whatever becomes of the request.
func (n *nat64s) addDelMapping(c *Call, q *nat64.Nat64AddDelStaticBib) *nat64.Nat64AddDelStaticBibReply {
	r := new(nat64.Nat64AddDelStaticBibReply)
	ips := n.v.life.ips
	t := ips.table(true, q.VrfID)
	ips.lock(t)
	if !n.enabled {
		c.Die("looked for a mapping while NAT64 is off")
		return r
	}
	sort := nat64Sort(q.Proto)
	at, there, entries := uint32(0), false, uint32(0)
	for s := range n.bib {
		n.bib[s].each(none, func(place uint32, m *nat64Mapping) {
			entries++
			if s == sort && m.in == q.IAddr && m.ports[0] == q.IPort && m.proto == q.Proto && m.table == t {
				at, there = place, true
			}
		})
	}
	switch {
	case q.IsAdd && there:
		r.Retval = valueExists
	case !q.IsAdd && !there:
		r.Retval = noSuchEntry
	case !q.IsAdd:
		m := *n.bib[sort].at(at)
		n.bib[sort].delete(at)
		n.count(m, -1)
	default:
		m := nat64Mapping{q.IAddr, q.OAddr, [2]uint16{q.IPort, q.OPort}, q.Proto, t}
		switch {
		case q.OPort == 65535 && n.address(m) != nil:
			c.NotImitated("port 65535 of an address of the pool, which VPP counts elsewhere")
		case !n.count(m, 1):
			r.Retval = invalidValue
		case entries >= nat64PerBucket*n.buckets:
			n.count(m, -1)
			r.Retval = unspecified
		case n.buckets > nat64Buckets && n.buckets <= 1<<31: // what is more VPP makes one
			c.Die("has a main heap too small for so many buckets, which it takes with the first mapping")
		default:
			n.bib[sort].put(none, m)
		}
	}
	return r
}

// address is the one of the pool that a mapping has.
func (n *nat64s) address(m nat64Mapping) *nat64Address {
	at := slices.IndexFunc(n.addresses, func(a *nat64Address) bool { return a.addr == m.out })
	if at < 0 {
		return nil
	}
	return n.addresses[at]
}

// count notes who has a port of the pool. VPP takes back what it never noted, too.
func (n *nat64s) count(m nat64Mapping, by int) bool {
	a := n.address(m)
	if a == nil {
		return true
	}
	p := nat64Port{nat64Sort(m.proto), m.ports[1]}
	if by > 0 && a.ports[p] != 0 {
		return false
	}
	a.ports[p] += by
	return true
}

func (n *nat64s) mappingDetails(_ *Call, q *nat64.Nat64BibDump) (out []*nat64.Nat64BibDetails) {
	for sort := range n.bib {
		if q.Proto != 255 && sort != nat64Sort(q.Proto) {
			continue
		}
		n.bib[sort].each(none, func(_ uint32, m *nat64Mapping) {
			out = append(out, &nat64.Nat64BibDetails{
				IAddr: m.in, OAddr: m.out, IPort: m.ports[0], OPort: m.ports[1], VrfID: m.table.id, Proto: m.proto, Flags: nat_types.NAT_IS_STATIC,
			})
		})
	}
	return out
}
