// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/abf"
	"go.fd.io/govpp/binapi/fib_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func sets(c *vppnet.Conn) desiredstate.AnyKind { return acl.Sets(c) }

func policyRoutes(c *vppnet.Conn) *desiredstate.Kind[l3.PolicyRoute] {
	return l3.PolicyRoutes(c, acl.Sets(c))
}

// steered are a router, and sets of rules to send by.
func steered() []desiredstate.Object {
	return append(router(), acl.Set{Name: "web", Rules: []acl.Rule{{Action: acl.Permit, Family: acl.IPv4}}}, acl.Set{Name: "mail", Rules: []acl.Rule{{Action: acl.Permit, Family: acl.IPv4}}})
}

func hop(is6 bool, n int) netip.Addr {
	if is6 {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:9::%d", n))
	}
	return netip.MustParseAddr(fmt.Sprintf("10.9.0.%d", n))
}

func TestLawsOfPolicyRoutes(t *testing.T) {
	laws(t, policyRoutes, steered(), rapid.Custom(func(t *rapid.T) l3.PolicyRoute {
		p := l3.PolicyRoute{Set: kindrig.Pick(t, "set", "web", "mail"), IPv6: kindrig.Pick(t, "IPv6", false, true)}
		for n := range kindrig.Pick(t, "paths", 1, 2, 3) {
			path := []l3.Path{{Interface: "up", NextHop: hop(p.IPv6, n)}, {NextHop: hop(p.IPv6, n)}, {NextHop: hop(p.IPv6, n), Table: "red"}}[kindrig.Pick(t, "path", 0, 1, 2)]
			path.Weight, path.Preference = kindrig.Pick[uint8](t, "weight", 0, 1, 3), kindrig.Pick[uint8](t, "preference", 0, 1)
			p.Paths = append(p.Paths, path)
		}
		return p
	}), sets)
}

func TestLawsOfPolicyAttachments(t *testing.T) {
	base := steered()
	for _, set := range []string{"web", "mail"} {
		for _, is6 := range []bool{false, true} {
			base = append(base, l3.PolicyRoute{Set: set, IPv6: is6, Paths: []l3.Path{{Interface: "up", NextHop: hop(is6, 1)}}})
		}
	}
	kind := func(c *vppnet.Conn) *desiredstate.Kind[l3.PolicyAttachment] {
		return l3.PolicyAttachments(c, policyRoutes(c), claimsOf(c)...)
	}
	laws(t, kind, base, rapid.Custom(func(t *rapid.T) l3.PolicyAttachment {
		return l3.PolicyAttachment{
			Interface: kindrig.Pick(t, "interface", "lo", "in", theirLoopback), Set: kindrig.Pick(t, "set", "web", "mail"),
			IPv6: kindrig.Pick(t, "IPv6", false, true), Priority: kindrig.Pick[uint32](t, "priority", 0, 1, 1<<31-1),
		}
	}), sets, func(c *vppnet.Conn) desiredstate.AnyKind { return policyRoutes(c) })
}

// steering is an engine of all that policies need, and whoever tells VPP things beside it.
func steering(t *testing.T, socket string) (engine func() *desiredstate.Engine, hand *vppnet.Conn) {
	c := kindrig.Dial(t, socket, "me", vppnet.WithLostAfter(20*time.Millisecond))
	hand = kindrig.Dial(t, socket, "hand")
	hand.Uses(&interfaces.DeleteLoopback{}, &abf.AbfPolicyAddDel{}, &abf.AbfItfAttachAddDel{}, &abf.AbfItfAttachDump{}, &abf.AbfPolicyDump{})
	return func() *desiredstate.Engine {
		e := desiredstate.New(vppnet.Loopbacks(c), acl.Sets(c), policyRoutes(c), l3.PolicyAttachments(c, policyRoutes(c)))
		e.MaxPrune = 1
		return e
	}, hand
}

func onBoth(t *testing.T, test func(t *testing.T, socket string)) {
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { test(t, vpptest.Real(t).Socket()) })
}

