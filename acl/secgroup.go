// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/vppnet"
)

// SecurityGroup lists what may go to and from the ports in it, as clouds have it:
// rules only permit, their order means nothing, and what is answered may be
// answered, whatever the rules of the other direction say.
//
// A group is a pair of sets that all its ports share; see [SecurityGroup.Sets].
type SecurityGroup struct {
	Name    string      // as in the names of its sets; a UUID leaves 18 bytes for the Conn's owner
	Ingress []GroupRule // to the VM
	Egress  []GroupRule // from the VM
}

// GroupRule permits what comes from (ingress) or goes to (egress) a remote side.
// The zero value of each field but Family fits all packets.
type GroupRule struct {
	Family   Family // can be left out if Remote tells it
	Protocol Protocol

	Ports                Range // destination's; TCP and UDP only
	ICMPTypes, ICMPCodes Range // ICMP and ICMPv6 only

	// The remote side: a prefix, whose host bits do not matter, or the members of
	// a group, of the rule's family; not both. Neither: any address.
	Remote      netip.Prefix
	RemoteGroup string
}

// Members are the addresses in each group. One that is missing has none, so rules
// about it permit nothing.
type Members map[string][]netip.Addr

// Remotes lists the groups that rules refer to, in order: the sets change with the
// members of these, and with those of no other.
func (g SecurityGroup) Remotes() []string {
	var names []string
	for _, r := range slices.Concat(g.Ingress, g.Egress) {
		if r.RemoteGroup != "" {
			names = append(names, r.RemoteGroup)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ToSet and FromSet name the sets of a group. VPP sees a port from its own side:
// what goes to the VM is the interface's output, what comes from it is its input.
func ToSet(group string) string   { return "sg:" + group + ".to" }
func FromSet(group string) string { return "sg:" + group + ".from" }

// Sets returns the group's two sets: to, made of Ingress, for the output of its
// ports' interfaces, and from, made of Egress, for their input. It is pure.
//
// The rules in them are few and in an order of their own: what is said twice, in
// parts, or as part of something else is said once, so rules given in another
// order, or cut otherwise, mostly make the same sets, and nothing is written
// anew. A rule reflects, unless it is about ICMP types for which VPP keeps no
// sessions, and is [Revocable]. Where there is no room for that, from 5,000 rules about TCP
// on, nothing passes that comes from the middle of a connection, belongs to no session and is
// no client's: then such a connection outlives a VPP, or a move to another, only if the
// client speaks first.
//
// What cannot be expressed permits nothing: a rule that is wrong, an address of a member
// that is none, what is beyond MaxRules. The error names each of them, and the sets hold
// the rest, so a caller can use both. Only a wrong Name leaves no sets at all.
func (g SecurityGroup) Sets(members Members) (to, from Set, err error) {
	if err := cmp.Or(vppnet.CheckName(g.Name), vppnet.CheckName(ToSet(g.Name)), vppnet.CheckName(FromSet(g.Name))); err != nil {
		return Set{}, Set{}, fmt.Errorf("security group %s: %w", g.Name, err)
	}
	seen := make(map[remote][]block)
	to, out := g.set(ToSet(g.Name), "ingress", g.Ingress, members, seen)
	from, more := g.set(FromSet(g.Name), "egress", g.Egress, members, seen)
	if out = append(out, more...); len(out) > 0 {
		err = fmt.Errorf("security group %s: %w", g.Name, out.join())
	}
	return to, from, err
}

// Validate reports why a rule cannot be expressed. It does not look at members.
func (r GroupRule) Validate() error {
	_, err := r.hole()
	return err
}

// maxHoles bounds the work for a group, before what its rules have in common is
// merged.
const maxHoles = 32 * MaxRules

// remote is one family of a group's members.
type remote struct {
	group  string
	family Family
}

// set returns one of the sets, and what is not in it.
func (g SecurityGroup) set(name, way string, rules []GroupRule, members Members, seen map[remote][]block) (Set, leftOut) {
	var out leftOut
	holes := make([]hole, 0, len(rules))
	for i, r := range rules {
		h, err := r.hole()
		if err != nil {
			out = append(out, fmt.Errorf("%s rule %d: %w", way, i, err))
			continue
		}
		if r.RemoteGroup == "" {
			holes = append(holes, h)
			continue
		}
		key := remote{r.RemoteGroup, h.family}
		addrs, ok := seen[key]
		if !ok {
			var wrong leftOut
			if addrs, wrong = hosts(members[r.RemoteGroup], h.family); len(wrong) > 0 {
				out = append(out, fmt.Errorf("%s rule %d: member of %s: %w", way, i, r.RemoteGroup, wrong.join()))
			}
			seen[key] = addrs
		}
		if len(holes)+len(addrs) > maxHoles {
			out = append(out, fmt.Errorf("%s rule %d: the %d addresses of group %s make it more than %d rules, a set has at most %d",
				way, i, len(addrs), r.RemoteGroup, maxHoles, MaxRules))
			continue
		}
		for _, h.remote = range addrs {
			holes = append(holes, h)
		}
	}
	holes = unite(holes)
	if len(holes) == 0 {
		return Set{Name: name}, out
	}
	plain := make([]Rule, 0, len(holes))
	for _, h := range holes {
		plain = append(plain, h.rule(way == "ingress"))
	}
	set := Set{Name: name, Rules: Revocable(plain)}
	if len(set.Rules) > MaxRules {
		set.Rules = slices.Concat(noMidway, plain)
	}
	if n := len(set.Rules); n > MaxRules {
		set.Rules = slices.Clip(set.Rules[:MaxRules])
		out = append(out, fmt.Errorf("%s makes %d rules, a set has at most %d, so the last %d are left out: name prefixes instead of groups, or split the group",
			way, n, MaxRules, n-MaxRules))
	}
	return set, out
}

// hosts returns the blocks that are together the addresses of one family, and what is
// no address.
func hosts(addrs []netip.Addr, f Family) ([]block, leftOut) {
	list := make([]block, 0, len(addrs))
	var out leftOut
	for _, a := range addrs {
		if !a.IsValid() || a.Zone() != "" {
			out = append(out, fmt.Errorf("address %q: want one of IPv4 or IPv6 without a zone", a))
		} else if a = a.Unmap(); a.Is4() == (f == IPv4) {
			list = append(list, blockOf(inet.Host(a)))
		}
	}
	slices.SortFunc(list, block.compare)
	return aggregate(list), out
}

// hole returns what a rule permits, from any address if it is about a group.
func (r GroupRule) hole() (hole, error) {
	if r.RemoteGroup != "" && r.Remote != (netip.Prefix{}) {
		return hole{}, fmt.Errorf("remote %s and remote group %s: want one of them", r.Remote, r.RemoteGroup)
	}
	p := r.Remote
	if p.IsValid() {
		p = p.Masked()
	}
	rule := Rule{
		Action: PermitReflect, Family: r.Family, Src: p, Protocol: r.Protocol,
		DstPorts: r.Ports, ICMPTypes: r.ICMPTypes, ICMPCodes: r.ICMPCodes,
	}.normal()
	if types, ok := reflected[rule.Protocol]; ok && !slices.ContainsFunc(types, rule.ICMPTypes.Contains) {
		rule.Action = Permit
	}
	if err := rule.Validate(); err != nil {
		return hole{}, err
	}
	return holeOf(rule), nil
}
