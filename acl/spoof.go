// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// PortSecurity says what may pass the port of a VM: what its security groups
// permit, from and to its own addresses, and what every port needs to get an
// address and find its neighbours.
type PortSecurity struct {
	Interface string

	// Off: no filter at all, whatever the other fields say.
	Off bool

	MAC    vppnet.MAC    // the VM's
	Addrs  []netip.Addr  // its fixed addresses; none is fine
	Pairs  []AddressPair // what else it may send from
	Groups []string      // names of SecurityGroups. None: nothing more passes

	After []desiredstate.Key // of the bindings: see Binding.After
}

// AddressPair is a source that a port may use beside its own.
type AddressPair struct {
	Prefix netip.Prefix // host bits do not matter
	MAC    vppnet.MAC   // zero: the port's
}

// The names of the sets that all ports share, asked before those of the groups.
const (
	SpoofTo   = "spoof.to"
	SpoofFrom = "spoof.from"
)

// maxGroups is how many groups fit what VPP binds: two sets each, and the spoof sets.
const maxGroups = (maxBound - 2) / 2

// Objects returns what makes the port secure: the sets that all ports share, the
// port's own MACIPSet, which bears the interface's name (one that is not ours,
// "vpp:pg0", is written as "port:vpp:pg0"), and what binds these and
// the groups' sets to the interface. The groups' sets themselves come from
// [SecurityGroup.Sets]; until they are there nothing is bound, so a port must not
// come up before its bindings.
//
// It is pure, and the order of Addrs, Pairs and Groups means nothing, nor does what
// is said twice. An error says what about the port is wrong.
func (p PortSecurity) Objects() ([]desiredstate.Object, error) {
	if p.Off {
		return nil, nil
	}
	fail := func(err error) ([]desiredstate.Object, error) {
		return nil, fmt.Errorf("security of port %s: %w", p.Interface, err)
	}
	sources, err := p.sources()
	if err != nil {
		return fail(err)
	}
	groups := slices.Clone(p.Groups)
	slices.Sort(groups)
	groups = slices.Compact(groups)
	if len(groups) > maxGroups {
		return fail(fmt.Errorf("%d security groups, want at most %d", len(groups), maxGroups))
	}
	bind := Binding{Interface: p.Interface, Input: []string{SpoofFrom}, Output: []string{SpoofTo}, After: p.After}
	for _, g := range groups {
		bind.Input = append(bind.Input, FromSet(g))
		bind.Output = append(bind.Output, ToSet(g))
	}
	to, from := SpoofSets()
	objects := []desiredstate.Object{
		to, from, sources, bind, MACIPBinding{Interface: p.Interface, Set: sources.Name, After: p.After},
	}
	for _, o := range objects {
		if err := o.Validate(); err != nil {
			return fail(fmt.Errorf("%s: %w", o.Key(), err))
		}
	}
	return objects, nil
}

// sources returns the port's MACIP set. Besides the addresses that it is told, a
// MAC with a right to one of IPv4 may send from 0.0.0.0 (DHCP, ARP probes), and one
// with a right to one of IPv6 from its link-local address (EUI-64) and from ::
// (duplicate address detection, MLD); the port's own MAC may do both.
func (p PortSecurity) sources() (MACIPSet, error) {
	if p.MAC.IsZero() || p.MAC.IsMulticast() {
		return MACIPSet{}, fmt.Errorf("MAC %s, want that of one machine", p.MAC)
	}
	prefixes := map[vppnet.MAC][]netip.Prefix{p.MAC: {unspecified4, unspecified6, linkLocal(p.MAC)}}
	for _, a := range p.Addrs {
		a = a.Unmap()
		if !a.IsValid() || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
			return MACIPSet{}, fmt.Errorf("address %q, want that of one machine, without a zone", a)
		}
		prefixes[p.MAC] = append(prefixes[p.MAC], netip.PrefixFrom(a, a.BitLen()))
	}
	for _, pair := range p.Pairs {
		m := pair.MAC
		if m.IsZero() {
			m = p.MAC
		}
		switch {
		case m.IsMulticast():
			return MACIPSet{}, fmt.Errorf("allowed pair %s: MAC %s is a group's", pair.Prefix, m)
		case !pair.Prefix.IsValid():
			return MACIPSet{}, errors.New("allowed pair without a prefix")
		case pair.Prefix.Addr().Is4In6():
			return MACIPSet{}, fmt.Errorf("allowed pair %s: IPv4 in IPv6 is no source, write it as IPv4", pair.Prefix)
		}
		more := []netip.Prefix{pair.Prefix.Masked(), unspecified6, linkLocal(m)}
		if pair.Prefix.Addr().Is4() {
			more = []netip.Prefix{pair.Prefix.Masked(), unspecified4}
		}
		prefixes[m] = append(prefixes[m], more...)
	}
	set := MACIPSet{Name: sourcesOf(p.Interface)}
	for m, list := range prefixes {
		slices.SortFunc(list, comparePrefixes)
		// Neighbours are not merged, unlike those of a group: each length of prefix
		// takes nine tables of the classifier, a rule in one of them nothing.
		var last netip.Prefix
		for _, prefix := range list {
			if !last.IsValid() || !contains(last, prefix) {
				last = prefix
				set.Rules = append(set.Rules, MACIPRule{Action: Permit, MAC: m, Family: familyOf(0, prefix), Src: prefix}.normal())
			}
		}
	}
	slices.SortFunc(set.Rules, func(a, b MACIPRule) int {
		if c := slices.Compare(a.MAC[:], b.MAC[:]); c != 0 {
			return c
		}
		if a.Family != b.Family {
			return int(a.Family) - int(b.Family)
		}
		return comparePrefixes(a.Src, b.Src)
	})
	return set, nil
}

