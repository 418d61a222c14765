// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "errors"

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
		if x.Err == nil && x.Action != Keep && x.Action != Block {
			n++
		}
	}
	return n
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

// then returns the report of two rounds, of which the second looked again at what
// the first had done. What was to go, and of which the second says nothing, has gone.
func (r Report) then(second Report) Report {
	if len(r) == 0 {
		return second
	}
	at := make(map[Key]int, len(r))
	for i, x := range r {
		at[x.Key] = i
		if x.Action == Delete {
			r[i].Err = nil
		}
	}
	for _, x := range second {
		i, again := at[x.Key]
		switch {
		case !again:
			r = append(r, x)
		case x.Action == Keep:
			r[i].ID, r[i].Err = x.ID, nil
		default:
			r[i] = x
		}
	}
	return r
}
