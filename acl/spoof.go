// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/vppnet"
)

// PortSecurity says what may pass the port of a VM: what its security groups
// permit, from and to its own addresses, and what every port needs to get an
// address, find its neighbours and hear of errors. Of what is not IP, only ARP passes.
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
	AnyMAC bool         // whatever MAC it comes from; then MAC is zero
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
// "vpp:pg0", is written as "port:vpp:pg0"), its EtherTypes (which for an interface that is
// not ours [EtherTypeLists] has to claim), and what binds the port's and the groups' sets to
// the interface. The groups' sets themselves come from
// [SecurityGroup.Sets]; until they are there nothing is bound, so a port must not
// come up before its bindings.
//
// It is pure, and the order of Addrs, Pairs and Groups means nothing, nor does what
// is said twice. What cannot be expressed permits nothing: an address, pair or group that
// is wrong, or that is beyond what VPP can hold. The error names each of them, and the
// objects are the rest, so a caller can use both. Only a wrong MAC or Interface leaves no
// objects.
func (p PortSecurity) Objects() ([]desiredstate.Object, error) {
	if p.Off {
		return nil, nil
	}
	fail := func(err error) error { return fmt.Errorf("security of port %s: %w", p.Interface, err) }
	sources, out, err := p.sources()
	if err != nil {
		return nil, fail(err)
	}
	bind := Binding{Interface: p.Interface, Input: []string{SpoofFrom}, Output: []string{SpoofTo}}
	to, from := SpoofSets()
	macip := MACIPBinding{Interface: p.Interface, Set: sources.Name, After: p.After}
	types := EtherTypes{Interface: p.Interface, Input: []uint16{etherTypeARP}, Output: []uint16{etherTypeARP}}
	bind.After = append(slices.Clone(p.After), types.Key()) // VPP goes on looking at what is not IP if the list goes first
	for _, o := range []desiredstate.Object{to, from, sources, types, bind, macip} {
		if err := o.Validate(); err != nil {
			return nil, fail(fmt.Errorf("%s: %w", o.Key(), err))
		}
	}
	groups := slices.Clone(p.Groups)
	slices.Sort(groups)
	groups = slices.Compact(groups)
	bound := 0
	for _, g := range groups {
		in, outs := []string{FromSet(g)}, []string{ToSet(g)}
		if err := (Binding{Interface: p.Interface, Input: in, Output: outs}).Validate(); err != nil {
			out = append(out, fmt.Errorf("group %q: %w", g, err))
		} else if bound++; bound <= maxGroups {
			bind.Input, bind.Output = append(bind.Input, in...), append(bind.Output, outs...)
		}
	}
	if bound > maxGroups {
		out = append(out, fmt.Errorf("%d security groups, want at most %d, so the last %d are left out", bound, maxGroups, bound-maxGroups))
	}
	if len(out) > 0 {
		err = fail(out.join())
	}
	return []desiredstate.Object{to, from, sources, types, bind, macip}, err
}