var (
	unspecified4 = netip.PrefixFrom(netip.IPv4Unspecified(), 32)
	unspecified6 = netip.PrefixFrom(netip.IPv6Unspecified(), 128)
)

// linkLocal is the address that a machine makes of its MAC (RFC 4291, EUI-64).
func linkLocal(m vppnet.MAC) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{
		0: 0xfe, 1: 0x80,
		8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5],
	}), 128)
}

// sourcesOf names the MACIP set of an interface. What is not ours has a name that no set
// of ours can have: it is put behind "port:", with "#2f" for a slash and the like.
func sourcesOf(iface string) string {
	const foreign = "port:"
	if vppnet.CheckName(iface) == nil && !strings.HasPrefix(iface, foreign) {
		return iface
	}
	var b strings.Builder
	b.WriteString(foreign)
	for _, c := range []byte(iface) {
		if c == '#' || vppnet.CheckName("x"+string(rune(c))) != nil {
			fmt.Fprintf(&b, "#%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// contains says whether all addresses of q are in p.
func contains(p, q netip.Prefix) bool { return p.Bits() <= q.Bits() && p.Contains(q.Addr()) }

// SpoofSets returns the sets that all ports share. They let a VM get its addresses
// by DHCP and DHCPv6, find its neighbours and routers, tell its multicast groups and
// reach the metadata service at 169.254.169.254; and keep it from being a DHCP
// server or a router for others.
//
// The order matters. VPP looks at no port of a fragment that is not the first, so
// such a one fits the first rule about its protocol: that must be one that permits,
// lest fragments be lost that the groups allow. Without the first fragment it is of
// no use.
func SpoofSets() (to, from Set) {
	udp := func(action Action, f Family, src, dst uint16) Rule {
		return Rule{Action: action, Family: f, Protocol: UDP, SrcPorts: Only(src), DstPorts: Only(dst)}
	}
	icmp := func(action Action, types Range) Rule {
		return Rule{Action: action, Family: IPv6, Protocol: ICMPv6, ICMPTypes: types}
	}
	const server4, client4, server6, client6 = 67, 68, 547, 546
	// Types of ICMPv6: 130-132 and 143 multicast listeners, 133 router solicitation,
	// 134 router advertisement, 135 and 136 neighbours.
	to = Set{Name: SpoofTo, Rules: []Rule{
		udp(Permit, IPv4, server4, client4),
		udp(Permit, IPv6, server6, client6),
		icmp(Permit, Between(130, 132)),
		icmp(Permit, Between(134, 136)),
		icmp(Permit, Only(143)),
		// A request that a group lets in would start a session, and the answer pass
		// by the rules below.
		udp(Deny, IPv4, client4, server4),
		udp(Deny, IPv6, client6, server6),
	}}
	from = Set{Name: SpoofFrom, Rules: []Rule{
		udp(Permit, IPv4, client4, server4),
		udp(Permit, IPv6, client6, server6),
		udp(Deny, IPv4, server4, client4),
		udp(Deny, IPv6, server6, client6),
		icmp(Permit, Between(130, 133)),
		icmp(Permit, Between(135, 136)),
		icmp(Permit, Only(143)),
		icmp(Deny, Only(134)),
		{
			Action: PermitReflect, Family: IPv4, Protocol: TCP,
			Dst: netip.MustParsePrefix("169.254.169.254/32"), DstPorts: Only(80),
		},
	}}
	return to, from
}
