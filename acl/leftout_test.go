// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/vppnet"
)

// badRules cannot be expressed.
var badRules = []acl.GroupRule{
	{Protocol: acl.TCP},
	{Family: 7},
	{Family: acl.IPv4, Protocol: 132, Ports: acl.Only(2905)},
	{Family: acl.IPv4, Protocol: acl.TCP, Ports: acl.Between(81, 80)},
	{Family: acl.IPv4, Protocol: acl.ICMP, ICMPTypes: acl.Only(256)},
	{Family: acl.IPv6, Protocol: acl.ICMP},
	{Family: acl.IPv6, Protocol: 44},
	{Family: acl.IPv6, Remote: netip.MustParsePrefix("10.0.0.0/8")},
	{Remote: netip.MustParsePrefix("10.0.0.0/8"), RemoteGroup: "h"},
}

// A bad rule, wherever it stands, and a bad address of a member make the same sets as if
// they were not there, and are named.
func TestWhatIsWrongOfAGroupIsLeftOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		good := rapid.SliceOfN(rapid.SampledFrom([]acl.GroupRule{
			{Family: acl.IPv4, Protocol: acl.TCP, Ports: acl.Only(22)},
			{Family: acl.IPv6, Protocol: acl.UDP},
			{Family: acl.IPv4, RemoteGroup: "h"},
			{Family: acl.IPv6, RemoteGroup: "h"},
			{Remote: netip.MustParsePrefix("192.0.2.0/24")},
		}), 0, 4).Draw(t, "rules")
		g := acl.SecurityGroup{Name: "web", Ingress: good, Egress: good}
		members := acl.Members{"h": {ip("10.0.0.1"), ip("2001:db8::1")}}
		to, from, err := g.Sets(members)
		require.NoError(t, err)

		bad := rapid.SampledFrom(badRules).Draw(t, "bad")
		require.Error(t, bad.Validate())
		at := rapid.IntRange(0, len(good)).Draw(t, "at")
		g.Ingress = slices.Insert(slices.Clone(good), at, bad)
		members["h"] = slices.Insert(members["h"], at%3, netip.MustParseAddr("fe80::1%eth0"))
		to2, from2, err := g.Sets(members)
		require.Equal(t, to, to2)
		require.Equal(t, from, from2)
		require.ErrorContains(t, err, "security group web: ")
		require.ErrorContains(t, err, fmt.Sprintf("ingress rule %d: %v", at, bad.Validate()))
	})
}

// Of more rules than VPP can hold as many are there as it can, and none that no rule
// permits.
func TestTooManyRulesPermitLess(t *testing.T) {
	to, _, err := acl.SecurityGroup{Name: "web", Ingress: []acl.GroupRule{{Family: acl.IPv4, RemoteGroup: "crowd"}}}.
		Sets(acl.Members{"crowd": crowd(acl.MaxRules + 7)})
	require.ErrorContains(t, err, "so the last 9 are left out")
	require.NoError(t, to.Validate())
	require.Len(t, to.Rules, acl.MaxRules)
	known := map[netip.Addr]bool{}
	for _, a := range crowd(acl.MaxRules + 7) {
		known[a] = true
	}
	for _, r := range to.Rules[:2] {
		require.Equal(t, acl.Deny, r.Action, "no room for more that makes them revocable")
	}
	for _, r := range to.Rules[2:] {
		require.True(t, r.Src.IsSingleIP() && known[r.Src.Addr()])
	}
}

// The error says which parts there are, but junk does not fill it.
func TestErrorsOfManyPartsAreShort(t *testing.T) {
	g := acl.SecurityGroup{Name: "web", Egress: slices.Repeat(badRules, 1000)}
	_, _, err := g.Sets(nil)
	require.ErrorContains(t, err, "egress rule 0: neither family nor prefix is given")
	require.ErrorContains(t, err, "; and 8992 more")
	require.Less(t, len(err.Error()), 1000)
}

