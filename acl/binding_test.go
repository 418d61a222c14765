// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"math/bits"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// onBoth runs a test on both VPPs.
func onBoth(t *testing.T, test func(t *testing.T, vpp vpptest.Target)) {
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t)) })
	t.Run("real", func(t *testing.T) { test(t, vpptest.NewProxy(t, vpptest.Real(t).Socket())) })
}

// engine is one of all kinds.
func engine(c *vppnet.Conn) *desiredstate.Engine { return desiredstate.New(kinds(c)...) }

// ensure gives VPP's handles, by key.
func ensure(t *testing.T, e *desiredstate.Engine, want ...desiredstate.Object) map[desiredstate.Key]uint32 {
	t.Helper()
	r, err := e.Ensure(t.Context(), want...)
	require.NoError(t, err)
	ids := map[desiredstate.Key]uint32{}
	for _, x := range r {
		ids[x.Key] = x.ID
	}
	return ids
}

// lists gives the sets on an interface as VPP tells.
func lists(t *testing.T, c *vppnet.Conn, id uint32) (in, out []uint32) {
	t.Helper()
	c.Uses(&binding.ACLInterfaceListDump{})
	all, err := vppnet.Collect(binding.NewServiceClient(c).ACLInterfaceListDump(t.Context(), &binding.ACLInterfaceListDump{SwIfIndex: interface_types.InterfaceIndex(id)}))
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0].Acls[:all[0].NInput], all[0].Acls[all[0].NInput:]
}

// features gives the L2 features of an interface as VPP tells.
func features(t *testing.T, c *vppnet.Conn, id uint32) uint32 {
	t.Helper()
	c.Uses(&l2.L2Flags{})
	r, err := l2.NewServiceClient(c).L2Flags(t.Context(), &l2.L2Flags{SwIfIndex: interface_types.InterfaceIndex(id), IsSet: true})
	require.NoError(t, err)
	return r.ResultingFeatureBitmap
}

// Sets of others on an interface stay there: those before ours before, all others
// after.
func TestSharedInterface(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		mine, theirs := dial(t, vpp.Socket(), "me"), dial(t, vpp.Socket(), "they")
		they, me := engine(theirs), engine(mine)
		id := ensure(t, me, vppnet.Loopback{Name: "lo"})[vppnet.InterfaceKey("lo")]
		r := ensure(t, they, acl.Set{Name: "f0"}, acl.Set{Name: "f1"})
		f0, f1 := r[acl.SetKey("f0")], r[acl.SetKey("f1")]
		r = ensure(t, me, acl.Set{Name: "a"}, acl.Set{Name: "b"}, acl.Set{Name: "c"})
		a, b, c := r[acl.SetKey("a")], r[acl.SetKey("b")], r[acl.SetKey("c")]

		theirs.Uses(&binding.ACLInterfaceSetACLList{})
		put := func(in ...uint32) { // as one who does not know of bindings
			_, err := binding.NewServiceClient(theirs).ACLInterfaceSetACLList(t.Context(), &binding.ACLInterfaceSetACLList{
				SwIfIndex: interface_types.InterfaceIndex(id), Count: uint8(len(in)), NInput: uint8(len(in)), Acls: in,
			})
			require.NoError(t, err)
		}
		check := func(wantIn, wantOut []uint32) {
			t.Helper()
			in, out := lists(t, mine, id)
			require.Equal(t, wantIn, in)
			require.ElementsMatch(t, wantOut, out)
		}
		put(f0, f1)
		ensure(t, me, acl.Binding{Interface: "lo", Input: []string{"b", "a"}})
		check([]uint32{b, a, f0, f1}, nil)
		put(f0, b, f1, a)
		ensure(t, me, acl.Binding{Interface: "lo", Input: []string{"a", "c"}, Output: []string{"a"}})
		check([]uint32{f0, a, c, f1}, []uint32{a})
		_, err := me.Remove(t.Context(), acl.BindingKey("lo"))
		require.NoError(t, err)
		check([]uint32{f0, f1}, nil)
	})
}

