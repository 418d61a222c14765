// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"errors"
	"slices"
)

// Result is what became of one object.
type Result struct {
	Action Action
	Key    Key
	ID     uint32 // the target's handle, if the object is there
	Err    error  // nil: done
}

// Report has one Result per object that was asked about or touched: first, by
// key, what there was something to do about; then what was as wanted already, in
// the order in which it was asked about.
type Report []Result

// Err joins the errors of all results, each as an *Error; nil if there are none.
func (r Report) Err() error {
	var errs []error
	for _, x := range r {
		if x.Err != nil {
			errs = append(errs, &Error{x.Action, x.Key, x.Err})
		}
	}
	return errors.Join(errs...)
}

// Changed counts the objects that were made, changed or unmade.
func (r Report) Changed() int {
	n := 0
	for _, x := range r {
		if x.Err == nil && x.Action != Keep && x.Action != Blocked {
			n++
		}
	}
	return n
}

// then is the report of a second try: what it says nothing of any more is as it was, and
// what was to go and had changed is gone.
func (r Report) then(again Report) Report {
	if r == nil {
		return again
	}
	said := make(map[Key]bool, len(again))
	for _, x := range again {
		said[x.Key] = true
	}
	out := slices.Clone(again)
	for _, x := range r {
		if said[x.Key] {
			continue
		}
		if x.Action == Delete {
			x.Err = nil
		}
		out = append(out, x)
	}
	slices.SortStableFunc(out, func(a, b Result) int { return a.Key.Compare(b.Key) })
	return out
}

// Of returns the result for a key.
func (r Report) Of(k Key) (Result, bool) {
	for _, x := range r {
		if x.Key == k {
			return x, true
		}
	}
	return Result{}, false
}
