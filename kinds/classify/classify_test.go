// SPDX-License-Identifier: Apache-2.0

package classify_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/classify"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// open is a program that starts: it remembers nothing.
func open(t testing.TB, socket string) (rig, *desiredstate.Engine) {
	r := rig{c: kindrig.Dial(t, socket, "me"), memory: new(vppnet.Memory)}
	return r, kindrig.Engine(r.kinds()...)
}

// someone speaks to VPP as no kind does.
func someone(t testing.TB, socket string) binding.RPCService {
	c := kindrig.Dial(t, socket, "someone")
	c.Uses(&binding.ClassifyAddDelTable{}, &binding.ClassifyAddDelSession{}, &binding.OutputACLSetInterface{}, &binding.InputACLSetInterface{}, &binding.ClassifyTableInfo{}, &binding.ClassifySessionDump{})
	return binding.NewServiceClient(c)
}

const none = ^uint32(0)

func plain(mask string) *binding.ClassifyAddDelTable {
	return &binding.ClassifyAddDelTable{
		IsAdd: true, TableIndex: none, Nbuckets: 16, MemorySize: 1 << 20, MatchNVectors: 1, SkipNVectors: 1, NextTableIndex: none, MissNextIndex: none, MaskLen: 16, Mask: []byte(mask),
	}
}

// A table that is no longer ours is left alone, be it like ours in all that VPP shows, by who
// goes by what he has read before.
func TestIndexThatIsAnothers(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		ctx, want := t.Context(), []desiredstate.Object{classify.Table{Name: "a", Mask: source, Sessions: 16}, classify.Session{Table: "a", Match: classify.At(26, 1)}}
		for name, do := range map[string]func(e *desiredstate.Engine) error{
			"removed": func(e *desiredstate.Engine) error { _, err := e.Sync(ctx); return err },
			"changed": func(e *desiredstate.Engine) error {
				_, err := e.Ensure(ctx, classify.Table{Name: "a", Mask: source, Sessions: 16, Deny: true}, want[1])
				return err
			},
			"filled": func(e *desiredstate.Engine) error {
				_, err := e.Ensure(ctx, want[0], want[1], classify.Session{Table: "a", Match: classify.At(26, 2), Deny: true})
				return err
			},
		} {
			r, e := open(t, vpp.Socket())
			_, err := e.Ensure(ctx, want...)
			require.NoError(t, err, name)
			id, err := e.Found(ctx)
			require.NoError(t, err)
			var at uint32
			for _, f := range id {
				if f.Key == classify.TableKey("a") {
					at = f.ID
				}
			}
			other := someone(t, vpp.Socket())
			_, err = other.ClassifyAddDelTable(ctx, &binding.ClassifyAddDelTable{TableIndex: at})
			require.NoError(t, err)
			made, err := other.ClassifyAddDelTable(ctx, plain("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00"))
			require.NoError(t, err)
			require.Equal(t, at, made.NewTableIndex)
			for range 3 { // what has changed behind its back is said, and read anew
				if err = do(e); err == nil {
					break
				}
			}
			require.NoError(t, err, name)
			info, err := other.ClassifyTableInfo(ctx, &binding.ClassifyTableInfo{TableID: at})
			require.NoError(t, err, name)
			require.Zero(t, info.ActiveSessions, name)
			require.Equal(t, none, info.NextTableIndex, name)
			_, err = e.Sync(ctx)
			require.NoError(t, err)
			_, err = other.ClassifyAddDelTable(ctx, &binding.ClassifyAddDelTable{TableIndex: at})
			require.NoError(t, err, name)
			require.NoError(t, r.c.Close())
		}
	})
}

