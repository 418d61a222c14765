// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/acl"
	tables "go.fd.io/govpp/binapi/classify"
	"go.fd.io/govpp/binapi/feature"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

const noTable = ^uint32(0)

// someone puts tables of the classifier on interfaces, and binds MACIP sets, as no kind does.
type someone struct {
	t      testing.TB
	socket string
	c      *vppnet.Conn
	vpp    tables.RPCService
	table  uint32
}

func newSomeone(t testing.TB, socket string) *someone {
	s := &someone{t: t, socket: socket, c: dial(t, socket, "someone")}
	s.c.Uses(&tables.ClassifyAddDelTable{}, &tables.InputACLSetInterface{}, &tables.OutputACLSetInterface{}, &tables.ClassifyTableByInterface{},
		&binding.MacipACLInterfaceAddDel{}, &binding.MacipACLInterfaceListDump{})
	s.vpp = tables.NewServiceClient(s.c)
	r, err := s.vpp.ClassifyAddDelTable(t.Context(), &tables.ClassifyAddDelTable{
		IsAdd: true, TableIndex: noTable, Nbuckets: 2, MemorySize: 1 << 20, MatchNVectors: 1, NextTableIndex: noTable, MissNextIndex: noTable, MaskLen: 16, Mask: make([]byte, 16),
	})
	require.NoError(t, err)
	s.table = r.NewTableIndex
	return s
}

// places are where a table can filter what comes in: IPv4, IPv6, bridged.
type places [3]bool

func (s *someone) filter(id uint32, at places, on bool) {
	s.t.Helper()
	q := [3]uint32{noTable, noTable, noTable}
	for i := range at {
		if at[i] {
			q[i] = s.table
		}
	}
	_, err := s.vpp.InputACLSetInterface(s.t.Context(), &tables.InputACLSetInterface{
		SwIfIndex: interface_types.InterfaceIndex(id), IP4TableIndex: q[0], IP6TableIndex: q[1], L2TableIndex: q[2], IsAdd: on,
	})
	require.NoError(s.t, err)
}

// in are the tables by which VPP filters what comes in.
func (s *someone) in(id uint32) [3]uint32 {
	s.t.Helper()
	r, err := s.vpp.ClassifyTableByInterface(s.t.Context(), &tables.ClassifyTableByInterface{SwIfIndex: interface_types.InterfaceIndex(id)})
	require.NoError(s.t, err)
	return [3]uint32{r.IP4TableID, r.IP6TableID, r.L2TableID}
}

func (s *someone) bind(id, set uint32) {
	s.t.Helper()
	_, err := binding.NewServiceClient(s.c).MacipACLInterfaceAddDel(s.t.Context(), &binding.MacipACLInterfaceAddDel{IsAdd: true, SwIfIndex: interface_types.InterfaceIndex(id), ACLIndex: set})
	require.NoError(s.t, err)
}

// secure wants that an interface's sources are checked, in all three places.
func (s *someone) secure(id uint32) {
	s.t.Helper()
	in := s.in(id)
	require.NotEqual(s.t, noTable, in[0])
	require.NotEqual(s.t, s.table, in[0])
	require.Equal(s.t, [3]uint32{in[0], in[0], in[0]}, in)
	require.Len(s.t, s.bound(id), 1)
}

// bound are the MACIP sets that VPP lists for an interface.
func (s *someone) bound(id uint32) (sets []uint32) {
	s.t.Helper()
	all, err := vppnet.Collect(binding.NewServiceClient(s.c).MacipACLInterfaceListDump(s.t.Context(), &binding.MacipACLInterfaceListDump{SwIfIndex: interface_types.InterfaceIndex(id)}))
	require.NoError(s.t, err)
	for _, d := range all {
		for _, set := range d.Acls {
			if set != noTable {
				sets = append(sets, set)
			}
		}
	}
	return sets
}

var macs = acl.MACIPSet{Name: "macs", Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv4, MAC: mac(5)}, {Action: acl.Permit, Family: acl.IPv6, MAC: mac(5)}}}

var checked = acl.MACIPBinding{Interface: "port", Set: "macs", After: after("port")}

func everyPlace(t *testing.T, test func(t *testing.T, at places, vpp vpptest.Target)) {
	for name, at := range map[string]places{
		"IPv4": {true}, "IPv6": {false, true}, "bridged": {false, false, true}, "IPv4 and IPv6": {true, true}, "all": {true, true, true},
	} {
		t.Run(name, func(t *testing.T) { onBoth(t, func(t *testing.T, vpp vpptest.Target) { test(t, at, vpp) }) })
	}
}

