// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
)

// Suite is what Run needs to know of a kind.
type Suite[S desiredstate.Object] struct {
	// Gen draws valid objects, which World.Base is enough for. Their names are
	// few, so that many have one.
	Gen *rapid.Generator[S]

	// Open connects to the target, which holds nothing of ours when Run is called,
	// as a program does that starts, or starts again after a crash: each call is a
	// new connection to the same target. What it opens may last until t ends.
	Open func(t testing.TB) World[S]

	// Checks is how often each law is tried; that of faults, which takes many
	// rounds each time, a fourth as often. 0: 8.
	Checks int

	// Refused draws objects of the same names that must be refused, by the kind or by the target,
	// beside what is refused of what Gen draws: other names in its place, and others beside it.
	Refused *rapid.Generator[S]

	// Secret: objects hold what JSON does not tell, so that none survives it.
	Secret bool
}

// Run tests the laws, each in a test of its own.
func Run[S desiredstate.Object](t *testing.T, s Suite[S]) {
	if s.Checks == 0 {
		s.Checks = 8
	}
	s.readable(t)
	_ = s.Gen.String() // rapid makes it when it is first asked for, which laws that run in parallel must not
	s.law(t, "accepted", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Accepted(t.Context(), w, s.one(t))
	})
	s.law(t, "idempotent", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Idempotent(t.Context(), w, s.one(t))
	})
	s.law(t, "faithful", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Faithful(t.Context(), w, s.one(t))
	})
	s.law(t, "changeable", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Changeable(t.Context(), w, s.versions(t)...)
	})
	if s.Refused != nil {
		_ = s.Refused.String()
		s.law(t, "unharmed", s.Checks, func(t *rapid.T, w World[S], _ string) error {
			bad := s.Refused.Draw(t, "refused")
			return Unharmed(t.Context(), w, s.Gen.Filter(func(x S) bool { return x.Key() == bad.Key() }).Draw(t, "object"), bad)
		})
	}
	s.law(t, "spared", s.Checks, func(t *rapid.T, w World[S], _ string) error { return s.spared(t, w) })
	s.law(t, "labelled", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Labelled(t.Context(), w, s.versions(t)...)
	})
	s.law(t, "removable", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Removable(t.Context(), w, s.one(t))
	})
	s.law(t, "harmless", s.Checks, func(t *rapid.T, w World[S], before string) error {
		return Harmless(t.Context(), w, before, s.versions(t)...)
	})
	if !s.Secret {
		s.law(t, "portable", 10*s.Checks, func(t *rapid.T, w World[S], _ string) error {
			return Portable(w, s.one(t))
		})
	}
	s.law(t, "told apart", 10*s.Checks, func(t *rapid.T, _ World[S], _ string) error {
		return ToldApart(s.one(t), s.one(t))
	})
	s.law(t, "settled", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Settled(t.Context(), w, s.versions(t)...)
	})
	s.law(t, "watchful", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Watchful(t.Context(), w, s.versions(t)...)
	})
	s.law(t, "predicted", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Predicted(t.Context(), w, s.versions(t)...)
	})
	s.law(t, "side by side", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		all := rapid.SliceOfN(s.Gen, 12, 12).Draw(t, "objects")
		i := slices.IndexFunc(all, func(x S) bool { return x.Key() != all[0].Key() })
		if i < 0 { // there is only one of these
			return nil
		}
		return SideBySide(t.Context(), w, all[0], all[i])
	})
	s.law(t, "cancelled", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Cancelled(t.Context(), w, s.one(t))
	})
	s.law(t, "contained", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Contained(t.Context(), w, s.one(t))
	})
	s.law(t, "apart from strangers", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Apart(t.Context(), w, s.versions(t)...)
	})
	s.law(t, "bound to its own", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Bound(t.Context(), w, s.versions(t)...)
	})
	if !s.Secret {
		s.law(t, "foretold", s.Checks, func(t *rapid.T, w World[S], _ string) error {
			return Foretold(t.Context(), w, s.one(t))
		})
	}
	s.law(t, "shared", s.Checks, func(t *rapid.T, w World[S], _ string) error {
		return Shared(t.Context(), w, s.one(t))
	})
	s.repairable(t)
}

// repairable has the laws of what fails on the way: a quarter of the checks, as each tries every message.
func (s Suite[S]) repairable(t *testing.T) {
	faults := max(1, s.Checks/4)
	s.law(t, "repairable, created", faults, func(t *rapid.T, w World[S], _ string) error {
		a := s.one(t)
		return Repairable(t.Context(), w, nil, &a)
	})
	s.law(t, "repairable, changed", faults, func(t *rapid.T, w World[S], _ string) error {
		all := s.versions(t)
		return Repairable(t.Context(), w, &all[0], &all[len(all)-1])
	})
	s.law(t, "repairable, removed", faults, func(t *rapid.T, w World[S], _ string) error {
		a := s.one(t)
		return Repairable(t.Context(), w, &a, nil)
	})
}

// readable ends the test if the kind, or what it needs, cannot be read: no law says anything then, and
// each would be tried on ever smaller objects.
func (s Suite[S]) readable(t *testing.T) {
	t.Helper()
	w := s.Open(t)
	w.heal()
	if _, err := w.engine().Found(t.Context()); err != nil {
		t.Fatalf("the target cannot be read: %v", err)
	}
}

func (s Suite[S]) law(t *testing.T, name string, checks int, law func(*rapid.T, World[S], string) error) {
	t.Run(name, func(t *testing.T) {
		w := s.Open(t)
		if w.Reopen == nil {
			w.Reopen = func() World[S] { return s.Open(t) }
		}
		if w.Fault == nil && strings.HasPrefix(name, "repairable") {
			t.Skip("World.Fault is nil: no faults")
		}
		if w.Stranger == nil && slices.Contains([]string{"apart from strangers", "bound to its own", "foretold"}, name) {
			t.Skip("World.Stranger is nil: nobody else has such things")
		}
		if w.State == nil && name == "harmless" {
			t.Skip("World.State is nil: what happens to others is not seen")
		}
		before := w.state()
		defer func() { // the next law may have the same target
			w.heal()
			if _, err := w.engine().Sync(t.Context()); err != nil {
				t.Errorf("remove all: %v", err)
			}
		}()
		n, failed := 0, false
		rapid.Check(t, func(t *rapid.T) {
			// Rapid has no number of checks for one test; once that failed, what
			// it tries is to find a smaller failure.
			if n++; n > checks && !failed {
				return
			}
			if err := law(t, w, before); err != nil {
				failed = true
				t.Fatalf("%s: %v", w.Kind.Name, err)
			}
		})
	})
}

// one draws an object.
func (s Suite[S]) one(t *rapid.T) S { return s.Gen.Draw(t, "object") }

// versions draws objects of one key, at least one, mostly more.
func (s Suite[S]) versions(t *rapid.T) []S {
	all := rapid.SliceOfN(s.Gen, 12, 12).Draw(t, "objects")
	out := all[:1:1]
	for _, x := range all[1:] {
		if x.Key() == out[0].Key() {
			out = append(out, x)
		}
	}
	return out
}
