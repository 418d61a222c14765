// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// groupRule draws a rule that is fine, about an address of the world or one of the
// groups g, h, or nobody's.
func (w world) groupRule(t *rapid.T) acl.GroupRule {
	f := someFamily.Draw(t, "family")
	return w.groupRuleFor(t, f, someProtocol(f))
}

func (w world) groupRuleFor(t *rapid.T, f acl.Family, protocol *rapid.Generator[acl.Protocol]) acl.GroupRule {
	r := acl.GroupRule{Family: f, Protocol: protocol.Draw(t, "protocol")}
	switch r.Protocol {
	case acl.TCP, acl.UDP:
		r.Ports = someRange(t, somePort)
	case acl.ICMP, acl.ICMPv6:
		r.ICMPTypes, r.ICMPCodes = someRange(t, someType), someRange(t, someCode)
	}
	if rapid.Bool().Draw(t, "remote group") {
		r.RemoteGroup = rapid.SampledFrom([]string{"g", "h", "nobody's"}).Draw(t, "group")
	} else if r.Remote = w.prefix(t, r.Family); r.Remote.IsValid() { // with host bits
		r.Remote = netip.PrefixFrom(w.addr(t, r.Family), r.Remote.Bits())
	}
	return r
}

// group draws one about anything, or about one protocol, so that rules often overlap.
func (w world) group(t *rapid.T) acl.SecurityGroup {
	one := w.groupRule
	if rapid.Bool().Draw(t, "one protocol") {
		f := someFamily.Draw(t, "family")
		protocol := someProtocol(f).Draw(t, "protocol")
		one = func(t *rapid.T) acl.GroupRule { return w.groupRuleFor(t, f, rapid.Just(protocol)) }
	}
	rules := rapid.SliceOfN(rapid.Custom(one), 0, 12)
	return acl.SecurityGroup{Name: "g", Ingress: rules.Draw(t, "ingress"), Egress: rules.Draw(t, "egress")}
}

func (w world) members(t *rapid.T) acl.Members {
	addrs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) netip.Addr { return w.addr(t, someFamily.Draw(t, "family")) }), 0, 6)
	return acl.Members{"g": addrs.Draw(t, "members of g"), "h": addrs.Draw(t, "members of h")}
}

// permits says what a group rule says, without any merging: deny if it says nothing
// about the packet.
func permits(t require.TestingT, r acl.GroupRule, members acl.Members, remote netip.Addr, p acl.Packet) acl.Action {
	if r.RemoteGroup != "" && !slices.Contains(members[r.RemoteGroup], remote) {
		return acl.Deny
	}
	if r.Remote.IsValid() && !r.Remote.Contains(remote) {
		return acl.Deny
	}
	rule := acl.Rule{
		Action: acl.PermitReflect, Family: r.Family, Protocol: r.Protocol,
		DstPorts: r.Ports, ICMPTypes: r.ICMPTypes, ICMPCodes: r.ICMPCodes,
	}
	if rule.Validate() != nil { // VPP has no sessions for these types
		rule.Action = acl.Permit
	}
	v, err := acl.Explain(p, acl.Set{Name: "x", Rules: []acl.Rule{rule}})
	require.NoError(t, err)
	return v.Action
}

// The sets of a group permit exactly what any of its rules does, and are valid.
func TestSetsOfGroupKeepItsMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world(1)
		g, members := w.group(t), w.members(t)
		to, from, err := g.Sets(members)
		require.NoError(t, err)
		require.NoError(t, to.Validate())
		require.NoError(t, from.Validate())
		for _, p := range rapid.SliceOfN(rapid.Custom(w.packet), 20, 40).Draw(t, "packets") {
			for _, way := range []struct {
				set    acl.Set
				rules  []acl.GroupRule
				remote netip.Addr
			}{{to, g.Ingress, p.Src}, {from, g.Egress, p.Dst}} {
				want := acl.Deny
				for _, r := range way.rules {
					want = max(want, permits(t, r, members, way.remote, p))
				}
				if want == acl.PermitReflect && midway(p) {
					want = acl.Permit
				}
				got, err := acl.Explain(p, way.set)
				require.NoError(t, err)
				require.Equal(t, want, got.Action, "%s\n%s\n%v", p, way.set, way.rules)
			}
		}
	})
}

// midway says whether a packet comes from the middle of a TCP connection, as far as can be
// told, and from a server.
func midway(p acl.Packet) bool {
	return p.Protocol == acl.TCP && (p.LaterFragment || !p.Short && p.Flags&acl.ACK != 0 && p.SrcPort < 32768)
}

