// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/lisp_types"
	"go.fd.io/govpp/binapi/one"
)

type lispAddress = netip.Addr

// An eidKey is who is somewhere: a MAC or a prefix of a VNI.
type eidKey struct {
	vni  uint32
	kind lisp_types.EidType
	said [18]byte // as on the wire, without what does not count
}

func (k eidKey) eid() lisp_types.Eid {
	return lisp_types.Eid{Type: k.kind, Address: lisp_types.EidAddressUnion{XXX_UnionData: k.said}}
}

// An eidMapping is an EID, and where it is.
type eidMapping struct {
	eidKey
	local   bool
	set     uint32
	action  uint8
	towards []uint32 // of a local one: remote ones that were made adjacent to it
}

// A forwarding is an adjacency. Of each remote EID there is one at most.
type forwarding struct{ local, remote eidKey }

// lispKey takes an EID as VPP does. False: it knows no such kind.
func lispKey(vni uint32, e lisp_types.Eid) (eidKey, bool) {
	k := eidKey{vni: vni, kind: e.Type}
	switch e.Type {
	case lisp_types.EID_TYPE_API_MAC:
		copy(k.said[:6], e.Address.XXX_UnionData[:6])
	case lisp_types.EID_TYPE_API_PREFIX:
		p := e.Address.GetPrefix()
		if int(p.Len) > addrOf(p.Address).BitLen() {
			return k, false
		}
		masked := netip.PrefixFrom(addrOf(p.Address), int(p.Len)).Masked()
		u := lisp_types.EidAddressUnionPrefix(ip_types.Prefix{Address: wireAddr(masked.Addr()), Len: p.Len})
		k.said = u.XXX_UnionData
	default:
		return k, false
	}
	return k, true
}

func (s *lisps) find(k eidKey) (uint32, *eidMapping) {
	at, ok := s.places[k]
	if !ok {
		return 0, nil
	}
	return at, s.mappings.at(at)
}

func (s *lisps) keep(m eidMapping) {
	at, _ := s.mappings.put(none, m)
	if s.places[m.eidKey] = at; m.local {
		s.locals[at] = s.mappings.at(at)
	}
}

func (s *lisps) lose(at uint32) {
	delete(s.places, s.mappings.at(at).eidKey)
	delete(s.locals, at)
	s.mappings.delete(at)
}

// mapped tells whether the VNI has what such EIDs are in.
func (s *lisps) mapped(k eidKey) bool {
	_, ok := s.maps[flag(k.kind == lisp_types.EID_TYPE_API_MAC)][k.vni]
	return ok
}

const notAnEID = "an EID of NSH, or a prefix longer than its address"

func (s *lisps) local(c *Call, q *one.OneAddDelLocalEid) *one.OneAddDelLocalEidReply {
	r := new(one.OneAddDelLocalEidReply)
	k, ok := lispKey(q.Vni, q.Eid)
	if !ok {
		r.Retval = c.NotImitated(notAnEID)
		return r
	}
	set, x := s.set(cut(q.LocatorSetName, 63))
	at, m := s.find(k)
	switch {
	case x == nil:
		r.Retval = invalidValue
	case !s.on:
		r.Retval = lispDisabled
	case !s.mapped(k):
		r.Retval = invalidValue
	case q.Key.ID != 0:
		r.Retval = c.NotImitated("a key, which is for map servers")
	case q.IsAdd && m != nil:
		r.Retval = valueExists
	case q.IsAdd:
		s.keep(eidMapping{eidKey: k, local: true, set: set})
		s.reach = max(s.reach, set+1)
		x.users++
	case m == nil:
		r.Retval = invalidValue
	case m.set != set || !m.local:
		c.Die("took an EID out of a locator set that it is not in, and went on behind the end of the list")
	default:
		for _, to := range m.towards {
			s.part(to)
		}
		s.lose(at)
		x.users--
	}
	return r
}

func (s *lisps) remote(c *Call, q *one.OneAddDelRemoteMapping) *one.OneAddDelRemoteMappingReply {
	r := new(one.OneAddDelRemoteMappingReply)
	k, ok := lispKey(q.Vni, q.Deid)
	if !ok || q.IsSrcDst || q.DelAll {
		r.Retval = c.NotImitated(notAnEID + ", EIDs of two ends, or the end of all")
		return r
	}
	at, m := s.find(k)
	var locators []lispLocator
	again := false
	for _, l := range q.Rlocs {
		a := addrOf(l.IPAddress)
		if q.IsAdd && s.on && s.isLocal(a) {
			r.Retval = rlocIsLocal
			return r
		}
		again = again || slices.ContainsFunc(locators, func(l lispLocator) bool { return l.address == a })
		if !again { // one that is there already ends the list, without a word
			locators = append(locators, lispLocator{address: a, priority: l.Priority, weight: l.Weight})
		}
	}
	switch {
	case !s.on:
		r.Retval = lispDisabled
	case q.IsAdd && m != nil && m.local:
		c.Die("gave the locators of another end to a locator set of this one, with all EIDs that are in it")
	case q.IsAdd && m != nil:
		m.action = q.Action
		s.sets.at(m.set).locators = locators
	case q.IsAdd:
		set, _ := s.sets.put(none, locatorSet{locators: locators})
		s.keep(eidMapping{eidKey: k, set: set, action: q.Action})
		s.reach = max(s.reach, set+1)
	case m == nil:
		r.Retval = unspecified
	case m.local:
		r.Retval = c.NotImitated("a local EID taken away as if it were a remote one")
	default: // the locator set stays
		s.part(at)
		for _, l := range s.locals {
			if n := slices.Index(l.towards, at); n >= 0 {
				l.towards = slices.Delete(l.towards, n, n+1)
			}
		}
		s.lose(at)
	}
	return r
}