// VPP lists for the next interface with an index what the one before it had, and does not obey it:
// not even one more, as long as others are listed.
func TestPoliciesThatOutliveTheirInterface(t *testing.T) {
	onBoth(t, func(t *testing.T, socket string) {
		engine, hand := steering(t, socket)
		policy := func(set string) l3.PolicyRoute {
			return l3.PolicyRoute{Set: set, Paths: []l3.Path{{Interface: "b", NextHop: hop(false, 2)}}}
		}
		want := []desiredstate.Object{
			vppnet.Loopback{Name: "b"},
			vppnet.Loopback{Name: "a"},
			steered()[len(router())], steered()[len(router())+1], policy("web"), policy("mail"),
			l3.PolicyAttachment{Interface: "a", Set: "web"},
			l3.PolicyAttachment{Interface: "a", Set: "mail", Priority: 1},
		}
		r, err := engine().Sync(t.Context(), want...)
		require.NoError(t, err)
		a, _ := r.Of(vppnet.InterfaceKey("a"))
		_, err = interfaces.NewServiceClient(hand).DeleteLoopback(t.Context(), &interfaces.DeleteLoopback{SwIfIndex: interface_types.InterfaceIndex(a.ID)})
		require.NoError(t, err)
		_, err = engine().Ensure(t.Context(), want[1])
		require.NoError(t, err)
		p, err := engine().Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Equal(t, 2, p.Count(desiredstate.Replace), p)
		require.Contains(t, p.String(), "it is listed, and has no effect")
		_, err = engine().Sync(t.Context(), want...)
		require.NoError(t, err)
		p, err = engine().Plan(t.Context(), want...)
		require.NoError(t, err)
		require.True(t, p.Empty(), p)
		_, err = engine().Sync(t.Context())
		require.NoError(t, err)
		left, err := vppnet.Collect(abf.NewServiceClient(hand).AbfPolicyDump(t.Context(), &abf.AbfPolicyDump{}))
		require.NoError(t, err)
		require.Empty(t, left)
	})
}

// What such an interface has beside what is put into effect comes again, of whichever message VPP's answer comes no more, as
// of a program that has died.
func TestAPolicyComesAgainBesideAnother(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		engine, hand := steering(t, vpp.Socket())
		by := abf.NewServiceClient(hand)
		mailed := func() bool {
			all, err := vppnet.Collect(by.AbfItfAttachDump(t.Context(), &abf.AbfItfAttachDump{}))
			require.NoError(t, err)
			return slices.ContainsFunc(all, func(d *abf.AbfItfAttachDetails) bool { return d.Attach.Priority == 1 })
		}
		a, web := vppnet.Loopback{Name: "a"}, l3.PolicyAttachment{Interface: "a", Set: "web"}
		want := []desiredstate.Object{vppnet.Loopback{Name: "b"}, a, web, l3.PolicyAttachment{Interface: "a", Set: "mail", Priority: 1}}
		want = append(want, steered()[len(router()):len(router())+2]...)
		for _, set := range []string{"web", "mail"} {
			want = append(want, l3.PolicyRoute{Set: set, Paths: []l3.Path{{Interface: "b", NextHop: hop(false, 2)}}})
		}
		for nth := range 6 { // web goes and comes, then both
			r, err := engine().Sync(t.Context(), want...)
			require.NoError(t, err)
			is, _ := r.Of(a.Key())
			_, err = interfaces.NewServiceClient(hand).DeleteLoopback(t.Context(), &interfaces.DeleteLoopback{SwIfIndex: interface_types.InterfaceIndex(is.ID)})
			require.NoError(t, err)
			_, err = engine().Ensure(t.Context(), a)
			require.NoError(t, err)
			vpp.Inject(vpptest.Fault{Message: "abf_itf_attach_add_del", Nth: 1 + nth, Kind: vpptest.Drop})
			_, err = engine().Ensure(t.Context(), web)
			require.Error(t, err, "message %d", 1+nth)
			vpp.Heal()
			require.True(t, mailed(), "message %d", 1+nth)
		}
	})
}