// refused wants that sources cannot be checked, and that this is said, with the interface, and
// what is not so is not shown; what else filters stays.
func (s *someone) refused(e *desiredstate.Engine, id uint32, want ...desiredstate.Object) {
	s.t.Helper()
	before := s.in(id)
	for range 2 {
		_, err := e.Ensure(s.t.Context(), want...)
		require.ErrorIs(s.t, err, desiredstate.ErrConflict)
		require.ErrorContains(s.t, err, "what port receives is filtered by table")
		require.Equal(s.t, before, s.in(id))
		require.Empty(s.t, s.bound(id))
		e.Forget()
	}
	p, err := engine(dial(s.t, s.socket, "me")).Plan(s.t.Context(), want...)
	require.NoError(s.t, err)
	require.Equal(s.t, 1, p.Count(desiredstate.Create), "%s", p)
}

// Where a table of the classifier filters, VPP binds a MACIP set to no effect, and says that all is
// well. Where a set is, it ignores such tables.
func TestMACIPBesideTablesOfOthers(t *testing.T) {
	everyPlace(t, func(t *testing.T, at places, vpp vpptest.Target) {
		s, e := newSomeone(t, vpp.Socket()), engine(dial(t, vpp.Socket(), "me"))
		id := ensure(t, e, append(filtered(), macs)...)[vppnet.InterfaceKey("port")]
		s.filter(id, at, true)
		s.refused(e, id, append(filtered(), macs, checked)...)
		s.filter(id, at, false)
		ensure(t, e, append(filtered(), macs, checked)...)
		s.secure(id)
		s.filter(id, at, true)
		s.secure(id)
		e.Forget()
		p, err := e.Plan(t.Context(), append(filtered(), macs, checked)...)
		require.NoError(t, err)
		require.Empty(t, p.Steps, "%s", p)
	})
}

// A binding without effect that somebody made, or a program that did not look, is found, is no less
// than it was as long as it cannot be mended, and is mended as soon as it can.
func TestMACIPBoundBesideTables(t *testing.T) {
	everyPlace(t, func(t *testing.T, at places, vpp vpptest.Target) {
		if at == (places{true, true, true}) {
			t.Skip("one table everywhere is what a set looks like; it is refused when it is bound")
		}
		s, e := newSomeone(t, vpp.Socket()), engine(dial(t, vpp.Socket(), "me"))
		want := append(filtered(), macs, checked, acl.Binding{Interface: "port", Input: []string{"x"}, After: after("port")})
		ids := ensure(t, e, append(filtered(), macs)...)
		id := ids[vppnet.InterfaceKey("port")]
		s.filter(id, at, true)
		s.bind(id, ids[acl.MACIPKey("macs")])
		before := s.in(id)

		for range 2 {
			e = engine(dial(t, vpp.Socket(), "me"))
			p, err := e.Plan(t.Context(), want...)
			require.NoError(t, err)
			require.Equal(t, 1, p.Count(desiredstate.Update), "%s", p)
			_, err = e.Ensure(t.Context(), want...)
			require.ErrorIs(t, err, desiredstate.ErrConflict)
			require.Equal(t, before, s.in(id))
		}
		s.filter(id, at, false)
		ensure(t, e, want...)
		s.secure(id)

		_, err := e.Remove(t.Context(), checked.Key())
		require.NoError(t, err)
		require.Equal(t, [3]uint32{noTable, noTable, noTable}, s.in(id))
	})
}

// What comes to filter right after it was looked for, and a set that VPP puts nowhere, is found all the same.
func TestMACIPRacesTable(t *testing.T) {
	for name, tc := range map[string]struct {
		table uint32 // that is there after all
		said  string
	}{
		"one comes":     {7, "is filtered by table 7 of the classifier"},
		"there is none": {noTable, "filters by no table what port receives"},
	} {
		t.Run(name, func(t *testing.T) {
			vpp := vpptest.New(t)
			s, e := newSomeone(t, vpp.Socket()), engine(dial(t, vpp.Socket(), "me"))
			id := ensure(t, e, append(filtered(), macs)...)[vppnet.InterfaceKey("port")]
			asked := 0
			vpptest.Handle(vpp, func(_ *vpptest.Call, q *tables.ClassifyTableByInterface) *tables.ClassifyTableByInterfaceReply {
				r := &tables.ClassifyTableByInterfaceReply{SwIfIndex: q.SwIfIndex, L2TableID: noTable, IP4TableID: noTable, IP6TableID: noTable}
				if asked++; asked > 1 {
					r.IP4TableID = tc.table
				}
				return r
			})
			_, err := e.Ensure(t.Context(), append(filtered(), macs, checked)...)
			require.ErrorIs(t, err, desiredstate.ErrConflict)
			require.ErrorContains(t, err, tc.said)
			require.Equal(t, 2, asked)
			require.Empty(t, s.bound(id))
		})
	}
}

