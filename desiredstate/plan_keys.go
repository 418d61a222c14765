// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"errors"
	"reflect"
)

// changedKeys lists what a plan has to look at closely. The rest, most of a plan most of
// the time, is just as it was when last looked at: it is kept, for the cost of one
// look at its node.
func (b *planner) changedKeys() (closely []Key, err error) {
	if b.r.want != nil {
		b.kept = make([]Result, 0, len(b.r.keys))
		for _, k := range b.r.keys {
			n := b.e.nodes[k]
			if n == nil || n.asWanted == nil || !b.keep(n, b.r.want(k)) {
				closely = append(closely, k)
			}
		}
		return closely, nil
	}

	e, objects := b.e, b.r.objects
	e.round++
	b.kept = make([]Result, 0, len(objects))
	unsure := false
	for _, o := range objects {
		if isNil(o) {
			return nil, errNil
		}
		k := o.Key()
		n := e.nodes[k]
		if n == nil || n.wanted == e.round {
			unsure = true // it may be there twice
		} else if n.wanted = e.round; b.keep(n, o) {
			continue
		}
		closely = append(closely, k)
	}
	var byKey map[Key]Object
	if unsure {
		if byKey, err = index(objects); err != nil {
			return nil, err
		}
	}
	b.r.want = func(k Key) Object {
		if byKey == nil {
			byKey, _ = index(objects)
		}
		return byKey[k]
	}
	if b.r.all {
		for k, n := range e.nodes {
			if n.wanted != e.round && n.mayGo() && e.manages(n) {
				closely = append(closely, k)
			}
		}
	}
	return closely, nil
}

// keep notes that an object is as wanted, if it was when last looked at and
// neither has changed since.
func (b *planner) keep(n *node, want Object) bool {
	if n.asWanted == nil || n.suspect || want == nil || !same(want, n.asWanted) || b.e.divided && !b.e.manages(n) {
		return false
	}
	b.keeps(n, n.have[0].id)
	return true
}

// keeps notes an object that is as wanted, unless another pass is about to change that.
func (b *planner) keeps(n *node, id uint32) {
	b.kept = append(b.kept, Result{Keep, n.key, id, nil})
	if n.writers > 0 {
		b.busy = append(b.busy, n.key)
	}
}

// index maps objects by their keys. The error names those that are there twice.
func index(objects []Object) (map[Key]Object, error) {
	byKey := make(map[Key]Object, len(objects))
	var errs []error
	for _, o := range objects {
		k := o.Key()
		if first, dup := byKey[k]; dup && !reflect.DeepEqual(first, o) {
			errs = append(errs, &Error{Block, k, ErrDuplicate})
		}
		byKey[k] = o
	}
	return byKey, errors.Join(errs...)
}
