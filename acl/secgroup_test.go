// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
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