// sources returns the port's MACIP set, and what is not in it. Besides the addresses that
// it is told, a MAC with a right to one of IPv4 may send from 0.0.0.0 (DHCP, ARP probes),
// and one with a right to one of IPv6 from its link-local address (EUI-64) and from ::
// (duplicate address detection, MLD); the port's own MAC may do both. The link-local
// addresses of all MACs would be too much, so a pair of any MAC has none.
func (p PortSecurity) sources() (MACIPSet, leftOut, error) {
	if p.MAC.IsZero() || p.MAC.IsMulticast() {
		return MACIPSet{}, nil, fmt.Errorf("MAC %s, want that of one machine", p.MAC)
	}
	var out leftOut
	prefixes := map[vppnet.MAC][]netip.Prefix{p.MAC: {unspecified4, unspecified6, linkLocal(p.MAC)}}
	for _, a := range p.Addrs {
		a = a.Unmap()
		if !a.IsValid() || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
			out = append(out, fmt.Errorf("address %q, want that of one machine, without a zone", a))
			continue
		}
		prefixes[p.MAC] = append(prefixes[p.MAC], inet.Host(a))
	}
	for _, pair := range p.Pairs {
		if err := pair.validate(); err != nil {
			out = append(out, err)
			continue
		}
		m := pair.MAC // of a pair of any MAC it is zero, and so is it in the rule
		if m.IsZero() && !pair.AnyMAC {
			m = p.MAC
		}
		more := []netip.Prefix{pair.Prefix.Masked(), unspecified4}
		if pair.Prefix.Addr().Is6() {
			more[1] = unspecified6
			if !pair.AnyMAC {
				more = append(more, linkLocal(m))
			}
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
	slices.SortFunc(set.Rules, compareSources)
	if n := len(set.Rules); n > MaxMACIPRules {
		needed := []netip.Prefix{{}, unspecified4, unspecified6, linkLocal(p.MAC)}
		rank := func(r MACIPRule) int { // what a port cannot do without is not left out
			switch {
			case r.MAC == p.MAC && slices.Contains(needed, r.Src):
				return 0
			case r.MAC == p.MAC && r.Src.IsSingleIP():
				return 1
			}
			return 2
		}
		slices.SortStableFunc(set.Rules, func(a, b MACIPRule) int { return rank(a) - rank(b) })
		set.Rules = slices.Clip(set.Rules[:MaxMACIPRules])
		slices.SortFunc(set.Rules, compareSources)
		out = append(out, fmt.Errorf("addresses and pairs make %d rules, want at most %d, so %d are left out", n, MaxMACIPRules, n-MaxMACIPRules))
	}
	return set, out, nil
}

func (pair AddressPair) validate() error {
	switch {
	case pair.AnyMAC && !pair.MAC.IsZero():
		return fmt.Errorf("allowed pair %s: MAC %s and any MAC, want one of them", pair.Prefix, pair.MAC)
	case pair.MAC.IsMulticast():
		return fmt.Errorf("allowed pair %s: MAC %s is a group's", pair.Prefix, pair.MAC)
	case !pair.Prefix.IsValid():
		return errors.New("allowed pair without a prefix")
	case pair.Prefix.Addr().Is4In6():
		return fmt.Errorf("allowed pair %s: IPv4 in IPv6 is no source, write it as IPv4", pair.Prefix)
	}
	return nil
}

func compareSources(a, b MACIPRule) int {
	return cmp.Or(slices.Compare(a.MAC[:], b.MAC[:]), cmp.Compare(a.Family, b.Family), comparePrefixes(a.Src, b.Src))
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

// etherTypeARP is all that passes a port and is not IP.
const etherTypeARP = 0x0806

// SpoofSets returns the sets that all ports share. They let a VM get its addresses
// by DHCP and DHCPv6, find its neighbours and routers, tell its multicast groups and
// reach the metadata service at 169.254.169.254; hear and tell what became of packets
// (ICMP and ICMPv6: unreachable, too big, time exceeded, parameter problem), without which
// there is no path MTU discovery; and keep it from being a DHCP server or a router for others.
//
// VPP does not look at the packet that an error is about, so errors about what never was
// pass too; it is for who gets them to know.
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
	errors := []Rule{
		{Action: Permit, Family: IPv4, Protocol: ICMP, ICMPTypes: Only(3)},
		{Action: Permit, Family: IPv4, Protocol: ICMP, ICMPTypes: Between(11, 12)},
		icmp(Permit, Between(1, 4)),
	}
	const server4, client4, server6, client6 = 67, 68, 547, 546
	// Types of ICMPv6: 130-132 and 143 multicast listeners, 133 router solicitation,
	// 134 router advertisement, 135 and 136 neighbours.
	to = Set{Name: SpoofTo, Rules: append([]Rule{
		udp(Permit, IPv4, server4, client4),
		udp(Permit, IPv6, server6, client6),
		icmp(Permit, Between(130, 132)),
		icmp(Permit, Between(134, 136)),
		icmp(Permit, Only(143)),
		// A request that a group lets in would start a session, and the answer pass
		// by the rules below.
		udp(Deny, IPv4, client4, server4),
		udp(Deny, IPv6, client6, server6),
	}, errors...)}
	from = Set{Name: SpoofFrom, Rules: append([]Rule{
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
	}, errors...)}
	return to, from
}
