// SPDX-License-Identifier: Apache-2.0

package kindrig

import (
	"testing"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// World is one of laws: a kind on a VPP, what is there besides, and the other kinds of those
// that it is tested with.
func World[S desiredstate.Object](vpp vpptest.Target, state func() string, k *desiredstate.Kind[S], base []desiredstate.Object, all []desiredstate.AnyKind) kindtest.World[S] {
	w := kindtest.World[S]{Kind: k, Base: base, State: state, Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal}
	for _, m := range all {
		if m.KindName() != k.Name {
			w.More = append(w.More, m)
		}
	}
	return w
}

// Owners opens worlds of laws as their owner, and as a namesake of whom nothing is known: a kind on a
// VPP, and the others of those that it is tested with.
func Owners[S desiredstate.Object](vpp vpptest.Target, state func() string, base []desiredstate.Object,
	kind func(*vppnet.Conn) *desiredstate.Kind[S], all func(*vppnet.Conn) []desiredstate.AnyKind,
) func(testing.TB) kindtest.World[S] {
	return func(t testing.TB) kindtest.World[S] {
		world := func(owner string) kindtest.World[S] {
			c := Dial(t, vpp.Socket(), owner, vppnet.WithLostAfter(20*time.Millisecond))
			return World(vpp, state, kind(c), base, all(c))
		}
		w := world("me")
		w.Stranger = func() kindtest.World[S] { return world("namesake") }
		return w
	}
}

// OnEachVPP runs laws on VPPs of three releases in memory, and with four checks on a real one, whose
// state is read. On each, others make theirs first.
func OnEachVPP(t *testing.T, checks int, others func(*testing.T, string), state func(*vpptest.Proxy) string,
	run func(t *testing.T, checks int, vpp vpptest.Target, state func() string), options ...vpptest.RealOption,
) {
	InMemory(t, checks, others, run)
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		vpp := onReal(t, options...)
		others(t, vpp.Socket())
		run(t, 4, vpp, func() string { return state(vpp) })
	})
}

// InMemory runs laws on VPPs of three releases in memory, with so many checks on the newest
// that is tested and one on the others.
func InMemory(t *testing.T, checks int, others func(*testing.T, string), run func(t *testing.T, checks int, vpp vpptest.Target, state func() string)) {
	t.Parallel()
	for release, checks := range map[string]int{"": checks, "24.10": 1, "26.06": 1} {
		t.Run("in memory "+release, func(t *testing.T) {
			t.Parallel()
			vpp := vpptest.New(t, vpptest.Release(release))
			others(t, vpp.Socket())
			run(t, checks, vpp, vpp.String)
		})
	}
}
