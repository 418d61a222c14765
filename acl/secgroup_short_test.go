// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
)

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