// No set goes before its binding, in one plan or another, and neither goes after
// the interface.
func TestSetsInUse(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		e := engine(dial(t, vpp.Socket(), "me"))
		e.MaxPrune = 1
		want := []desiredstate.Object{
			vppnet.Loopback{Name: "lo"},
			acl.Set{Name: "a"},
			acl.Set{Name: "b"},
			acl.Binding{Interface: "lo", Input: []string{"a", "b"}, Output: []string{"b"}},
			acl.MACIPSet{Name: "m", Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv4}}},
			acl.MACIPBinding{Interface: "lo", Set: "m"},
			acl.EtherTypes{Interface: "lo", Input: []uint16{0x806}},
		}
		ensure(t, e, want...)
		_, err := e.Remove(t.Context(), acl.SetKey("b"))
		require.ErrorIs(t, err, desiredstate.ErrInUse)
		_, err = e.Remove(t.Context(), acl.MACIPKey("m"))
		require.ErrorIs(t, err, desiredstate.ErrInUse, "VPP itself would delete it, and let all pass")

		// One that the binding no longer lists goes at once.
		_, err = e.Sync(t.Context(), want[0], want[1], acl.Binding{Interface: "lo", Input: []string{"a"}})
		require.NoError(t, err)
		// And all of it goes, interface included, and leaves nothing to the next one.
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
		p, err := e.Plan(t.Context())
		require.NoError(t, err)
		require.Zero(t, p.Count(desiredstate.Delete))
		ensure(t, e, vppnet.Loopback{Name: "next"})
		e.Forget()
		p, err = e.Plan(t.Context(), vppnet.Loopback{Name: "next"})
		require.NoError(t, err)
		require.Empty(t, p.Steps)
	})
}

// An interface of ours that is born with a list of ethertypes is rid of it.
func TestInheritedEtherTypes(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		e := engine(c)
		id := ensure(t, e, vppnet.Loopback{Name: "old"})[vppnet.InterfaceKey("old")]
		c.Uses(&binding.ACLInterfaceSetEtypeWhitelist{})
		_, err := binding.NewServiceClient(c).ACLInterfaceSetEtypeWhitelist(t.Context(), &binding.ACLInterfaceSetEtypeWhitelist{
			SwIfIndex: interface_types.InterfaceIndex(id), Count: 1, NInput: 1, Whitelist: []uint16{0x88cc},
		})
		require.NoError(t, err)
		_, err = vppnet.Loopbacks(c).Remove(t.Context(), vppnet.Loopback{Name: "old"}) // by one who knows nothing of lists
		require.NoError(t, err)
		e.Forget()
		require.Equal(t, id, ensure(t, e, vppnet.Loopback{Name: "new"})[vppnet.InterfaceKey("new")])
		e.Forget()
		p, err := e.Plan(t.Context(), vppnet.Loopback{Name: "new"})
		require.NoError(t, err)
		require.Equal(t, 1, p.Count(desiredstate.Delete), "%s", p)
		_, err = e.Sync(t.Context(), vppnet.Loopback{Name: "new"})
		require.NoError(t, err)
		p, err = e.Plan(t.Context(), vppnet.Loopback{Name: "new"})
		require.NoError(t, err)
		require.Empty(t, p.Steps)
	})
}

// An interface that left its bridge domain and comes back has no filter, though
// VPP lists it. It is found, and mended in one message.
func TestLostFilter(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		e := engine(c)
		want := append(filtered(), acl.Binding{Interface: "port", Input: []string{"x"}, Output: []string{"y"}},
			acl.MACIPBinding{Interface: "port", Set: "x"}, acl.EtherTypes{Interface: "port", Input: []uint16{0x806, 0x88cc}, Output: []uint16{0x806}})
		r := ensure(t, e, filtered()...)
		id := r[vppnet.InterfaceKey("port")]
		bare := features(t, c, id)
		ensure(t, e, want...)
		lit := features(t, c, id)
		require.Equal(t, 2, bits.OnesCount32(lit&^bare))

		c.Uses(&l2.SwInterfaceSetL2Bridge{})
		for _, on := range []bool{false, true} {
			_, err := l2.NewServiceClient(c).SwInterfaceSetL2Bridge(t.Context(), &l2.SwInterfaceSetL2Bridge{
				RxSwIfIndex: interface_types.InterfaceIndex(id), BdID: r[vppnet.BridgeKey("net")], Enable: on,
			})
			require.NoError(t, err)
		}
		require.Equal(t, bare, features(t, c, id))
		e.Forget()
		vpp.ResetLog()
		plan, err := e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Equal(t, 2, plan.Count(desiredstate.Update), "%s", plan)
		_, err = e.Apply(t.Context(), plan)
		require.NoError(t, err)
		require.Equal(t, lit, features(t, c, id))
		require.Equal(t, 3, vpp.Writes(), "the lists again, to no effect; the ethertypes again; the MACIP set again: %v", vpp.Sent())
		e.Forget()
		plan, err = e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Empty(t, plan.Steps, "%s", plan)
	})
}

