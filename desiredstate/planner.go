// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"slices"
	"strings"
)

// request says what a plan is to bring about.
type request struct {
	objects []Object // what is wanted, and to be looked at
	all     bool     // and so is all else that is ours

	want func(Key) Object // in place of objects; nil: not wanted
	keys []Key            // to be looked at then

	prune   bool           // what is ours and not wanted goes
	named   func(Key) bool // goes in any case: somebody deleted it by name
	restore bool           // what depends on a replaced object comes back, wanted or not
	refuse  bool           // what something depends on does not go
	again   bool           // kinds that could not be read are tried once more if they matter
}

// planner makes a plan. Each step starts as what its object alone would ask for
// (its base) and then gives way to what happens around it: down when what it
// hangs on goes down, blocked when what it needs will not be there. A block is
// never lifted within a plan, so this ends.
type planner struct {
	e       *Engine
	r       request
	drafts  map[Key]*draft
	waiting map[Key][]Key // who looks again when the key's step changes
	again   []Key
	takers  map[Key]Key // resource: the one object that may take it
	kept    []Result
	suspect []Key
	busy    []Key   // kept, but being changed by another pass
	loose   []*node // that an object no longer depends on
	blind   bool    // a kind that could not be read matters here
}

type draft struct {
	*Step
	base Action
	why  error // why it cannot be made or changed
	lack []Key // what would have to change for that
	n    *node
	deps []Key // of Want
	done bool  // queued
	late bool  // drafted when others had been settled without it
}

// plan compares and orders; it only computes. The error is that the request makes
// no sense. The engine's lock is held.
func (e *Engine) plan(r request) (*Plan, error) {
	if r.named == nil {
		r.named = func(Key) bool { return false }
	}
	b := &planner{e: e, r: r, drafts: map[Key]*draft{}, waiting: map[Key][]Key{}, takers: map[Key]Key{}}
	keys, err := b.changedKeys()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(keys, Key.Compare)
	for _, k := range slices.Compact(keys) {
		b.look(k, false)
	}
	b.support()
	b.assignHolds()
	for k := range b.drafts {
		b.again = append(b.again, k)
	}
	slices.SortFunc(b.again, Key.Compare)
	p := &Plan{engine: e, owned: e.owned()}
	for {
		b.settle()
		if b.cycles() {
			continue
		}
		p.tasks = b.tasks()
		stuck := stuckTasks(p.tasks)
		if len(stuck) == 0 || !b.replaceInCircle(stuck) {
			cutCircles(p.tasks)
			break
		}
	}
	if len(b.drafts) > 0 { // what was dragged along is looked at anew
		b.kept = slices.DeleteFunc(b.kept, func(r Result) bool { return b.drafts[r.Key] != nil })
	}
	for _, d := range b.drafts {
		d.Unverified = d.kind != nil && d.kind.unverified || d.have.kind != nil && d.have.kind.unverified
		if d.Action == Keep && d.Surplus == 0 {
			b.kept = append(b.kept, Result{Keep, d.Key, d.have.id, nil})
			continue
		}
		p.Steps = append(p.Steps, d.Step)
		if d.Action == Delete && d.Err == nil && !r.named(d.Key) && !d.n.leftover() {
			p.inferred++
		}
	}
	slices.SortFunc(p.Steps, func(a, b *Step) int { return a.Key.Compare(b.Key) })
	p.kept = b.kept
	b.claims(p)
	p.version, p.blind, p.Unread = e.version, b.blind, e.unread(e.uses)
	for _, n := range b.loose {
		e.tidy(n)
	}
	return p, nil
}

// claims notes with each step what it changes, and what it relies on.
func (b *planner) claims(p *Plan) {
	for _, s := range p.Steps {
		if s.Action == Block {
			continue
		}
		s.claims = append(s.claims, claim{s.Key, true})
		for _, dep := range b.drafts[s.Key].deps {
			if dep != s.Key {
				s.claims = append(s.claims, claim{dep, false})
			}
		}
		for _, a := range append([]actual{s.have}, s.spare...) {
			if a.kind != nil {
				s.take(a.kind.holds(a.spec))
			}
		}
		if s.want != nil {
			s.take(s.kind.holds(s.want))
		}
	}
	slices.SortFunc(b.suspect, Key.Compare)
	p.suspects, p.busy = slices.Compact(b.suspect), b.busy
}

// take claims resources, so that nobody else plans with them meanwhile.
func (s *Step) take(resources []Key) {
	for _, r := range resources {
		s.claims = append(s.claims, claim{r, true})
	}
}

func join(keys []Key) string {
	words := make([]string, 0, min(len(keys), 4))
	for i, k := range keys {
		if i == 3 && len(keys) > 4 {
			words = append(words, fmt.Sprintf("and %d more", len(keys)-3))
			break
		}
		words = append(words, k.String())
	}
	return strings.Join(words, ", ")
}