// What an interface sends is filtered by the wanted table, and by no other, whatever was
// restarted, or put on and taken off by others; and a filter that is not ours stays.
func TestOutputs(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		ctx, base := t.Context(), classified()
		lo, other := base[4], someone(t, vpp.Socket())
		_, e := open(t, vpp.Socket())
		want := append(base[:5:5], classify.Output{Interface: "lo", Table: "a"})
		_, err := e.Ensure(ctx, want...)
		require.NoError(t, err)
		on := func(table uint32) bool { // which takes it off, if it is on
			_, err := other.OutputACLSetInterface(ctx, &binding.OutputACLSetInterface{SwIfIndex: 1, IP4TableIndex: table, IP6TableIndex: none, L2TableIndex: none})
			return err == nil
		}
		a, err := e.Found(ctx)
		require.NoError(t, err)
		ids := map[desiredstate.Key]uint32{}
		for _, f := range a {
			ids[f.Key] = f.ID
		}
		ta, tb := ids[classify.TableKey("a")], ids[classify.TableKey("b")]
		require.True(t, on(ta))
		_, err = e.Sync(ctx, want...) // it is put back
		require.NoError(t, err)
		e.Forget()
		_, err = e.Sync(ctx, want...)
		require.NoError(t, err)
		require.False(t, on(tb))

		_, e = open(t, vpp.Socket()) // which does not know by which table
		want[5] = classify.Output{Interface: "lo", Table: "b"}
		_, err = e.Sync(ctx, want...)
		require.NoError(t, err)
		require.False(t, on(ta))
		require.True(t, on(tb))
		require.False(t, on(tb), "once")

		theirs, err := other.ClassifyAddDelTable(ctx, plain("0123456789abcdef"))
		require.NoError(t, err)
		_, err = other.OutputACLSetInterface(ctx, &binding.OutputACLSetInterface{SwIfIndex: 1, IP4TableIndex: theirs.NewTableIndex, IP6TableIndex: none, L2TableIndex: none, IsAdd: true})
		require.NoError(t, err)
		_, e = open(t, vpp.Socket())
		_, err = e.Ensure(ctx, want...)
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		_, e = open(t, vpp.Socket())
		for range 2 {
			_, err = e.Sync(ctx, lo)
			require.NoError(t, err)
		}
		p, err := e.Plan(ctx, lo)
		require.NoError(t, err)
		require.True(t, p.Empty(), "%s", p)
		require.True(t, on(theirs.NewTableIndex), "what is not ours stays")
	})
}

// A set of MACs is a filter by tables that are not ours: it stays, and another one is refused.
func TestBesideSetsOfMACs(t *testing.T) {
	vpp := vpptest.NewProxy(t, vpptest.Real(t).Socket())
	r, e := open(t, vpp.Socket())
	set := acl.MACIPSet{Name: "macs", Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv4, MAC: kindrig.MAC(1)}}}
	bound := acl.MACIPBinding{Interface: "lo", Set: "macs"}
	lo := vppnet.Loopback{Name: "lo"}
	_, err := kindrig.Engine(vppnet.Loopbacks(r.c), acl.MACIPSets(r.c), acl.MACIPBindings(r.c)).Ensure(t.Context(), lo, set, bound)
	require.NoError(t, err)
	before := state(vpp)
	_, err = e.Sync(t.Context(), lo)
	require.NoError(t, err)
	require.Equal(t, before, state(vpp))
	_, err = e.Ensure(t.Context(), lo, classify.Table{Name: "a"}, classify.Input{Interface: "lo", Table: "a"})
	require.ErrorIs(t, err, desiredstate.ErrForeign)
}

// A table takes no more sessions than it was made for, and those that it has can change.
func TestFull(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		_, e := open(t, vpp.Socket())
		want := []desiredstate.Object{classify.Table{Name: "a", Mask: source, Sessions: 3}}
		for i := range byte(4) {
			want = append(want, classify.Session{Table: "a", Match: classify.At(26, 10, 0, 0, 1+i)})
		}
		_, err := e.Ensure(t.Context(), want...)
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), append(want, classify.Session{Table: "a", Match: classify.At(26, 11)})...)
		require.ErrorContains(t, err, "give it a larger Table.Sessions")
		want[1] = classify.Session{Table: "a", Match: classify.At(26, 10, 0, 0, 1), Deny: true}
		_, err = e.Sync(t.Context(), want...)
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), want[0], classify.Session{Table: "a", Match: classify.At(30, 1)})
		require.ErrorContains(t, err, "has bits that the mask 26:ffffffff of table a has not")
	})
}

