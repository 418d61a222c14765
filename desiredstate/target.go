// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Target is what all engines and kinds of one connection share: one reading of what is
// there, the handles, and who is changing what. What one does, the others know at once;
// what one's kinds found, the others' do not take apart unasked. See [Kind.Target], and
// [Engine.Close] for who goes before the target does.
//
// A Target lives as long as the connection. Safe for concurrent use.
type Target struct{ w *world }

// NewTarget returns the Target of a connection of which nothing is known yet.
func NewTarget() *Target { return &Target{newWorld()} }

// world is what is known of a target, and who works on it. An engine that shares
// nothing has one to itself.
//
// Its invariants: a node is in nodes while its key means anything (see node); holders, sharers,
// view, referred, doubts and what each kind counts say just what the nodes say; a kind that is fresh was read,
// and its nodes have changed since only as the world was told.
type world struct {
	mu       sync.Mutex
	change   sync.Cond   // a pass or a reading ended
	kinds    []*kind     // each after those that it requires
	partial  atomic.Bool // some kinds could not be read; written with mu held
	readings int         // counts them
	flying   int         // readings under way
	tickets  uint64      // of passes that wait for others
	version  uint64
	round    uint64            // of readings and plans; see node
	nodes    map[Key]*node     // the View's: see there who may change it
	holders  map[Key][]*node   // by resource; see Kind.Holds
	sharers  map[Key][]*node   // and Kind.Shares: there can be very many of one
	covers   map[Key][]*node   // by what has a part hidden, who hides it: Kind.Covers
	idle     []*node           // that a plan looked at, and perhaps nothing else needs
	lent     map[*node]*kind   // what shows a handle of nothing that is known, and whose it was; see inherit
	refs     map[string]uint64 // by space, the round in which its reference kinds were last read
	referred map[string]int    // by space, how many nodes have a ref
	doubts   int               // how many nodes are suspect
	view     *View
	provers  map[string]*prover // by space
	runs     map[*runner]struct{}
	adopted  map[Key]struct{} // and no Run's store has said anything of it since
	firsts   map[Key]*runner  // of what several Runs want otherwise: whose it is; see rivalled
}

func newWorld() *world {
	view := newView()
	w := &world{
		nodes:   view.nodes,
		holders: map[Key][]*node{},
		sharers: map[Key][]*node{},
		covers:  map[Key][]*node{},
		lent:    map[*node]*kind{},
		refs:    map[string]uint64{},

		referred: map[string]int{},
		view:     view,
		provers:  map[string]*prover{},
		runs:     map[*runner]struct{}{},
		adopted:  map[Key]struct{}{},
		firsts:   map[Key]*runner{},
	}
	w.change.L = &w.mu
	return w
}

// prover returns who proves the handles of a space; nil: nobody does.
func (w *world) prover(space string) *prover {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.provers[space]
}

// allProvers returns those of all spaces.
func (w *world) allProvers() map[string]*prover {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.provers)
}

// news tells all Runs but one, which knows, what has become of a key. The lock is held.
func (w *world) news(k Key, from *runner) {
	for r := range w.runs {
		if r != from {
			r.hear(k)
		}
	}
}

// elsewhere returns what the Run of another engine wants by this key, and nil if none
// does. The lock is held.
func (e *Engine) elsewhere(k Key) Object {
	if e.alone() {
		return nil
	}
	for r := range e.runs {
		if r.e != e {
			if o := r.s.want(k); o != nil {
				return o
			}
		}
	}
	return nil
}

// alone says that no other engine has a Run. The lock is held.
func (e *Engine) alone() bool {
	for r := range e.runs {
		if r.e != e {
			return false
		}
	}
	return true
}

// manages says whether a node is this engine's to change: found or made by its kinds, and
// claimed, or, if nobody knows what is there, in a space of theirs.
func (e *Engine) manages(n *node) bool {
	if len(n.have) == 0 {
		return e.spaces[n.key.Space]
	}
	return slices.ContainsFunc(n.have, func(a actual) bool { return e.claimed(a.kind, n.key) })
}

// claimed says whether what a kind has by a key is this engine's to change.
func (e *Engine) claimed(k *kind, by Key) bool {
	claims := e.claims[k]
	return e.given[k] && (claims == nil || claims(by))
}

// minds says whether a node is this engine's to remove unasked, as far as it goes by what there is: it is ours,
// or may be, this engine manages it, and no other's Run wants it. The lock is held.
func (e *Engine) minds(n *node) bool {
	return n.mayGo() && e.manages(n) && e.elsewhere(n.key) == nil
}

// owned counts what is ours, and this engine's alone. It looks at all there is if that is shared, so it is only to
// be asked when something is to go by omission. The lock is held.
func (e *Engine) owned() (count int) {
	if e.divided || !e.alone() {
		for _, n := range e.nodes {
			if n.ours() && e.minds(n) {
				count++
			}
		}
		return count
	}
	for k := range e.given {
		count += k.owned
	}
	return count
}
