// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Wait returns when the objects with these keys are in the target as wanted;
// without keys, when the store has converged. It returns at once with the error
// of an object that is invalid or not wanted, and with the context's, joined
// with what keeps the objects, when that ends first. For removals, see WaitGone.
func (s *Store) Wait(ctx context.Context, keys ...Key) error {
	if len(keys) == 0 {
		return s.waitConverged(ctx)
	}
	return s.waitFor(ctx, keys, s.missing)
}

// WaitGone returns when none of the objects with these keys is on its way out any
// more: the target has nothing of ours by these names. It returns at once with
// the error of an object that is wanted, or that is Left, and with the context's,
// joined with what keeps the objects, when that ends first. Of what was neither
// wanted nor deleted here, the store knows nothing, and does not wait.
func (s *Store) WaitGone(ctx context.Context, keys ...Key) error {
	return s.waitFor(ctx, keys, s.leaving)
}

// waitFor waits until there is no reason left, or one that is final.
func (s *Store) waitFor(ctx context.Context, keys []Key, reason func(Key) (why error, final bool)) error {
	w := s.await(keys)
	defer s.unawait(keys, w)
	left := map[Key]struct{}{}
	for {
		for _, k := range s.taken(w) {
			why, final := reason(k)
			if final {
				return why
			}
			if why == nil {
				delete(left, k)
			} else {
				left[k] = struct{}{}
			}
		}
		if len(left) == 0 {
			return nil
		}
		if !w.wait(ctx) {
			return errors.Join(ctx.Err(), all(keys, reason))
		}
	}
}

// missing says why an object is not in, and whether that is final.
func (s *Store) missing(k Key) (why error, final bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.entries[k]
	switch {
	case x == nil || x.want == nil:
		return fmt.Errorf("%s is not wanted", k), true
	case x.stands.state == Applied:
		return nil, false
	}
	return x.status().why(k), x.stands.state == Invalid
}

// leaving says why an object is not gone, and whether that is final.
func (s *Store) leaving(k Key) (why error, final bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.entries[k]
	switch {
	case x == nil:
		return nil, false
	case x.want != nil:
		return fmt.Errorf("%s is wanted", k), true
	}
	return x.status().why(k), x.stands.state == Left
}

// unsettled says why an object, wanted or not, is not as it should be.
func (s *Store) unsettled(k Key) (why error, final bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.entries[k]; x != nil && !x.status().sure() {
		return x.status().why(k), false
	}
	return nil, false
}

// why words a status.
func (s Status) why(k Key) error {
	to := ""
	if s.Leaving {
		to = ", and is to go"
	}
	if s.Err != nil {
		return fmt.Errorf("%s is %s%s: %w", k, s.State, to, s.Err)
	}
	return fmt.Errorf("%s is %s%s", k, s.State, to)
}

// all joins the reasons of these objects, by name.
func all(keys []Key, reason func(Key) (why error, final bool)) error {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, Key.Compare)
	var errs []error
	for _, k := range slices.Compact(keys) {
		if why, _ := reason(k); why != nil {
			errs = append(errs, why)
		}
	}
	return errors.Join(errs...)
}

func (s *Store) waitConverged(ctx context.Context) error {
	for {
		s.mu.Lock()
		done := s.converged()
		if s.moved == nil {
			s.moved = make(chan struct{})
		}
		moved := s.moved
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), s.unconverged())
		}
	}
}

// unconverged says why the store has not converged.
func (s *Store) unconverged() error {
	var keys []Key
	s.mu.Lock()
	for k, x := range s.entries {
		if !x.status().sure() {
			keys = append(keys, k)
		}
	}
	s.mu.Unlock()
	if len(keys) == 0 {
		return errors.New("the target has not been looked at, or the store is not complete")
	}
	return cmp.Or(all(keys, s.unsettled), errors.New("not converged"))
}

// await subscribes to what becomes of these keys alone, which are as if changed
// at first.
func (s *Store) await(keys []Key) *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &subscription{keys: make(map[Key]struct{}, len(keys)), wake: make(chan struct{}, 1)}
	for _, k := range keys {
		w.keys[k] = struct{}{}
		if s.waits[k] == nil {
			s.waits[k] = map[*subscription]struct{}{}
		}
		s.waits[k][w] = struct{}{}
	}
	return w
}

func (s *Store) unawait(keys []Key, w *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if delete(s.waits[k], w); len(s.waits[k]) == 0 {
			delete(s.waits, k)
		}
	}
}