// A policy that others gave to an interface stays, as VPP would die; theirs have their numbers, can be
// referred to, and stay.
func TestPoliciesOfOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, socket string) {
		engine, hand := steering(t, socket)
		vpp := abf.NewServiceClient(hand)
		ours := l3.PolicyRoute{Set: "web", Paths: []l3.Path{{Interface: "b", NextHop: hop(false, 2)}}}
		want := []desiredstate.Object{vppnet.Loopback{Name: "b"}, vppnet.Loopback{Name: "a"}, steered()[len(router())], ours}
		r, err := engine().Sync(t.Context(), want...)
		require.NoError(t, err)
		b, _ := r.Of(vppnet.InterfaceKey("b"))
		policy, _ := r.Of(ours.Key())
		attach := &abf.AbfItfAttachAddDel{IsAdd: true, Attach: abf.AbfItfAttach{PolicyID: policy.ID, SwIfIndex: interface_types.InterfaceIndex(b.ID), IsIPv6: true}}
		_, err = vpp.AbfItfAttachAddDel(t.Context(), attach)
		require.NoError(t, err)
		_, err = engine().Remove(t.Context(), ours.Key())
		require.ErrorIs(t, err, desiredstate.ErrInUse)
		attach.IsAdd = false
		_, err = vpp.AbfItfAttachAddDel(t.Context(), attach)
		require.NoError(t, err)
		_, err = engine().Remove(t.Context(), ours.Key())
		require.NoError(t, err)

		all, err := vppnet.Collect(vpp.AbfPolicyDump(t.Context(), &abf.AbfPolicyDump{}))
		require.NoError(t, err)
		require.Empty(t, all)
		_, err = engine().Ensure(t.Context(), ours)
		require.NoError(t, err)
		all, err = vppnet.Collect(vpp.AbfPolicyDump(t.Context(), &abf.AbfPolicyDump{}))
		require.NoError(t, err)
		theirs := all[0].Policy
		theirs.PolicyID = 7
		_, err = vpp.AbfPolicyAddDel(t.Context(), &abf.AbfPolicyAddDel{IsAdd: true, Policy: theirs})
		require.NoError(t, err)
		want = append(want, l3.PolicyAttachment{Interface: "a", Set: "web"}, l3.PolicyAttachment{Interface: "a", Set: "vpp:7"})
		_, err = engine().Sync(t.Context(), want...)
		require.NoError(t, err)
		p, err := engine().Plan(t.Context(), want...)
		require.NoError(t, err)
		require.True(t, p.Empty(), p)
		_, err = engine().Sync(t.Context(), want[:2]...)
		require.NoError(t, err)
		all, err = vppnet.Collect(vpp.AbfPolicyDump(t.Context(), &abf.AbfPolicyDump{}))
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.EqualValues(t, 7, all[0].Policy.PolicyID)
	})
}

// An interface of ours that has a policy of others on a set of ours lets go of the set before that is removed.
func TestASetInAPolicyOfOthersGoesLast(t *testing.T) {
	onBoth(t, func(t *testing.T, socket string) {
		engine, hand := steering(t, socket)
		loop, web := vppnet.Loopback{Name: "loop"}, steered()[len(router())]
		r, err := engine().Ensure(t.Context(), loop, web)
		require.NoError(t, err)
		set, _ := r.Of(web.Key())
		by, _ := r.Of(loop.Key())
		_, err = abf.NewServiceClient(hand).AbfPolicyAddDel(t.Context(), &abf.AbfPolicyAddDel{IsAdd: true, Policy: abf.AbfPolicy{
			PolicyID: 7, ACLIndex: set.ID, NPaths: 1, Paths: []fib_types.FibPath{{
				SwIfIndex: by.ID, Weight: 1, Nh: fib_types.FibPathNh{Address: ip_types.AddressUnionIP4(ip_types.IP4Address{10, 9, 0, 2})},
			}},
		}})
		require.NoError(t, err)
		on := l3.PolicyAttachment{Interface: "loop", Set: "vpp:7"}
		_, err = engine().Ensure(t.Context(), on)
		require.NoError(t, err)
		_, err = engine().Remove(t.Context(), web.Key())
		require.ErrorIs(t, err, desiredstate.ErrInUse)
		require.ErrorIs(t, err, api.ACL_IN_USE_BY_LOOKUP_CONTEXT)

		e := engine()
		e.Parallel = 1
		_, err = e.Remove(t.Context(), web.Key(), on.Key())
		require.NoError(t, err)
		p, err := engine().Plan(t.Context(), loop)
		require.NoError(t, err)
		require.True(t, p.Empty(), p)
	})
}

