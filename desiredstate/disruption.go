// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "fmt"

// Disruption is how much a step disturbs what already works, from little to much.
type Disruption int

// What may suffer.
const (
	DisturbsNothing  Disruption = iota
	DisturbsTraffic             // of the object itself, and of what depends on it
	DisturbsSessions            // that others have by it
	DisturbsTarget              // all that the target does
)

// String completes "disturbs …": "nothing", "its traffic", "sessions", "the whole target".
func (d Disruption) String() string {
	switch d {
	case DisturbsNothing:
		return "nothing"
	case DisturbsTraffic:
		return "its traffic"
	case DisturbsSessions:
		return "sessions"
	case DisturbsTarget:
		return "the whole target"
	}
	return fmt.Sprintf("Disruption(%d)", int(d))
}

// MarshalText returns String.
func (d Disruption) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// implied is what an action disturbs of which the kind says no more.
func implied(a Action) Disruption {
	if a == Replace || a == Delete {
		return DisturbsTraffic
	}
	return DisturbsNothing
}

// disturbs says what a step does.
func (s *Step) disturbs() Disruption {
	d := implied(s.Action)
	if k := s.have.kind; k != nil && k.disturbs != nil && (s.Action == Update || s.Action == Replace || s.Action == Delete) {
		want := s.want
		if s.kind != k {
			want = nil
		}
		d = max(d, k.disturbs(s.Action, s.have, want))
	}
	return d
}

// NoMoreThan is for Engine.Refuse: it refuses what disturbs more than most.
func NoMoreThan(most Disruption) func(*Step) error {
	return func(s *Step) error {
		if s.Disturbs > most {
			return fmt.Errorf("%w: it would disturb %s", ErrRefused, s.Disturbs)
		}
		return nil
	}
}

// Disturbs is the most that any step of the plan disturbs.
func (p *Plan) Disturbs() (most Disruption) {
	for _, s := range p.Steps {
		most = max(most, s.Disturbs)
	}
	return most
}
