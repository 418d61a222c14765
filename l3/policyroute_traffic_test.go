// SPDX-License-Identifier: Apache-2.0

//go:build linux

package l3_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Of a prefix to which the table knows one way, what a set permits goes another, and what it denies
// stays; both families, until the policy goes.
func TestPolicyRouteTraffic(t *testing.T) {
	vpp := netrig.New(t, "vpp")
	hosts := map[string]netrig.NetNS{}
	names := []string{"user", "one", "two"}
	c := kindrig.Dial(t, vpptest.Real(t, vpptest.InNetNS(string(vpp))).Socket(), "me")
	policies := policyRoutes(c)
	e := kindrig.Engine(append(kinds(c), acl.Sets(c), policies, l3.PolicyAttachments(c, policies))...)
	var want []desiredstate.Object
	for n, name := range names {
		four, six := fmt.Sprintf("10.77.%d.", n), fmt.Sprintf("2001:db8:%d::", n)
		h := netrig.Host(t, name, vpp, "to-"+name, four+"2/24", six+"2/64")
		h.IP(t, "route", "add", "default", "via", four+"1")
		h.IP(t, "route", "add", "default", "via", six+"1")
		hosts[name] = h
		want = append(want, vppnet.HostInterface{Name: name, Device: "to-" + name}, vppnet.LinkState{Interface: name, Up: true},
			l3.Membership{Interface: name, Table: "red"})
		for _, a := range []string{four + "1/24", six + "1/64"} {
			want = append(want, l3.Address{Interface: name, Prefix: netip.MustParsePrefix(a), Table: "red"})
		}
	}
	user := hosts["user"]
	hosts["one"].Address(t, "10.88.0.1/32") // each has one of the prefix
	hosts["one"].Address(t, "2001:db8:88::1/128")
	hosts["two"].Address(t, "10.88.0.2/32")
	hosts["two"].Address(t, "2001:db8:88::2/128")
	by := func(name string, n int, is6 bool) []l3.Path {
		hop := fmt.Sprintf("10.77.%d.2", n)
		if is6 {
			hop = fmt.Sprintf("2001:db8:%d::2", n)
		}
		return []l3.Path{{Interface: name, NextHop: netip.MustParseAddr(hop)}}
	}
	four, six := netip.MustParsePrefix("10.88.0.0/24"), netip.MustParsePrefix("2001:db8:88::/64")
	want = append(want, l3.Table{Name: "red"},
		l3.Route{Table: "red", Prefix: four, Paths: by("one", 1, false)}, l3.Route{Table: "red", Prefix: six, Paths: by("one", 1, true)},
		acl.Set{Name: "out", Rules: []acl.Rule{
			{Action: acl.Deny, Dst: netip.MustParsePrefix("10.88.0.1/32")},
			{Action: acl.Permit, Dst: four},
			{Action: acl.Deny, Dst: netip.MustParsePrefix("2001:db8:88::1/128")},
			{Action: acl.Permit, Dst: six},
		}})
	policy := func(name string, n int) (out []desiredstate.Object) {
		for _, is6 := range []bool{false, true} {
			out = append(out, l3.PolicyRoute{Set: "out", IPv6: is6, Paths: by(name, n, is6)}, l3.PolicyAttachment{Interface: "user", Set: "out", IPv6: is6})
		}
		return out
	}
	sync := func(more ...desiredstate.Object) {
		_, err := e.Sync(t.Context(), append(want, more...)...)
		require.NoError(t, err)
	}
	sees := func(one, two bool) {
		t.Helper()
		for addr, yes := range map[string]bool{"10.88.0.1": one, "2001:db8:88::1": one, "10.88.0.2": two, "2001:db8:88::2": two} {
			if yes {
				user.Reaches(t, addr)
			} else {
				user.Misses(t, addr)
			}
		}
	}
	sync()
	sees(true, false)
	sync(policy("two", 2)...)
	sees(true, true)
	sync(policy("one", 1)...) // it is made anew, with what hangs on it
	sees(true, false)
	sync(policy("two", 2)...)
	sees(true, true)
	sync()
	sees(true, false)
	_, err := e.Sync(t.Context())
	require.NoError(t, err)
	sees(false, false)
}