// VPP asks the lowest priority first, whatever was attached first; beyond the highest that is valid, it does not.
func TestPriorities(t *testing.T) {
	vpp := vpptest.Real(t)
	engine, _ := steering(t, vpp.Socket())
	web := l3.PolicyAttachment{Interface: "a", Set: "web", Priority: 1<<31 - 1}
	want := []desiredstate.Object{vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"}, web}
	for _, set := range []string{"web", "mail"} {
		want = append(want, acl.Set{Name: set, Rules: []acl.Rule{{Action: acl.Permit, Family: acl.IPv4}}},
			l3.PolicyRoute{Set: set, Paths: []l3.Path{{Interface: "b", NextHop: hop(false, 2)}}})
	}
	_, err := engine().Ensure(t.Context(), want...)
	require.NoError(t, err)
	r, err := engine().Ensure(t.Context(), vppnet.Loopback{Name: "a"}, l3.PolicyAttachment{Interface: "a", Set: "mail"})
	require.NoError(t, err)
	a, _ := r.Of(vppnet.InterfaceKey("a"))
	names, err := vpp.CLI("show interface")
	require.NoError(t, err)
	for line := range strings.Lines(names) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == fmt.Sprint(a.ID) {
			asked, err := vpp.CLI("show abf attach " + f[0])
			require.NoError(t, err)
			first, second := strings.Index(asked, "priority:0"), strings.Index(asked, "priority:2147483647")
			require.Positive(t, first, asked)
			require.Greater(t, second, first, asked)
			return
		}
	}
	require.Fail(t, "no such interface", names)
}

func TestValidatePolicies(t *testing.T) {
	by := func(n int) l3.Path { return l3.Path{Interface: "b", NextHop: hop(false, n)} }
	heavy, late := by(1), by(1)
	heavy.Weight, late.Preference = 3, 1
	for _, tc := range []struct {
		o   desiredstate.Object
		err string
	}{
		{l3.PolicyRoute{Set: "web", Paths: []l3.Path{by(1), by(2), {NextHop: hop(false, 1), Table: "red"}}}, ""},
		{l3.PolicyRoute{Paths: []l3.Path{by(1)}}, "set: name is empty"},
		{l3.PolicyRoute{Set: "vpp:7", Paths: []l3.Path{by(1)}}, "set: "},
		{l3.PolicyRoute{Set: "other/web", Paths: []l3.Path{by(1)}}, "set: "},
		{l3.PolicyRoute{Set: "web"}, "0 paths"},
		{l3.PolicyRoute{Set: "web", Paths: []l3.Path{by(1), heavy}}, "give it more weight"},
		{l3.PolicyRoute{Set: "web", Paths: []l3.Path{by(1), late}}, "by another preference"},
		{l3.PolicyRoute{Set: "web", Paths: []l3.Path{{Table: "red"}}}, "looked up in a table"},
		{l3.PolicyRoute{Set: "web", Paths: []l3.Path{{Local: true}}}, "does not end in VPP"},
		{l3.PolicyRoute{Set: "web", IPv6: true, Paths: []l3.Path{by(1)}}, "no IPv4 next hop"},
		{l3.PolicyAttachment{Interface: "a", Set: "web"}, ""},
		{l3.PolicyAttachment{Interface: "a", Set: "vpp:7"}, ""},
		{l3.PolicyAttachment{Set: "web"}, "name is empty"},
		{l3.PolicyAttachment{Interface: "a"}, "set: name is empty"},
		{l3.PolicyAttachment{Interface: "a", Set: "web", Priority: 1<<31 - 1}, ""},
		{l3.PolicyAttachment{Interface: "a", Set: "web", Priority: 1 << 31}, "want at most 2147483647"},
	} {
		if err := tc.o.Validate(); tc.err == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, tc.err)
		}
	}
}

// What tenants send to the web goes by a proxy, whatever their table says.
func ExamplePolicyRoutes() {
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	ctx := context.Background()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "node1")
	if err != nil {
		panic(err)
	}
	defer c.Close()
	policies := l3.PolicyRoutes(c, acl.Sets(c))
	engine := desiredstate.New(vppnet.Loopbacks(c), acl.Sets(c), policies, l3.PolicyAttachments(c, policies))
	plan, err := engine.Plan(ctx,
		vppnet.Loopback{Name: "tenants"},
		vppnet.Loopback{Name: "proxies"},
		acl.Set{Name: "web", Rules: []acl.Rule{{Action: acl.Permit, Family: acl.IPv4, Protocol: acl.TCP, DstPorts: acl.Only(80)}}},
		l3.PolicyRoute{Set: "web", Paths: []l3.Path{{Interface: "proxies", NextHop: netip.MustParseAddr("192.0.2.9")}}},
		l3.PolicyAttachment{Interface: "tenants", Set: "web"},
	)
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	_, err = engine.Apply(ctx, plan)
	fmt.Println("error:", err)

	// Output:
	// + acl/web
	// + interface/proxies (loopback)
	// + interface/tenants (loopback)
	// + policy-attachment/tenants web ipv4
	// + policy-route/web ipv4
	// 5 to create
	// error: <nil>
}
