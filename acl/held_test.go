// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A name and an index belong together only as long as VPP says so.
func TestHeld(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		mine, theirs := dial(t, vpp.Socket(), "me"), dial(t, vpp.Socket(), "they")
		macip := func(name string) acl.MACIPSet {
			return acl.MACIPSet{Name: name, Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv4}}}
		}
		r := ensure(t, engine(mine), acl.Set{Name: "a"}, acl.Set{Name: "b"}, macip("a"), macip("b"))
		s := ensure(t, engine(theirs), acl.Set{Name: "a"}, macip("a"))
		raw := binding.NewServiceClient(theirs)
		theirs.Uses(&binding.ACLAddReplace{}, &binding.MacipACLAddReplace{}, &binding.ACLDel{}, &binding.MacipACLDel{})
		_, err := raw.ACLDel(t.Context(), &binding.ACLDel{ACLIndex: r[acl.SetKey("b")]})
		require.NoError(t, err)
		_, err = raw.MacipACLDel(t.Context(), &binding.MacipACLDel{ACLIndex: r[acl.MACIPKey("b")]})
		require.NoError(t, err)

		names := []string{"a", "b", "they/a", "a", "a", vppnet.Foreign("9999"), "b"}
		want := []bool{true, false, true, false, true, false, false}
		held := func(key func(string) desiredstate.Key) (out []desiredstate.Held) {
			a := r[key("a")]
			for i, id := range []uint32{a, r[key("b")], s[key("a")], s[key("a")], a, 9999, ^uint32(0)} {
				out = append(out, desiredstate.Held{Key: key(names[i]), ID: id})
			}
			return out
		}
		sets, macips := acl.Sets(mine), acl.MACIPSets(mine)
		check := func() {
			t.Helper()
			got, err := sets.Verify(t.Context(), held(acl.SetKey))
			require.NoError(t, err)
			require.Equal(t, want, got)
			got, err = macips.Verify(t.Context(), held(acl.MACIPKey))
			require.NoError(t, err)
			require.Equal(t, want, got)
			// So many that it is cheaper to look at all.
			var many []desiredstate.Held
			for range 10 {
				many = append(many, held(acl.SetKey)...)
			}
			for i := range 20 {
				many = append(many, desiredstate.Held{Key: acl.SetKey("a"), ID: uint32(10000 + i)})
			}
			got, err = sets.Verify(t.Context(), many)
			require.NoError(t, err)
			require.Equal(t, append(slices.Repeat(want, 10), make([]bool, 20)...), got)
		}
		check()
		// Somebody gets the indexes of those that have gone.
		set, err := raw.ACLAddReplace(t.Context(), &binding.ACLAddReplace{ACLIndex: ^uint32(0), Tag: "they/b"})
		require.NoError(t, err)
		require.Equal(t, r[acl.SetKey("b")], set.ACLIndex)
		m, err := raw.MacipACLAddReplace(t.Context(), &binding.MacipACLAddReplace{ACLIndex: ^uint32(0)})
		require.NoError(t, err)
		require.Equal(t, r[acl.MACIPKey("b")], m.ACLIndex)
		check()
		got, err := sets.Verify(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, got)
	})
}

