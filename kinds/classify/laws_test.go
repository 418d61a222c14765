// SPDX-License-Identifier: Apache-2.0

package classify_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/classify"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Every kind keeps the laws, on both VPPs.

var source = classify.At(26, 255, 255, 255, 255)

func TestLawsOfTables(t *testing.T) {
	base := []desiredstate.Object{classify.Table{Name: "last", Deny: true}}
	laws(t, func(r rig) *desiredstate.Kind[classify.Table] { return classify.Tables(r.c) }, base, rapid.Custom(func(t *rapid.T) classify.Table {
		c := classify.Table{
			Name: kindrig.Pick(t, "name", "a", "b"), Mask: kindrig.Pick(t, "mask", source, source.And(0, 1), classify.At(100, 7), ""),
			Sessions: kindrig.Pick[uint32](t, "sessions", 0, 1, 100), Header: kindrig.Pick(t, "header", false, true),
			Next: kindrig.Pick(t, "next", "", "last", "stranger/a"),
		}
		if c.Header {
			c.Offset = kindrig.Pick[int16](t, "offset", 0, -14)
		}
		c.Deny = c.Next == "" && kindrig.Pick(t, "deny", false, true)
		return c
	}))
}

func TestLawsOfSessions(t *testing.T) {
	laws(t, func(r rig) *desiredstate.Kind[classify.Session] { return classify.Sessions(r.c, qos.Policers(r.c)) }, classified(), rapid.Custom(func(t *rapid.T) classify.Session {
		s := classify.Session{Table: kindrig.Pick(t, "table", "a", "b"), Match: kindrig.Pick(t, "match", "", classify.At(26, 10, 0, 0, 1), classify.At(27, 1))}
		if kindrig.Pick(t, "police", false, true) {
			s.Policer = kindrig.Pick(t, "policer", "gold", "tin", "stranger/a")
			return s
		}
		s.Deny, s.Advance = kindrig.Pick(t, "deny", false, true), kindrig.Pick[int32](t, "advance", 0, -3)
		return s
	}))
}

// classified is two tables, two policers and two interfaces.
func classified() []desiredstate.Object {
	return []desiredstate.Object{
		classify.Table{Name: "a", Mask: source, Sessions: 10},
		classify.Table{Name: "b", Mask: source, Sessions: 10, Next: "a"},
		qos.Policer{Name: "gold", Rate: 10000, Burst: 100000, Conform: qos.Transmit},
		qos.Policer{Name: "tin", Rate: 100, Burst: 10000, Conform: qos.Transmit},
		vppnet.Loopback{Name: "lo"},
		vppnet.Loopback{Name: "up"},
		vppnet.SubInterface{Name: "sub", Parent: "up", Outer: 100},
	}
}

func TestLawsOfInputs(t *testing.T) {
	laws(t, func(r rig) *desiredstate.Kind[classify.Input] { return classify.Inputs(r.c) }, classified(), rapid.Custom(func(t *rapid.T) classify.Input {
		return classify.Input{
			Interface: kindrig.Pick(t, "interface", "lo", "sub"), Use: kindrig.Pick(t, "use", classify.Filter, classify.Police, classify.CountFlows),
			IPv6: kindrig.Pick(t, "IPv6", false, true), Table: kindrig.Pick(t, "table", "a", "b"),
		}
	}))
}

func TestLawsOfOutputs(t *testing.T) {
	laws(t, func(r rig) *desiredstate.Kind[classify.Output] { return classify.Outputs(r.c, r.memory) }, classified(), rapid.Custom(func(t *rapid.T) classify.Output {
		return classify.Output{Interface: kindrig.Pick(t, "interface", "lo", "sub"), IPv6: kindrig.Pick(t, "IPv6", false, true), Table: kindrig.Pick(t, "table", "a", "b")}
	}))
}

// rig is a connection and what kinds on it need.
type rig struct {
	c      *vppnet.Conn
	memory *vppnet.Memory
}

// kinds are those of this package, and what they are tested with.
func (r rig) kinds() []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		classify.Tables(r.c), classify.Sessions(r.c, qos.Policers(r.c)), classify.Inputs(r.c), classify.Outputs(r.c, r.memory), qos.Policers(r.c),
		vppnet.Loopbacks(r.c), vppnet.SubInterfaces(r.c), vppnet.LinkStates(r.c),
	}
}

func laws[S desiredstate.Object](t *testing.T, kind func(rig) *desiredstate.Kind[S], base []desiredstate.Object, gen *rapid.Generator[S]) {
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		memories := map[string]*vppnet.Memory{"me": {}, "namesake": {}}
		kindtest.Run(t, kindtest.Suite[S]{Gen: gen, Checks: checks, Open: func(t testing.TB) kindtest.World[S] {
			world := func(owner string) kindtest.World[S] {
				r := rig{c: kindrig.Dial(t, vpp.Socket(), owner, vppnet.WithLostAfter(20*time.Millisecond)), memory: memories[owner]}
				return kindrig.World(vpp, state, kind(r), base, r.kinds())
			}
			w := world("me")
			w.Stranger = func() kindtest.World[S] { return world("namesake") }
			return w
		}})
	}
	kindrig.OnEachVPP(t, 4, stranger, state, run)
}

// indexes are those of all tables, as VPP lists them.
var indexes = regexp.MustCompile(`"ids":\[([0-9,]*)\]`)

// state is all that the kinds of this package can change, as far as VPP shows it. It is asked
// only for tables that there are: of others VPP says what its memory had.
func state(vpp *vpptest.Proxy) string {
	all := []api.Message{
		&interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}, &binding.ClassifyTableIds{},
		&binding.PolicerClassifyDump{Type: 0}, &binding.PolicerClassifyDump{Type: 1}, &binding.FlowClassifyDump{Type: 0}, &binding.FlowClassifyDump{Type: 1},
	}
	if found := indexes.FindStringSubmatch(vpp.State(&binding.ClassifyTableIds{})); found != nil {
		for _, digits := range strings.Split(found[1], ",") {
			if i, err := strconv.ParseUint(digits, 10, 32); err == nil {
				all = append(all, &binding.ClassifyTableInfo{TableID: uint32(i)}, &binding.ClassifySessionDump{TableID: uint32(i)})
			}
		}
	}
	for i := range interface_types.InterfaceIndex(6) {
		all = append(all, &binding.ClassifyTableByInterface{SwIfIndex: i})
	}
	return vpp.State(all...)
}

// stranger makes what is not ours.
func stranger(t *testing.T, socket string) {
	r := rig{c: kindrig.Dial(t, socket, "stranger"), memory: new(vppnet.Memory)}
	_, err := desiredstate.New(r.kinds()...).Ensure(t.Context(),
		qos.Policer{Name: "a", Type: qos.ThreeColors, Rate: 1, Burst: 1, Exceed: qos.Transmit}, vppnet.Loopback{Name: "b"},
		classify.Table{Name: "a", Mask: source, Deny: true}, classify.Session{Table: "a", Match: classify.At(26, 9), Deny: true},
		classify.Input{Interface: "b", Table: "a"}, classify.Input{Interface: "b", Use: classify.CountFlows, IPv6: true, Table: "a"}, classify.Output{Interface: "b", Table: "a"})
	require.NoError(t, err)
}
