// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// CommitError says that a plan was not carried out, and what there is instead.
type CommitError struct {
	Err      error // what failed first
	Restored []Key // what was changed, and is as before: it was read again
	Differs  []Key // what could not be put back as it was; Undo says why
	Unknown  []Key // what nobody knows of, because the target could not be read
	Undo     error // what failed on the way back; nil if nothing did
}

func (e *CommitError) Error() string {
	s := fmt.Sprintf("not committed: %v", e.Err)
	if len(e.Differs) > 0 {
		s += "; not as before: " + join(e.Differs)
	}
	if len(e.Unknown) > 0 {
		s += "; unknown: " + join(e.Unknown)
	}
	if e.Undo != nil {
		s += fmt.Sprintf("; going back: %v", e.Undo)
	}
	return s
}

// Unwrap returns what failed first, and what failed on the way back.
func (e *CommitError) Unwrap() []error {
	if e.Undo == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Undo}
}

// errStopped is of steps that a failure of another one kept from being tried.
var errStopped = errors.New("not tried: another step failed")

// undoTime bounds the way back, which does not end with the caller's ctx.
const undoTime = time.Minute

// Commit applies a plan whole or not at all. A plan that would leave something blocked is refused. At the
// first failure nothing more is begun, and what was done is undone in the right order,
// with what depends on it; then the target is read, and a *CommitError says what is as
// before. Traffic and sessions that a step has disturbed do not come back by that.
//
// The Report is that of the plan's steps. For ErrStale and ErrMassDelete see Apply.
func (e *Engine) Commit(ctx context.Context, p *Plan) (Report, error) {
	for _, s := range p.Steps {
		if s.Err != nil {
			return nil, &Error{Block, s.Key, fmt.Errorf("a plan is committed whole: %w", s.Err)}
		}
	}
	if err := e.take(ctx, p); err != nil {
		return nil, err
	}
	var keys []Key
	before, kinds := map[Key]Object{}, map[Key][]*kind{}
	e.mu.Lock()
	if err := e.lookAgain(ctx, p); err != nil {
		e.unclaim(p)
		e.mu.Unlock()
		return nil, err
	}
	for _, s := range p.Steps {
		keys = append(keys, s.Key)
		kinds[s.Key] = []*kind{s.kind, s.have.kind}
		if s.have.kind != nil {
			before[s.Key] = s.n.spec(s.n.of(s.have))
		}
	}
	e.mu.Unlock()
	r := e.execute(ctx, p, true, nil, nil)
	err := r.Err()
	if err == nil {
		return r, nil
	}
	failed := &CommitError{Err: r.failures()}
	known := e.halfMade(p)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	back := request{again: true, restore: true, want: func(k Key) Object { return before[k] }}.about(keys)
	_, failed.Undo = e.settle(ctx, back)
	e.Forget()
	left, err := e.dryRun(ctx, back)
	if lost := slices.DeleteFunc(e.halfMade(p), func(k Key) bool { return slices.Contains(known, k) }); err == nil && len(lost) > 0 {
		keys = append(keys, lost...) // made, and nobody heard of it
		_, undo := e.settle(ctx, back.about(keys))
		failed.Undo = errors.Join(failed.Undo, undo)
		e.Forget()
		left, err = e.dryRun(ctx, back.about(keys))
	}
	if err != nil {
		failed.Unknown, failed.Undo = keys, errors.Join(failed.Undo, err)
		return r, failed
	}
	e.mu.Lock()
	unread := func(k *kind) bool { return k != nil && k.unread != nil }
	for _, k := range keys {
		step := slices.IndexFunc(left.Steps, func(s *Step) bool { return s.Key == k })
		switch {
		case slices.ContainsFunc(kinds[k], unread), step >= 0 && errors.Is(left.Steps[step].Err, ErrUnread):
			failed.Unknown = append(failed.Unknown, k)
		case step < 0:
			failed.Restored = append(failed.Restored, k)
		default:
			failed.Differs = append(failed.Differs, k)
		}
	}
	e.mu.Unlock()
	if len(failed.Differs)+len(failed.Unknown) == 0 {
		failed.Undo = nil
	}
	return r, failed
}

// lookAgain reads what the engine has made and not read since, if the plan's steps, which are
// claimed, are about it: what the target chose of it is to come back as it was. The lock is held
// before and after.
func (e *Engine) lookAgain(ctx context.Context, p *Plan) error {
	var unseen []*node
	for _, s := range p.Steps {
		if s.have.kind != nil && s.n.unseen {
			unseen = append(unseen, s.n)
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	if err := e.reread(ctx, unseen); err != nil {
		return err
	}
	for _, s := range p.Steps {
		if s.have.kind != nil && s.n.of(s.have).kind == nil {
			return fmt.Errorf("%w: %s is not what it was", ErrStale, s.Key)
		}
	}
	return nil
}

// about is the request for these keys, of which those that are not wanted go.
func (r request) about(keys []Key) request {
	named := make(map[Key]struct{}, len(keys))
	for _, k := range keys {
		named[k] = struct{}{}
	}
	r.keys, r.named = keys, func(k Key) bool { _, is := named[k]; return is }
	return r
}

// halfMade lists what is known to be left of something that was being made, by kinds by which a
// plan's steps have failed.
func (e *Engine) halfMade(p *Plan) (keys []Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	failed := map[*kind]bool{}
	for _, s := range p.Steps {
		if s.err != nil && s.Want != nil {
			failed[s.kind] = true
		}
	}
	for k, n := range e.nodes {
		if n.leftover() && failed[n.have[0].kind] {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, Key.Compare)
	return keys
}

// failures joins the errors of what was tried.
func (r Report) failures() error {
	var tried Report
	for _, x := range r {
		if !errors.Is(x.Err, errStopped) && !errors.Is(x.Err, ErrFailed) {
			tried = append(tried, x)
		}
	}
	return tried.Err()
}