const rlocIsLocal = -110

// isLocal tells whether an address is one of this VPP's, in the default table.
func (s *lisps) isLocal(a netip.Addr) bool {
	ips := s.v.life.ips
	for _, i := range s.v.life.interfaces.all {
		if i == nil || ips.side(i.index).tables[family(a.Is6())].id != 0 {
			continue
		}
		if slices.ContainsFunc(ips.used(i.index, a.Is6()), func(p netip.Prefix) bool { return p.Addr() == a }) {
			return true
		}
	}
	return false
}

// eids asks for one, or for those of a sort. A set without locators has no index.
func (s *lisps) eids(c *Call, q *lisp.LispEidTableDump) (out []*lisp.LispEidTableDetails) {
	k, _ := lispKey(q.Vni, q.Eid)
	s.mappings.each(none, func(_ uint32, m *eidMapping) {
		if q.EidSet != 0 && m.eidKey != k || q.EidSet == 0 && (q.Filter == 1 && !m.local || q.Filter == 2 && m.local || q.Filter > 2) {
			return
		}
		d := &lisp.LispEidTableDetails{LocatorSetIndex: m.set, Action: m.action, IsLocal: m.local, Vni: m.vni, Seid: m.eid()}
		if !m.local {
			d.TTL = none
		}
		d.Key.Key = make([]byte, 64)
		if len(s.sets.at(m.set).locators) == 0 {
			d.LocatorSetIndex = none
		}
		out = append(out, d)
	})
	return out
}

func (s *lisps) adjacent(c *Call, q *one.OneAddDelAdjacency) *one.OneAddDelAdjacencyReply {
	r := new(one.OneAddDelAdjacencyReply)
	remote, ok := lispKey(q.Vni, q.Reid)
	local, fine := lispKey(q.Vni, q.Leid)
	if !ok || !fine {
		r.Retval = c.NotImitated(notAnEID)
		return r
	}
	to, there := s.find(remote)
	_, from := s.find(local)
	switch {
	case !s.on:
		r.Retval = lispDisabled
	case there == nil, q.IsAdd != 0 && from == nil:
		r.Retval = unspecified
	case q.IsAdd == 0:
		s.part(to)
	case there.local || !from.local:
		r.Retval = c.NotImitated("an adjacency of EIDs that are both here, or both elsewhere")
	case !s.mapped(remote):
	case s.reaches(from.set, there.set):
		r.Retval = c.NotImitated("a way from one end to the other, of which VPP makes an interface for the VNI and one below that")
	default:
		s.part(to)
		s.forward.put(none, forwarding{local, remote})
		from.towards = append(from.towards, to)
	}
	return r
}

// reaches tells whether a locator of this end is on one link with one of the other.
func (s *lisps) reaches(from, to uint32) bool {
	ips := s.v.life.ips
	for _, l := range s.sets.at(from).locators {
		for _, r := range s.sets.at(to).locators {
			if slices.ContainsFunc(ips.used(l.index, r.address.Is6()), func(p netip.Prefix) bool { return p.Contains(r.address) }) {
				return true
			}
		}
	}
	return false
}

// part ends the adjacency of the remote EID at a place.
func (s *lisps) part(at uint32) {
	m := s.mappings.at(at)
	if m == nil {
		return
	}
	s.forward.each(none, func(i uint32, f *forwarding) {
		if f.remote == m.eidKey {
			s.forward.delete(i)
		}
	})
}

func (s *lisps) adjacencies(_ *Call, q *lisp.LispAdjacenciesGet) *lisp.LispAdjacenciesGetReply {
	r := new(lisp.LispAdjacenciesGetReply)
	s.forward.each(none, func(_ uint32, f *forwarding) {
		if f.remote.vni != q.Vni {
			return
		}
		r.Adjacencies = append(r.Adjacencies, lisp.LispAdjacency{Reid: f.remote.eid(), Leid: f.local.eid()})
	})
	return r
}

