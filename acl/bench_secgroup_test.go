// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
)

// crowd is n addresses of which no two are neighbours.
func crowd(n int) (addrs []netip.Addr) {
	for i := range n {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, byte(i >> 15), byte(i >> 7), byte(i << 1)}))
	}
	return addrs
}

func BenchmarkSecurityGroups(b *testing.B) {
	group := func(name string, rules int, remote string) acl.SecurityGroup {
		g := acl.SecurityGroup{Name: name}
		for i := range rules {
			r := acl.GroupRule{Family: acl.IPv4, Protocol: acl.TCP, Ports: acl.Only(uint16(1000 + 2*i)), RemoteGroup: remote}
			if remote == "" {
				r.Remote = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16)
			}
			g.Ingress = append(g.Ingress, r)
		}
		return g
	}
	compose := func(b *testing.B, rules int, members acl.Members, groups ...acl.SecurityGroup) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for _, g := range groups {
				to, _, err := g.Sets(members)
				require.NoError(b, err)
				n += len(to.Rules)
			}
			require.Equal(b, rules, n)
		}
	}
	b.Run("1000 groups of 20 rules", func(b *testing.B) {
		var groups []acl.SecurityGroup
		for i := range 1000 {
			groups = append(groups, group(strconv.Itoa(i), 20, ""))
		}
		compose(b, 20000, nil, groups...)
	})
	b.Run("a remote group of 1000 members", func(b *testing.B) {
		compose(b, 1000, acl.Members{"crowd": crowd(1000)}, group("g", 1, "crowd"))
	})
	b.Run("5 rules about a remote group of 1000 members", func(b *testing.B) {
		compose(b, 5000, acl.Members{"crowd": crowd(1000)}, group("g", 5, "crowd"))
	})
}

func BenchmarkExplain(b *testing.B) {
	to, _, err := acl.SecurityGroup{Name: "g", Ingress: []acl.GroupRule{{Family: acl.IPv4, Protocol: acl.TCP, RemoteGroup: "crowd"}}}.
		Sets(acl.Members{"crowd": crowd(1000)})
	require.NoError(b, err)
	p := acl.Packet{Src: netip.MustParseAddr("10.255.0.1"), Dst: netip.MustParseAddr("10.0.0.5"), Protocol: acl.TCP}
	b.ReportAllocs()
	for b.Loop() {
		v, err := acl.Explain(p, to)
		require.NoError(b, err)
		require.False(b, v.Passes())
	}
}