// With After, what this library does itself does not get that far: the binding
// goes before the port leaves, the link before both.
func TestAfter(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		e := engine(c)
		port := vppnet.BridgePortKey("port")
		bind := acl.Binding{Interface: "port", Input: []string{"x"}, After: []desiredstate.Key{port}}
		macip := acl.MACIPBinding{Interface: "port", Set: "x", After: []desiredstate.Key{port}}
		link := vppnet.LinkState{Interface: "port", Up: true, After: []desiredstate.Key{port, bind.Key(), macip.Key()}}
		want := append(filtered(), bind, macip, link)
		id := ensure(t, e, want...)[vppnet.InterfaceKey("port")]
		lit := features(t, c, id)

		vpp.ResetLog()
		r, err := e.Remove(t.Context(), link.Key(), bind.Key(), macip.Key(), port)
		require.NoError(t, err)
		require.Len(t, r, 4)
		sent := vpp.Sent()
		at := func(name string) int {
			for i, s := range sent {
				if s == name {
					return i
				}
			}
			t.Fatalf("%s is not in %v", name, sent)
			return 0
		}
		require.Less(t, at("sw_interface_set_flags"), at("acl_interface_set_acl_list"))
		require.Less(t, at("sw_interface_set_flags"), at("macip_acl_interface_add_del"))
		require.Less(t, at("acl_interface_set_acl_list"), at("sw_interface_set_l2_bridge"))
		require.Less(t, at("macip_acl_interface_add_del"), at("sw_interface_set_l2_bridge"))

		vpp.ResetLog()
		ensure(t, e, want...)
		sent = vpp.Sent()
		require.Less(t, at("acl_interface_set_acl_list"), at("sw_interface_set_flags"))
		require.Equal(t, lit, features(t, c, id))
	})
}

// A set changes in place: one message, and what is bound stays bound.
func TestOneMessage(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		e := engine(dial(t, vpp.Socket(), "me"))
		b := acl.Binding{Interface: "lo", Input: []string{"x", "y"}, Output: []string{"z"}}
		ensure(t, e, append(filtered(), b, acl.MACIPBinding{Interface: "lo", Set: "x"})...)
		one := func(message string, o desiredstate.Object) {
			t.Helper()
			vpp.ResetLog()
			r, err := e.Ensure(t.Context(), o)
			require.NoError(t, err)
			require.Equal(t, desiredstate.Update, r[0].Action)
			require.Equal(t, 1, vpp.Writes(), "%v", vpp.Sent())
			require.Contains(t, vpp.Sent(), message)
		}
		one("acl_add_replace", acl.Set{Name: "x", Rules: []acl.Rule{{Src: ten}}})
		one("acl_add_replace", acl.Set{Name: "x"})
		one("macip_acl_add_replace", acl.MACIPSet{Name: "x", Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv6}}})
		one("macip_acl_interface_add_del", acl.MACIPBinding{Interface: "lo", Set: "y"})
		b.Input, b.Output = []string{"z"}, []string{"y", "x"}
		one("acl_interface_set_acl_list", b)
	})
}

// A duplicate that a foreign hand made, or a lost answer, does not lead to a
// second set.
func TestLostAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
		e := engine(c)
		vpp.Inject(vpptest.Fault{Message: "acl_add_replace", Kind: vpptest.Drop})
		_, err := e.Ensure(t.Context(), acl.Set{Name: "a"})
		require.ErrorIs(t, err, vppnet.ErrTimeout)
		vpp.Heal()
		ensure(t, e, acl.Set{Name: "a", Rules: []acl.Rule{{Src: ten}}})
		c.Uses(&binding.ACLDump{})
		sets, err := vppnet.Collect(binding.NewServiceClient(c).ACLDump(t.Context(), &binding.ACLDump{ACLIndex: ^uint32(0)}))
		require.NoError(t, err)
		require.Len(t, sets, 1)
	})
}