// Our own inputs and MACIP sets exclude each other, whatever comes first; outputs do not mind.
func TestMACIPBesideOurTables(t *testing.T) {
	for name, at := range map[string]places{"IPv4": {true}, "IPv6": {false, true}} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, vpp vpptest.Target) {
				c := dial(t, vpp.Socket(), "me")
				s, memory := newSomeone(t, vpp.Socket()), new(vppnet.Memory)
				e := desiredstate.New(append(kinds(c), classify.Tables(c), classify.Inputs(c), classify.Outputs(c, memory))...)
				e.MaxPrune = 1
				with := func(objects ...desiredstate.Object) []desiredstate.Object {
					return append(append(filtered(), macs, classify.Table{Name: "t"}), objects...)
				}
				sync := func(objects ...desiredstate.Object) error {
					t.Helper()
					_, err := e.Sync(t.Context(), with(objects...)...)
					return err
				}
				in := classify.Input{Interface: "port", Table: "t", IPv6: at[1]}
				require.NoError(t, sync())
				id, err := e.ID(vppnet.InterfaceKey("port"))
				require.NoError(t, err)
				ours, err := e.ID(classify.TableKey("t"))
				require.NoError(t, err)
				s.table = ours

				require.ErrorIs(t, sync(in, checked), desiredstate.ErrConflict, "both are new")
				require.NoError(t, sync(in))
				require.Empty(t, s.bound(id))
				require.ErrorIs(t, sync(in, checked), desiredstate.ErrConflict)
				require.Empty(t, s.bound(id))
				require.NoError(t, sync(checked), "one takes the place of the other")
				s.secure(id)
				require.ErrorIs(t, sync(checked, in), desiredstate.ErrConflict)
				s.secure(id)

				out := classify.Output{Interface: "port", Table: "t", IPv6: at[1]}
				use := classify.Input{Interface: "port", Use: classify.CountFlows, Table: "t", IPv6: at[1]}
				require.NoError(t, sync(checked, out, use))
				s.secure(id)
				require.NoError(t, sync(out, use))
				require.NoError(t, sync(out, use, checked))
				s.secure(id)
				p, err := e.Plan(t.Context(), with(out, use, checked)...)
				require.NoError(t, err)
				require.Empty(t, p.Steps, "%s", p)
			})
		})
	}
}

// What a Binding is by, no table of the classifier takes the place of, on a routed interface either.
func TestBindingBesideTables(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		c.Uses(&feature.FeatureIsEnabled{})
		e := desiredstate.New(append(kinds(c), classify.Tables(c), classify.Inputs(c), classify.Outputs(c, new(vppnet.Memory)))...)
		e.MaxPrune = 1
		base := append(filtered(), classify.Table{Name: "t"})
		rules := acl.Binding{Interface: "lo", Input: []string{"x"}, Output: []string{"y"}}
		var beside []desiredstate.Object
		for _, ipv6 := range []bool{false, true} {
			for _, use := range []classify.Use{classify.Filter, classify.CountFlows} {
				beside = append(beside, classify.Input{Interface: "lo", Use: use, Table: "t", IPv6: ipv6})
			}
			beside = append(beside, classify.Output{Interface: "lo", Table: "t", IPv6: ipv6})
		}
		sync := func(objects ...[]desiredstate.Object) {
			t.Helper()
			_, err := e.Sync(t.Context(), slices.Concat(append(objects, base)...)...)
			require.NoError(t, err)
		}
		on := func(want bool) {
			t.Helper()
			id, err := e.ID(vppnet.InterfaceKey("lo"))
			require.NoError(t, err)
			for arc, name := range map[string]string{
				"ip4-unicast": "acl-plugin-in-ip4-fa", "ip6-unicast": "acl-plugin-in-ip6-fa", "l2-input-ip4": "acl-plugin-in-ip4-l2", "l2-input-ip6": "acl-plugin-in-ip6-l2",
				"ip4-output": "acl-plugin-out-ip4-fa", "ip6-output": "acl-plugin-out-ip6-fa", "l2-output-ip4": "acl-plugin-out-ip4-l2", "l2-output-ip6": "acl-plugin-out-ip6-l2",
			} {
				r, err := feature.NewServiceClient(c).FeatureIsEnabled(t.Context(), &feature.FeatureIsEnabled{ArcName: arc, FeatureName: name, SwIfIndex: interface_types.InterfaceIndex(id)})
				require.NoError(t, err)
				require.Equal(t, want, r.IsEnabled, name)
			}
		}
		both := []desiredstate.Object{rules}
		sync(both)
		on(true)
		sync(both, beside)
		on(true)
		sync(beside)
		on(false)
		sync(beside, both)
		on(true)
		sync(both)
		on(true)
	})
}