// bare are the rules of a group's set without those that Revocable added.
func bare(s acl.Set) (rules []acl.Rule) {
	for _, r := range s.Rules {
		if r.Protocol != acl.TCP || r.Action == acl.PermitReflect {
			rules = append(rules, r)
		}
	}
	return rules
}

// No rule of a group's set is part of another, but for what makes them revocable.
func TestSetsOfGroupAreShort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world(1)
		to, _, err := w.group(t).Sets(w.members(t))
		require.NoError(t, err)
		for i, a := range bare(to) {
			for j, b := range bare(to) {
				require.False(t, i != j && covers(a, b), "%s\ncovers %s", a, b)
			}
		}
	})
}

func covers(a, b acl.Rule) bool {
	within := func(a, b acl.Range) bool {
		first, last := b.Bounds(65535)
		low, high := a.Bounds(65535)
		return low <= first && last <= high
	}
	return a.Family == b.Family && (a.Protocol == 0 || a.Protocol == b.Protocol) &&
		(!a.Src.IsValid() || b.Src.IsValid() && a.Src.Bits() <= b.Src.Bits() && a.Src.Contains(b.Src.Addr())) &&
		within(a.DstPorts, b.DstPorts) && within(a.ICMPTypes, b.ICMPTypes) && within(a.ICMPCodes, b.ICMPCodes)
}

// again turns a set back into rules of a group.
func again(s acl.Set, remote func(acl.Rule) netip.Prefix) (rules []acl.GroupRule) {
	for _, r := range bare(s) {
		rules = append(rules, acl.GroupRule{
			Family: r.Family, Protocol: r.Protocol, Ports: r.DstPorts,
			ICMPTypes: r.ICMPTypes, ICMPCodes: r.ICMPCodes, Remote: remote(r),
		})
	}
	return rules
}

// What is composed once is composed for good; neither the order of rules and members
// nor saying things twice makes another set.
func TestSetsOfGroupAreNormal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world(1)
		g, members := w.group(t), w.members(t)
		to, from, err := g.Sets(members)
		require.NoError(t, err)

		twice := acl.SecurityGroup{
			Name:    g.Name,
			Ingress: again(to, func(r acl.Rule) netip.Prefix { return r.Src }),
			Egress:  again(from, func(r acl.Rule) netip.Prefix { return r.Dst }),
		}
		to2, from2, err := twice.Sets(nil)
		require.NoError(t, err)
		require.Equal(t, []acl.Set{to, from}, []acl.Set{to2, from2}, "composed of what was composed")

		shuffle := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		mix := func(rules []acl.GroupRule) []acl.GroupRule {
			rules = slices.Concat(rules, rules[:len(rules)/2])
			shuffle.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
			return rules
		}
		g.Ingress, g.Egress = mix(g.Ingress), mix(g.Egress)
		for name, m := range members {
			members[name] = slices.Clone(m)
			slices.Reverse(members[name])
		}
		to2, from2, err = g.Sets(members)
		require.NoError(t, err)
		require.Equal(t, []acl.Set{to, from}, []acl.Set{to2, from2}, "in another order")
	})
}

