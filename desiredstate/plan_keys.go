// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"errors"
	"reflect"
)

// changed lists what a plan has to look at closely. The rest, most of a plan most of
// the time, is just as it was when last looked at: it is kept, for the cost of one
// look at its node. The error names what is wanted twice.
func (b *planner) changed() (closely []*node, err error) {
	e := b.e
	e.round++
	if b.r.want != nil {
		b.kept = make([]Result, 0, len(b.r.keys))
		for _, k := range b.r.keys {
			n := b.node(k)
			if n.wanted == e.round {
				continue // a key that is there twice
			}
			if n.wanted = e.round; n.asWanted == nil || !b.keep(n, b.want(n)) {
				closely = append(closely, n)
			}
		}
		return closely, nil
	}

	b.kept = make([]Result, 0, len(b.r.objects))
	var errs []error
	at := new(places)
	if b.r.all {
		at = &e.asked
	}
	nodes := at.sized(len(b.r.objects))
	for i, o := range b.r.objects {
		if isNil(o) {
			return nil, errNil
		}
		n := nodes[i]
		if n == nil || n.wanted == e.round || !n.isAsWanted(o) { // who is has the same key
			n = b.node(o.Key())
			nodes[i] = n
		}
		switch {
		case n.wanted == e.round:
			if !reflect.DeepEqual(b.want(n), o) { // which also compares what no kind can have
				errs = append(errs, &Error{Block, n.key, ErrDuplicate})
			}
			continue
		case b.keep(n, o):
		default:
			b.of(n).want = o
			closely = append(closely, n)
		}
		n.wanted = e.round
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if b.r.all {
		for _, n := range e.nodes {
			if n.wanted != e.round && n.mayGo() && e.manages(n) {
				closely = append(closely, n)
			}
		}
	}
	return closely, nil
}

// isAsWanted says whether what is there is known to be as good as a wanted object.
func (n *node) isAsWanted(want Object) bool {
	if n.asWanted == nil {
		return false
	}
	k := n.have[0].kind
	return k.typ == reflect.TypeOf(want) && k.equal(want, n.asWanted)
}

// want returns what is wanted by the key of a node, nil if nothing is.
func (b *planner) want(n *node) Object {
	switch {
	case b.r.want != nil:
		return b.r.want(n.key)
	case n.wanted != b.e.round:
		return nil
	case n.plan != nil && n.plan.want != nil:
		return n.plan.want
	}
	return n.asWanted
}

// keep notes that an object is as wanted, if it was when last looked at and
// neither has changed since.
func (b *planner) keep(n *node, want Object) bool {
	if n.suspect || want == nil || !n.isAsWanted(want) || b.e.divided && !b.e.manages(n) {
		return false
	}
	b.keeps(n, n.have[0].id)
	return true
}

// keeps notes an object that is as wanted, unless another pass is about to change that.
func (b *planner) keeps(n *node, id uint32) {
	b.kept = append(b.kept, Result{Keep, n.key, id, nil})
	if n.writers > 0 {
		b.busy = append(b.busy, n)
	}
}
