// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
)

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