// A rule that was cut into pieces becomes one again.
func TestSetsOfGroupMergePieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world(1)
		whole := w.groupRule(t)
		whole.RemoteGroup = ""
		pieces := []acl.GroupRule{whole}
		for range rapid.IntRange(1, 6).Draw(t, "cuts") {
			i := rapid.IntRange(0, len(pieces)-1).Draw(t, "piece")
			pieces = append(pieces, pieces[i])
			a, b := &pieces[i], &pieces[len(pieces)-1]
			if rapid.Bool().Draw(t, "cut ports") && (a.Protocol == acl.TCP || a.Protocol == acl.UDP) {
				first, last := a.Ports.Bounds(65535)
				at := rapid.Uint16Range(first, last).Draw(t, "at")
				a.Ports, b.Ports = acl.Between(first, at), acl.Between(at, last)
				continue
			}
			p := a.Remote
			if !p.IsValid() {
				p = map[acl.Family]netip.Prefix{acl.IPv4: netip.MustParsePrefix("0.0.0.0/0"), acl.IPv6: netip.MustParsePrefix("::/0")}[a.Family]
			}
			if p.Bits() < p.Addr().BitLen() {
				raw := p.Masked().Addr().AsSlice()
				raw[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
				upper, _ := netip.AddrFromSlice(raw)
				a.Remote = netip.PrefixFrom(p.Masked().Addr(), p.Bits()+1)
				b.Remote = netip.PrefixFrom(upper, p.Bits()+1)
			}
		}
		want, _, err := acl.SecurityGroup{Name: "g", Ingress: []acl.GroupRule{whole}}.Sets(nil)
		require.NoError(t, err)
		got, _, err := acl.SecurityGroup{Name: "g", Ingress: pieces}.Sets(nil)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// Somebody who joins a group changes the sets of the groups that refer to it, and
// those only.
func TestMemberChangesReferringGroupsOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d"}
		var groups []acl.SecurityGroup
		members := acl.Members{}
		for i, name := range names {
			g := acl.SecurityGroup{Name: name}
			for j, other := range names {
				members[name] = append(members[name], netip.AddrFrom4([4]byte{10, byte(i), 0, byte(j)}))
				if rapid.Bool().Draw(t, name+" refers to "+other) {
					g.Ingress = append(g.Ingress, acl.GroupRule{Family: acl.IPv4, Protocol: acl.TCP, Ports: acl.Only(uint16(j)), RemoteGroup: other})
				}
			}
			groups = append(groups, g)
		}
		compose := func() (sets []acl.Set) {
			for _, g := range groups {
				to, from, err := g.Sets(members)
				require.NoError(t, err)
				sets = append(sets, to, from)
			}
			return sets
		}
		before := compose()
		joined := rapid.SampledFrom(names).Draw(t, "joined")
		members[joined] = append(members[joined], netip.MustParseAddr("10.9.9.9"))
		after := compose()
		for i, g := range groups {
			to, from := 2*i, 2*i+1
			require.Equal(t, before[from], after[from])
			if slices.Contains(g.Remotes(), joined) {
				require.NotEqual(t, before[to], after[to])
				require.True(t, slices.ContainsFunc(after[to].Rules, func(r acl.Rule) bool { return r.Src.String() == "10.9.9.9/32" }))
			} else {
				require.Equal(t, before[to], after[to])
			}
		}
	})
}

func TestSecurityGroupRefuses(t *testing.T) {
	var many []acl.GroupRule
	for i := range acl.MaxRules + 1 {
		many = append(many, acl.GroupRule{Family: acl.IPv4, Protocol: acl.TCP, Ports: acl.Only(uint16(2 * i))})
	}
	one := func(r acl.GroupRule) []acl.GroupRule { return []acl.GroupRule{r} }
	for _, c := range []struct {
		want  string
		rules []acl.GroupRule
	}{
		{"neither family nor prefix", one(acl.GroupRule{Protocol: acl.TCP})},
		{"neither family nor prefix", one(acl.GroupRule{RemoteGroup: "g"})},
		{"family 7", one(acl.GroupRule{Family: 7})},
		{"ports 80 of protocol icmp", one(acl.GroupRule{Family: acl.IPv4, Protocol: acl.ICMP, Ports: acl.Only(80)})},
		{"ports 80 of protocol 132", one(acl.GroupRule{Family: acl.IPv4, Protocol: 132, Ports: acl.Only(80)})},
		{"first is after the last", one(acl.GroupRule{Family: acl.IPv4, Protocol: acl.TCP, Ports: acl.Between(81, 80)})},
		{"at most 255", one(acl.GroupRule{Family: acl.IPv4, Protocol: acl.ICMP, ICMPTypes: acl.Only(256)})},
		{"at most 255", one(acl.GroupRule{Family: acl.IPv4, Protocol: acl.ICMP, ICMPCodes: acl.Only(256)})},
		{"icmp is of IPv4", one(acl.GroupRule{Family: acl.IPv6, Protocol: acl.ICMP})},
		{"extension header", one(acl.GroupRule{Family: acl.IPv6, Protocol: 44})},
		{"prefix 10.0.0.0/8 in a rule for ip6", one(acl.GroupRule{Family: acl.IPv6, Remote: netip.MustParsePrefix("10.0.0.0/8")})},
		{"want one of them", one(acl.GroupRule{Remote: netip.MustParsePrefix("10.0.0.0/8"), RemoteGroup: "h"})},
		{"IPv4 in IPv6", one(acl.GroupRule{Remote: netip.MustParsePrefix("::ffff:10.0.0.0/104")})},
		{"member of odd", one(acl.GroupRule{Family: acl.IPv6, RemoteGroup: "odd"})},
		{"makes 10003 rules, a set has at most 10000", many},
		{"makes 10003 rules, a set has at most 10000", one(acl.GroupRule{Family: acl.IPv4, RemoteGroup: "crowd"})},
		{"more than 320000 rules", func() (rules []acl.GroupRule) {
			for _, r := range many[:40] {
				r.RemoteGroup = "crowd"
				rules = append(rules, r)
			}
			return rules
		}()},
	} {
		members := acl.Members{"crowd": crowd(acl.MaxRules + 1), "odd": {netip.MustParseAddr("fe80::1%eth0")}}
		_, _, err := acl.SecurityGroup{Name: "web", Ingress: c.rules}.Sets(members)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, "security group web: ingress")
		_, _, err = acl.SecurityGroup{Name: "web", Egress: c.rules}.Sets(members)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, "security group web: egress")
	}
	_, _, err := acl.SecurityGroup{Name: "a b"}.Sets(nil)
	require.ErrorContains(t, err, "security group a b")
	_, _, err = acl.SecurityGroup{}.Sets(nil)
	require.ErrorContains(t, err, "name")
}

