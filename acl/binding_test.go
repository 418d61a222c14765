// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

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