// What is as large as Validate allows, VPP takes, and shows.
func TestLimits(t *testing.T) {
	e := engine(dial(t, vpptest.Real(t).Socket(), "me", vppnet.WithReplyTimeout(20*time.Second)))
	set := acl.Set{Name: "s"}
	for i := range uint16(acl.MaxRules) { // different ranges are what costs VPP most
		set.Rules = append(set.Rules, acl.Rule{Action: acl.PermitReflect, Family: acl.IPv6, Protocol: acl.UDP, DstPorts: acl.Between(i, i+i%100)})
	}
	same, spread := acl.MACIPSet{Name: "same"}, acl.MACIPSet{Name: "spread"}
	for i := range uint16(acl.MaxMACIPRules) {
		a := [16]byte{0x20, 1, 14: byte(i >> 8), 15: byte(i)}
		m := vppnet.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}
		same.Rules = append(same.Rules, acl.MACIPRule{Action: acl.Permit, Src: prefix(a, 128), MAC: m})
		spread.Rules = append(spread.Rules, acl.MACIPRule{Action: acl.Permit, Src: prefix([16]byte{0x20, 1}, 16+int(i)%112), MAC: m})
	}
	want := []desiredstate.Object{
		vppnet.Loopback{Name: "lo"}, set, same, spread, acl.Binding{Interface: "lo", Input: []string{"s"}, Output: []string{"s"}}, acl.MACIPBinding{Interface: "lo", Set: "spread"},
	}
	ensure(t, e, want...)
	e.Forget()
	plan, err := e.Plan(t.Context(), want...)
	require.NoError(t, err)
	require.Empty(t, plan.Steps)
	e.MaxPrune = 1
	_, err = e.Sync(t.Context())
	require.NoError(t, err)
}

// A list of interfaces' sets that VPP's message cannot hold is refused, with what
// others have on it.
func TestTooManySets(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		mine, theirs := dial(t, vpp.Socket(), "me"), dial(t, vpp.Socket(), "they")
		var objects []desiredstate.Object
		var b acl.Binding
		for i := range 200 {
			s := acl.Set{Name: string(rune('a'+i%26)) + string(rune('a'+i/26))}
			objects, b.Input = append(objects, s), append(b.Input, s.Name)
		}
		b.Interface = "a"
		ensure(t, engine(theirs), append(objects, vppnet.Loopback{Name: "a"}, b)...)
		b.Interface = "they/a"
		_, err := engine(mine).Ensure(t.Context(), append(objects, b)...)
		require.ErrorContains(t, err, "400 sets with those of others, VPP can list 255")
		b.Input = b.Input[:55]
		ensure(t, engine(mine), append(objects, b)...)
	})
}

// VPP has no objection to sets with one tag. One of them is kept, and what others
// are bound to gets that.
func TestTwins(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		c.Uses(&binding.ACLAddReplace{}, &binding.ACLDump{}, &binding.ACLInterfaceSetACLList{})
		raw := binding.NewServiceClient(c)
		id := ensure(t, engine(c), vppnet.Loopback{Name: "lo"})[vppnet.InterfaceKey("lo")]
		for range 3 {
			_, err := raw.ACLAddReplace(t.Context(), &binding.ACLAddReplace{ACLIndex: ^uint32(0), Tag: "me/a"})
			require.NoError(t, err)
		}
		_, err := raw.ACLInterfaceSetACLList(t.Context(), &binding.ACLInterfaceSetACLList{
			SwIfIndex: interface_types.InterfaceIndex(id), Count: 1, NInput: 1, Acls: []uint32{1},
		})
		require.NoError(t, err)
		want := []desiredstate.Object{
			vppnet.Loopback{Name: "lo"}, acl.Set{Name: "a", Rules: []acl.Rule{{Src: ten}}}, acl.Binding{Interface: "lo", Input: []string{"a"}},
		}
		e := engine(c)
		e.MaxPrune = 1
		_, err = e.Sync(t.Context(), want...)
		require.NoError(t, err)
		sets, err := vppnet.Collect(raw.ACLDump(t.Context(), &binding.ACLDump{ACLIndex: ^uint32(0)}))
		require.NoError(t, err)
		require.Len(t, sets, 1)
		require.Len(t, sets[0].R, 1)
		in, _ := lists(t, c, id)
		require.Equal(t, []uint32{sets[0].ACLIndex}, in)
	})
}