// What networking-vpp does to groups, and this does not.
func TestSecurityGroupDefects(t *testing.T) {
	compose := func(rules ...acl.GroupRule) []acl.Rule {
		to, _, err := acl.SecurityGroup{Name: "g", Ingress: rules}.Sets(acl.Members{
			"h": {netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("fd00::9"), netip.MustParseAddr("10.0.0.1")},
		})
		require.NoError(t, err)
		return bare(to)
	}
	ping := acl.Packet{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), Protocol: acl.ICMP, ICMPType: 8}

	t.Run("1.2.3.4/0 was sent to VPP, which refuses it (5dd3002)", func(t *testing.T) {
		require.Equal(t, "permit+reflect ip4 from any to any", compose(acl.GroupRule{Remote: netip.MustParsePrefix("1.2.3.4/0")})[0].String())
		require.Equal(t, "permit+reflect ip4 from 10.1.0.0/16 to any", compose(acl.GroupRule{Remote: netip.MustParsePrefix("10.1.2.3/16")})[0].String())
	})
	t.Run("ICMP type 0 code 0 became all of ICMP", func(t *testing.T) {
		rules := compose(acl.GroupRule{Family: acl.IPv4, Protocol: acl.ICMP, ICMPTypes: acl.Only(0), ICMPCodes: acl.Only(0)})
		v, err := acl.Explain(ping, acl.Set{Rules: rules})
		require.NoError(t, err)
		require.False(t, v.Passes())
		require.Equal(t, "permit ip4 icmp from any to any type 0 code 0", rules[0].String())
	})
	t.Run("a code of ICMP was lost (bug 1775703)", func(t *testing.T) {
		require.Equal(t, "permit ip4 icmp from any to any type 3 code 4",
			compose(acl.GroupRule{Family: acl.IPv4, Protocol: acl.ICMP, ICMPTypes: acl.Only(3), ICMPCodes: acl.Only(4)})[0].String())
	})
	t.Run("only TCP, UDP and any protocol were stateful", func(t *testing.T) {
		for _, protocol := range []acl.Protocol{0, acl.TCP, acl.UDP, acl.ICMP, 47, 132} {
			require.Equal(t, acl.PermitReflect, compose(acl.GroupRule{Family: acl.IPv4, Protocol: protocol})[0].Action)
		}
	})
	t.Run("members came in the order of a hash table, so sets were rewritten without need", func(t *testing.T) {
		require.Equal(t, "[permit+reflect ip4 from 10.0.0.1/32 to any permit+reflect ip4 from 10.0.0.9/32 to any]",
			fmt.Sprint(compose(acl.GroupRule{Family: acl.IPv4, RemoteGroup: "h"})))
	})
	t.Run("a group that is not known permits nobody, and stops no other rule", func(t *testing.T) {
		require.Len(t, compose(acl.GroupRule{Family: acl.IPv4, RemoteGroup: "x"}, acl.GroupRule{Family: acl.IPv6, RemoteGroup: "h"}), 1)
	})
}

// VPP takes the sets of random groups, and does what Explain says, which is what the
// groups mean.
func TestSetsOfGroupOnVPP(t *testing.T) {
	w := newWire(t)
	n, tally := world(0), map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		n++
		g := n.group(t)
		members := n.members(t)
		for i := range 60 { // enough for VPP to split its hash tables
			members["h"] = append(members["h"], netip.AddrFrom4([4]byte{10, byte(n), 7, byte(2 * i)}))
		}
		to, from, err := g.Sets(members)
		require.NoError(t, err)
		spoofTo, spoofFrom := acl.SpoofSets()
		w.agree(t, n, []desiredstate.Object{
			to, from, spoofTo, spoofFrom,
			acl.Binding{Interface: vppnet.Foreign("pg1"), Output: []string{spoofTo.Name, to.Name}},
		}, []acl.Set{spoofTo, to}, tally)
		w.agree(t, n, []desiredstate.Object{
			to, from, spoofTo, spoofFrom,
			acl.Binding{Interface: vppnet.Foreign("pg0"), Input: []string{spoofFrom.Name, from.Name}},
		}, []acl.Set{spoofFrom, from}, tally)
	})
	t.Log(tally)
}