// Somebody else's set on an index that was ours stays on the interface, and in its place:
// whatever we do with our own, knowing nothing of it.
func TestStrangerOnOurIndex(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		e := engine(c)
		c.Uses(&binding.ACLInterfaceSetACLList{}, &binding.ACLDel{}, &binding.ACLAddReplace{},
			&binding.MacipACLInterfaceAddDel{}, &binding.MacipACLDel{}, &binding.MacipACLAddReplace{}, &binding.MacipACLInterfaceListDump{})
		raw := binding.NewServiceClient(c)
		macip := acl.MACIPSet{Name: "m", Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv4}}}
		r := ensure(t, e, vppnet.Loopback{Name: "lo"}, acl.Set{Name: "a"}, acl.Set{Name: "b"}, macip,
			acl.Binding{Interface: "lo", Input: []string{"a", "b"}}, acl.MACIPBinding{Interface: "lo", Set: "m"})
		lo := interface_types.InterfaceIndex(r[vppnet.InterfaceKey("lo")])
		put := func(sets ...uint32) {
			_, err := raw.ACLInterfaceSetACLList(t.Context(), &binding.ACLInterfaceSetACLList{
				SwIfIndex: lo, Count: uint8(len(sets)), NInput: uint8(len(sets)), Acls: sets,
			})
			require.NoError(t, err)
		}
		a, b, m := r[acl.SetKey("a")], r[acl.SetKey("b")], r[acl.MACIPKey("m")]
		put()
		_, err := raw.ACLDel(t.Context(), &binding.ACLDel{ACLIndex: a})
		require.NoError(t, err)
		set, err := raw.ACLAddReplace(t.Context(), &binding.ACLAddReplace{ACLIndex: ^uint32(0), Tag: "they/a"})
		require.NoError(t, err)
		require.Equal(t, a, set.ACLIndex)
		put(a, b)
		_, err = raw.MacipACLDel(t.Context(), &binding.MacipACLDel{ACLIndex: m})
		require.NoError(t, err)
		theirs, err := raw.MacipACLAddReplace(t.Context(), &binding.MacipACLAddReplace{ACLIndex: ^uint32(0), Tag: "they/m"})
		require.NoError(t, err)
		require.Equal(t, m, theirs.ACLIndex)
		_, err = raw.MacipACLInterfaceAddDel(t.Context(), &binding.MacipACLInterfaceAddDel{IsAdd: true, SwIfIndex: lo, ACLIndex: m})
		require.NoError(t, err)

		_, err = e.Ensure(t.Context(), acl.Binding{Interface: "lo", Output: []string{"b"}})
		require.NoError(t, err)
		in, out := lists(t, c, uint32(lo))
		require.Equal(t, []uint32{a}, in)
		require.Equal(t, []uint32{b}, out)
		_, err = e.Remove(t.Context(), acl.BindingKey("lo"), acl.MACIPBindingKey("lo"))
		require.NoError(t, err)
		in, out = lists(t, c, uint32(lo))
		require.Equal(t, []uint32{a}, in)
		require.Empty(t, out)
		bound, err := vppnet.Collect(raw.MacipACLInterfaceListDump(t.Context(), &binding.MacipACLInterfaceListDump{SwIfIndex: lo}))
		require.NoError(t, err)
		require.Equal(t, []uint32{m}, bound[0].Acls)
	})
}

// Two owners that want MACIP sets on one interface do not take turns: who came first
// stays, whoever's interface it is, and the other is told. An interface goes with all.
func TestTwoOwnersOfOnePlace(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		macip := acl.MACIPSet{Name: "m", Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv4}}}
		me, they := engine(dial(t, vpp.Socket(), "me")), engine(dial(t, vpp.Socket(), "they"))
		me.MaxPrune, they.MaxPrune = 1, 1
		mine := []desiredstate.Object{vppnet.Loopback{Name: "lo"}, macip}
		theirs := []desiredstate.Object{macip, acl.MACIPBinding{Interface: "me/lo", Set: "m"}}
		ensure(t, me, mine...)
		ensure(t, they, theirs...)
		vpp.ResetLog()
		for range 2 {
			for e, want := range map[*desiredstate.Engine][]desiredstate.Object{me: mine, they: theirs} {
				e.Forget()
				_, err := e.Sync(t.Context(), want...)
				require.NoError(t, err)
			}
		}
		require.Zero(t, vpp.Writes(), "%v", vpp.Sent())
		_, err := me.Ensure(t.Context(), acl.MACIPBinding{Interface: "lo", Set: "m"})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		me.Forget()
		_, err = me.Remove(t.Context(), vppnet.InterfaceKey("lo"))
		require.NoError(t, err)
	})
}