// A bad address, pair or group of a port makes the same objects as if it were not there,
// and is named.
func TestWhatIsWrongOfAPortIsLeftOut(t *testing.T) {
	base := acl.PortSecurity{
		Interface: "vm1", MAC: hostMAC, Addrs: []netip.Addr{ip("10.0.0.5"), ip("fd00::5")}, Groups: []string{"a", "b"},
		Pairs: []acl.AddressPair{{Prefix: netip.MustParsePrefix("10.9.0.0/16")}},
	}
	for name, c := range map[string]struct {
		add  func(*acl.PortSecurity)
		says string
	}{
		"address":           {func(p *acl.PortSecurity) { p.Addrs = append(p.Addrs, ip("ff02::1")) }, `"ff02::1"`},
		"no address":        {func(p *acl.PortSecurity) { p.Addrs = append(p.Addrs, netip.Addr{}) }, `"invalid IP"`},
		"pair of no prefix": {func(p *acl.PortSecurity) { p.Pairs = append(p.Pairs, acl.AddressPair{}) }, "without a prefix"},
		"pair of a group's MAC": {func(p *acl.PortSecurity) {
			p.Pairs = append(p.Pairs, acl.AddressPair{Prefix: netip.MustParsePrefix("10.0.0.1/32"), MAC: vppnet.MAC{1}})
		}, "is a group's"},
		"pair of two MACs": {func(p *acl.PortSecurity) {
			p.Pairs = append(p.Pairs, acl.AddressPair{Prefix: netip.MustParsePrefix("10.0.0.1/32"), MAC: hostMAC, AnyMAC: true})
		}, "and any MAC"},
		"group": {func(p *acl.PortSecurity) { p.Groups = append(p.Groups, "a b") }, `group "a b"`},
	} {
		t.Run(name, func(t *testing.T) {
			p := base
			p.Addrs, p.Pairs, p.Groups = slices.Clone(p.Addrs), slices.Clone(p.Pairs), slices.Clone(p.Groups)
			c.add(&p)
			objects, err := acl.BridgedPort{Security: p, Bridge: "net"}.Objects()
			require.ErrorContains(t, err, c.says)
			whole, err := acl.BridgedPort{Security: base, Bridge: "net"}.Objects()
			require.NoError(t, err)
			require.Equal(t, whole, objects)
		})
	}
}

// Of more addresses than VPP can hold those stay that a port cannot do without.
func TestTooManyAddressesPermitLess(t *testing.T) {
	p := acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Addrs: []netip.Addr{ip("10.0.0.5"), ip("fd00::5")}}
	for i := range 2 * acl.MaxMACIPRules {
		m := vppnet.MAC{0, 0, 0, 1, byte(i >> 8), byte(i)} // sorts before the port's
		p.Pairs = append(p.Pairs, acl.AddressPair{Prefix: netip.MustParsePrefix("10.9.0.1/32"), MAC: m})
	}
	objects, err := p.Objects()
	require.ErrorContains(t, err, "are left out")
	made := port{}
	for _, o := range objects {
		require.NoError(t, o.Validate())
		if s, ok := o.(acl.MACIPSet); ok {
			made.sources = s
		}
	}
	require.Len(t, made.sources.Rules, acl.MaxMACIPRules)
	for _, src := range []string{"0.0.0.0", "::", "10.0.0.5", "fd00::5"} {
		require.True(t, made.source(t, acl.Frame{MAC: hostMAC, Src: ip(src)}), src)
	}
	require.True(t, made.source(t, acl.Frame{MAC: hostMAC, Src: hostLocal}))
	require.False(t, made.source(t, acl.Frame{MAC: hostMAC, Src: ip("10.9.0.1")}))
}

// A pair of any MAC is about its address only, and about finding neighbours.
func TestPairOfAnyMAC(t *testing.T) {
	made := secure(t, acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Addrs: []netip.Addr{ip("10.0.0.5")}, Pairs: []acl.AddressPair{
		{Prefix: netip.MustParsePrefix("10.9.9.9/24"), AnyMAC: true}, {Prefix: netip.MustParsePrefix("fd00::9/128"), AnyMAC: true},
	}})
	other := vppnet.MAC{2, 0, 0, 0, 0, 0x77}
	for src, want := range map[string]bool{
		"10.9.9.77": true, "fd00::9": true, "0.0.0.0": true, "::": true,
		"10.0.0.5": false, "10.9.8.1": false, "fd00::8": false, "fe80::ff:fe00:77": false,
	} {
		require.Equal(t, want, made.source(t, acl.Frame{MAC: other, Src: ip(src)}), src)
	}
	require.True(t, made.source(t, acl.Frame{MAC: other, Src: ip("10.9.9.77"), ARP: true}))
	require.False(t, made.source(t, acl.Frame{MAC: other, Src: ip("10.0.0.5"), ARP: true}))
	require.True(t, made.source(t, acl.Frame{MAC: hostMAC, Src: ip("10.0.0.5")}))
}
