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

	begin func()           // called before a plan is made, or made again
	want  func(Key) Object // in place of objects; nil: not wanted
	keys  []Key            // to be looked at then

	prune   bool           // what is ours and not wanted goes
	named   func(Key) bool // goes in any case: somebody deleted it by name
	restore bool           // what depends on a replaced object comes back, wanted or not
	refuse  bool           // what something depends on does not go
	again   bool           // kinds that could not be read are tried once more if they matter
	dry     bool           // and nothing is to be known by it
	apart   bool           // may be done in parts; see Engine.prepare

	planned func(p *Plan, rest [][]Key) // called before anything else is planned; nil: not
}

// planner makes a plan. Each step starts as what its object alone would ask for
// (its base) and then gives way to what happens around it: down when what it
// hangs on goes down, blocked when what it needs will not be there. A block is
// never lifted within a plan, so this ends.
type planner struct {
	e       *Engine
	r       request
	view    *View // for Kind.Check; nil: none was needed yet
	eyed    []Key // what it has asked of this view, of one object
	drafts  []*draft
	sorted  int // how many of drafts there were when they were sorted
	again   []*draft
	takers  map[Key]*draft   // by resource: the one that may take it for itself
	sharing map[Key][]*draft // by resource: those that would share it
	kept    []Result
	suspect []*node
	busy    []*node // kept, but being changed by another pass
	blind   bool    // a kind that could not be read matters here
	dragged bool    // what is drafted now was not asked about
	walks   int     // through dependencies, in search of cycles
	looked  []*node // they have a planned
	lessons []lesson

	planneds slab[planned]
	draftees slab[draft]
	tasked   slab[task]
	claimed  slab[claim]
	nodes    slab[*node]
}

// planned is what a planner has of a node.
type planned struct {
	want    Object   // if objects were asked for, and it is not as wanted
	draft   *draft   // its step; nil: it has none
	waiting []*draft // who looks again when that changes
	walk    int      // the last one that came here, and whether it has left

	supports bool // it was looked at because a step relies on it
}

type draft struct {
	Step
	base    Action
	why     error    // why it cannot be made or changed
	lack    []Key    // what would have to change for that
	before  []*draft // that must free what this one takes
	holds   []Key    // of want, see Kind.Holds
	shares  []Key    // and Kind.Shares
	ask     *task    // before anything goes
	down    *task
	up      *task
	queued  bool
	late    bool // drafted when others had been settled without it
	dragged bool // along, by others
}

// plan compares and orders; it only computes. The error is that the request makes
// no sense. The engine's lock is held.
func (e *Engine) plan(r request) (*Plan, error) {
	if r.named == nil {
		r.named = func(Key) bool { return false }
	}
	if r.begin != nil {
		r.begin()
	}
	e.sweep()
	b := &planner{e: e, r: r, takers: map[Key]*draft{}, sharing: map[Key][]*draft{}}
	defer b.leave()
	nodes, err := b.changed()
	if err != nil {
		return nil, err
	}
	for _, n := range inKeyOrder(nodes) {
		b.look(n, false)
	}
	b.dragged = true
	b.support()
	b.sort()
	for _, d := range b.drafts {
		b.assign(d)
	}
	for _, d := range b.drafts {
		b.queue(d)
	}
	p := &Plan{engine: e}
	for {
		b.settle()
		b.sort()
		if b.unveil() || b.redo() {
			continue
		}
		if b.cycles() {
			continue
		}
		p.tasks = b.tasks()
		stuck := stuckTasks(p.tasks)
		if len(stuck) == 0 || !b.replaceInCircle(stuck) {
			cutCircles(p.tasks, stuck)
			break
		}
	}
	b.steps(p)
	slices.SortFunc(b.suspect, byKey)
	p.suspects, p.busy = slices.Compact(b.suspect), b.busy
	p.lessons = b.unlearn()
	p.version, p.blind, p.Unread = e.version, b.blind, e.unread(e.uses)
	return p, nil
}

