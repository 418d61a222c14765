// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"reflect"
	"slices"
)

// rivalled says that an object, which is not there as wanted, is another's to decide about: the Run of another
// engine wants it otherwise, and was first. Who was first is noted when that first matters: who has it as it
// wants it. It is so until it wants it no more, whatever becomes of the object. What nobody has, the first has
// whose plan is carried out; what is there, a mere call leaves to the Runs.
func (b *planner) rivalled(n *node, have []actual, want Object) error {
	e, k := b.e, n.key
	first := e.firsts[k]
	if first != nil && first.s.want(k) == nil {
		delete(e.firsts, k)
		first = nil
	}
	rivals := e.rivals(k, want)
	switch {
	case len(rivals) == 0 || first != nil && !slices.Contains(rivals, first):
		return nil
	case first == nil:
		at := slices.IndexFunc(rivals, func(r *runner) bool { return b.has(n, have, r.s.want(k)) })
		if at >= 0 {
			e.firsts[k] = rivals[at]
		} else if len(have) == 0 || e.wants(k) {
			return nil
		}
	}
	return fmt.Errorf("%w: another component wants it otherwise, and was first", ErrConflict)
}

// rivals are the Runs of other engines that want a key otherwise. The lock is held.
func (e *Engine) rivals(k Key, want Object) (out []*runner) {
	for r := range e.runs {
		if r.e == e {
			continue
		}
		if o := r.s.want(k); o != nil && !same(o, want) {
			out = append(out, r)
		}
	}
	return out
}

// wants says whether a Run of the engine wants something by a key. The lock is held.
func (e *Engine) wants(k Key) bool {
	for r := range e.runs {
		if r.e == e && r.s.want(k) != nil {
			return true
		}
	}
	return false
}

// has says whether what is there is as somebody wants it, who may let go meanwhile.
func (b *planner) has(n *node, have []actual, want Object) bool {
	for _, a := range have {
		if a.kind.typ != reflect.TypeOf(want) {
			continue
		}
		if a.covered = b.covered(n, a); a.kind.turns(a, a.kind.fill(a, want)) == Keep {
			return true
		}
	}
	return false
}