// An arpKey is an address that a bridge domain answers for.
type arpKey struct {
	domain uint32
	addr   netip.Addr
}

func (s *lisps) addDelARP(c *Call, q *one.OneAddDelL2ArpEntry) *one.OneAddDelL2ArpEntryReply {
	if a := netip.AddrFrom4(q.Entry.IP4); q.IsAdd && (a.IsUnspecified() || a.IsMulticast()) {
		return &one.OneAddDelL2ArpEntryReply{Retval: c.NotImitated("an ARP entry of no host's address")}
	}
	return &one.OneAddDelL2ArpEntryReply{Retval: s.answer(q.IsAdd, arpKey{q.Bd, netip.AddrFrom4(q.Entry.IP4)}, q.Entry.Mac)}
}

func (s *lisps) addDelND(_ *Call, q *one.OneAddDelNdpEntry) *one.OneAddDelNdpEntryReply {
	return &one.OneAddDelNdpEntryReply{Retval: s.answer(q.IsAdd, arpKey{q.Bd, netip.AddrFrom16(q.Entry.IP6)}, q.Entry.Mac)}
}

// answer does not look at the MAC when an entry goes.
func (s *lisps) answer(add bool, k arpKey, m mac) int32 {
	_, there := s.arps[k]
	switch {
	case !s.on:
		return lispDisabled
	case add && there:
		return entryExists
	case add:
		s.arps[k] = m
	case !there:
		return unspecified
	default:
		delete(s.arps, k)
	}
	return 0
}

// arpKeys are those of a family, in order.
func (s *lisps) arpKeys(is6 bool) (out []arpKey) {
	for k := range s.arps {
		if k.addr.Is6() == is6 {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b arpKey) int { return a.addr.Compare(b.addr) })
	return out
}

func (s *lisps) arpsOf(_ *Call, q *one.OneL2ArpEntriesGet) *one.OneL2ArpEntriesGetReply {
	r := new(one.OneL2ArpEntriesGetReply)
	for _, k := range s.arpKeys(false) {
		if k.domain == q.Bd {
			r.Entries = append(r.Entries, one.OneL2ArpEntry{Mac: s.arps[k], IP4: k.addr.As4()})
		}
	}
	return r
}

func (s *lisps) ndsOf(_ *Call, q *one.OneNdpEntriesGet) *one.OneNdpEntriesGetReply {
	r := new(one.OneNdpEntriesGetReply)
	for _, k := range s.arpKeys(true) {
		if k.domain == q.Bd {
			r.Entries = append(r.Entries, one.OneNdpEntry{Mac: s.arps[k], IP6: k.addr.As16()})
		}
	}
	return r
}

func (s *lisps) domains(is6 bool) []uint32 {
	all := map[uint32]bool{}
	for _, k := range s.arpKeys(is6) {
		all[k.domain] = true
	}
	return hashOrder(all, nil)
}

func (s *lisps) arpDomains(*Call, *one.OneL2ArpBdGet) *one.OneL2ArpBdGetReply {
	return &one.OneL2ArpBdGetReply{BridgeDomains: s.domains(false)}
}

func (s *lisps) ndDomains(*Call, *one.OneNdpBdGet) *one.OneNdpBdGetReply {
	return &one.OneNdpBdGetReply{BridgeDomains: s.domains(true)}
}

func (s *lisps) dump(d *dump) {
	if s.on || s.vxlan || s.petr {
		d.line(fmt.Sprintf("lisp on %t", s.on), when(s.vxlan, "vxlan"), when(s.petr, "PETR"))
	}
	for is2, all := range s.maps {
		for _, vni := range hashOrder(all, nil) {
			if vni != 0 || is2 == 1 {
				d.line(fmt.Sprintf("lisp VNI %d of %s %d", vni, []string{"table", "bridge domain"}[is2], all[vni]))
			}
		}
	}
	s.sets.each(none, func(i uint32, x *locatorSet) {
		if x.local {
			d.line(fmt.Sprintf("lisp set %q %+v", x.name, x.locators))
		}
	})
	s.mappings.each(none, func(_ uint32, m *eidMapping) {
		d.line(fmt.Sprintf("lisp EID %d %x local %t at %+v", m.vni, bytes.TrimRight(m.said[:], "\x00"), m.local, s.sets.at(m.set).locators), when(m.action != 0, "action %d", m.action))
	})
	s.forward.each(none, func(_ uint32, f *forwarding) {
		d.line(fmt.Sprintf("lisp adjacency %d %x from %x", f.remote.vni, f.remote.said, f.local.said))
	})
	for _, is6 := range []bool{false, true} {
		for _, k := range s.arpKeys(is6) {
			d.line(fmt.Sprintf("lisp ARP %d %s is %s", k.domain, k.addr, s.arps[k]))
		}
	}
}