// steps makes the drafts the plan's.
func (b *planner) steps(p *Plan) {
	again := map[Key]bool{} // what was dragged along is looked at anew
	for _, d := range b.drafts {
		if d.dragged {
			again[d.Key] = true
		}
	}
	if len(again) > 0 {
		b.kept = slices.DeleteFunc(b.kept, func(r Result) bool { return again[r.Key] })
	}
	p.Steps = make([]*Step, 0, len(b.drafts))
	for _, d := range b.drafts {
		d.Unverified = d.kind != nil && d.kind.unverified || d.have.kind != nil && d.have.kind.unverified
		if d.Action == Keep && d.Surplus == 0 {
			b.kept = append(b.kept, Result{Keep, d.Key, d.have.id, nil})
			continue
		}
		d.claim(b)
		p.Steps = append(p.Steps, &d.Step)
		if d.Action == Delete && d.Err == nil && !b.r.named(d.Key) && !d.n.leftover() {
			p.inferred++
		}
	}
	p.kept = b.kept
	if p.inferred > 0 {
		p.owned = b.e.owned()
	}
}

// claim notes with a step what it changes, and what it relies on.
func (d *draft) claim(b *planner) {
	s := &d.Step
	if s.Action == Block {
		return
	}
	s.claims = append(b.claimed.some(1 + len(d.deps))[:0], claim{d.n, true})
	for _, dep := range d.deps {
		if dep != d.n {
			s.claims = append(s.claims, claim{dep, false})
		}
	}
	for _, k := range d.covers() { // whether a part of it is hidden is not to change meanwhile
		s.claims = append(s.claims, claim{b.node(k), false})
	}
	take := func(holds, shares []Key) { // so that nobody else plans with them meanwhile
		for _, r := range holds {
			s.claims = append(s.claims, claim{b.node(r), true})
		}
		for _, r := range shares {
			s.claims = append(s.claims, claim{b.node(r), false})
		}
	}
	if s.have.kind != nil {
		take(s.have.kind.holds(s.have.spec), s.have.kind.shares(s.have.spec))
	}
	for _, a := range s.spare {
		take(a.kind.holds(a.spec), a.kind.shares(a.spec))
	}
	take(d.holds, d.shares)
}

// node returns the node of a key, which is made if need be: it may be idle after the plan.
func (b *planner) node(k Key) *node {
	n := b.e.nodes[k]
	if n == nil {
		n = b.e.node(k)
		b.e.idle = append(b.e.idle, n)
	}
	return n
}

// of returns what the planner has of a node.
func (b *planner) of(n *node) *planned {
	if n.plan == nil {
		n.plan = b.planneds.one()
		b.looked = append(b.looked, n)
	}
	return n.plan
}

// draftOf returns the step of a node, nil if it has none.
func (n *node) draftOf() *draft {
	if n == nil || n.plan == nil {
		return nil
	}
	return n.plan.draft
}

// leave takes the planner's notes from the nodes.
func (b *planner) leave() {
	for _, n := range b.looked {
		n.plan = nil
	}
}

// inKeyOrder sorts nodes by key. Their drafts are made in that order then, and lie in memory in
// the order in which all that follows walks through them.
func inKeyOrder(nodes []*node) []*node {
	type beside struct { // its key, as a node is somewhere in memory
		key Key
		n   *node
	}
	all := make([]beside, len(nodes))
	for i, n := range nodes {
		all[i] = beside{n.key, n}
	}
	slices.SortFunc(all, func(a, b beside) int { return a.key.Compare(b.key) })
	for i, x := range all {
		nodes[i] = x.n
	}
	return nodes
}

// sort brings the drafts into the order of keys, if any were added since.
func (b *planner) sort() {
	if b.sorted < len(b.drafts) {
		slices.SortFunc(b.drafts, func(a, b *draft) int { return a.Key.Compare(b.Key) })
		b.sorted = len(b.drafts)
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