// From 26.06 on policers are a plugin; VPP dies if a table for them is put on an interface without it.
func TestNoPolicers(t *testing.T) {
	refused := func(t *testing.T, socket string) (c *vppnet.Conn, err error) {
		c = kindrig.Dial(t, socket, "me")
		e := kindrig.Engine(vppnet.Loopbacks(c), classify.Tables(c), classify.Inputs(c))
		_, err = e.Ensure(t.Context(), vppnet.Loopback{Name: "lo"}, classify.Table{Name: "a", Mask: classify.At(26, 255)}, classify.Input{Interface: "lo", Table: "a"},
			classify.Input{Interface: "lo", Use: classify.Police, Table: "a"})
		kindrig.Dial(t, socket, "other") // it lives
		return c, err
	}
	t.Run("in memory", func(t *testing.T) {
		_, err := refused(t, vpptest.New(t, vpptest.Release("26.06"), vpptest.WithoutPlugin("policer")).Socket())
		require.ErrorIs(t, err, vppnet.ErrUnsupported)
		require.ErrorContains(t, err, "classify-input/lo police IPv4")
		require.ErrorContains(t, err, "load its policer plugin")
	})
	t.Run("real", func(t *testing.T) {
		vpp := vpptest.Real(t, vpptest.WithStartup("plugins { plugin policer_plugin.so { disable } }"))
		c, err := refused(t, vpp.Socket())
		if _, there := c.CRC("policer_dump_v2"); there {
			require.NoError(t, err, "%s has them built in", c.VPP().Version)
			return
		}
		require.ErrorIs(t, err, vppnet.ErrUnsupported)
	})
}

// Whatever message was the last that VPP heard of us, nothing is left of it.
func TestAbandoned(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		want := append(classified(), classify.Session{Table: "b", Match: "", Policer: "tin"}, classify.Input{Interface: "sub", Use: classify.Police, Table: "b"}, classify.Output{Interface: "lo", IPv6: true, Table: "a"})
		kindrig.Abandoned(t, vpp, state, func() *desiredstate.Engine { _, e := open(t, vpp.Socket()); return e }, want...)
	})
}

func TestPatterns(t *testing.T) {
	require.Equal(t, "26:0a000001 34:01bb", classify.At(26, 10, 0, 0, 1).And(34, 1, 187).String())
	require.ErrorContains(t, new(classify.Pattern).UnmarshalText([]byte("26")), "want an offset")
	rapid.Check(t, func(t *rapid.T) {
		p := classify.At(rapid.IntRange(0, 100).Draw(t, "at"), rapid.SliceOfN(rapid.SampledFrom([]byte{0, 0, 0, 1, 255}), 0, 100).Draw(t, "bytes")...)
		var q classify.Pattern
		require.NoError(t, q.UnmarshalText([]byte(p.String())))
		require.Equal(t, p, q)
	})
}

func TestRefused(t *testing.T) {
	for why, o := range map[string]desiredstate.Object{
		"want at most 5":                     classify.Table{Name: "a", Mask: classify.At(0, 1).And(95, 1)},
		"reaches 257 bytes":                  classify.Table{Name: "a", Mask: classify.At(256, 1)},
		"ends in zeros":                      classify.Session{Table: "a", Match: "\x00"},
		"that one says whether it is drop":   classify.Table{Name: "a", Next: "b", Deny: true},
		"comes after itself":                 classify.Table{Name: "a", Next: "a"},
		"begins at a header has an offset":   classify.Table{Name: "a", Offset: 2},
		"filters or chooses policers":        classify.Session{Table: "a", Deny: true, Policer: "p"},
		"contains a slash":                   classify.Input{Interface: "lo", Table: "node2/a"},
		"room for 1048577 sessions":          classify.Table{Name: "a", Sessions: 1<<20 + 1},
		"use 3, which VPP does not have":     classify.Input{Interface: "lo", Table: "a", Use: 3},
		"interface: name is empty":           classify.Output{Table: "a"},
		"policer \"vpp:\": want VPP's name ": classify.Session{Table: "a", Policer: "vpp:"},
	} {
		require.ErrorContains(t, o.Validate(), why)
	}
	_, e := open(t, vpptest.New(t, vpptest.WithInterface("nic")).Socket())
	_, err := e.Ensure(t.Context(), classify.Table{Name: "a"}, classify.Input{Interface: vppnet.Foreign("nic"), Table: "a"})
	require.ErrorIs(t, err, desiredstate.ErrForeign)
}
