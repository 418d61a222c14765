// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Engine makes one target hold what is wanted. It reads the target once, keeps
// that reading up to date with all that it does, and so pays for a change what
// the change costs, whatever the total.
//
// An Engine lives as long as its kinds' connection. It is safe for concurrent
// use: calls that touch independent objects run side by side, calls that touch
// the same object wait for each other. The fields may be set before first use.
type Engine struct {
	// Parallel bounds the objects worked on at once in one call. 0: 512, because a
	// target that is busy looks at its socket seldom, and then takes all that is
	// there.
	Parallel int

	// MaxPrune is the share that may go by omission: because it is not mentioned any
	// more, and nobody deleted it by name. An empty or shrunken answer is no order, so
	// what is more is held back, whole, until it is confirmed. 0: one half; 1: no limit.
	// What other components have is not counted: what Kind.Claims leaves to them, and what
	// another engine's Run wants.
	//
	//   - Run counts sources where it knows them: those that Store.Replace did not
	//     mention, and that still have something to be removed, against these and all
	//     that are there. Where it does not, it counts objects: what is there and was
	//     never wanted in its store, against all that is ours. If nothing is wanted,
	//     or only by fixed sources, nothing goes by omission.
	//   - Sync, and Apply, count the objects that are not wanted against all that are ours.
	//
	// Not counted is what goes by name: by Store.Delete, Store.Assign, Remove, or
	// because a source that Replace mentions wants something else; and what goes
	// along with something that it depends on.
	MaxPrune float64

	// Prune says what Run may remove; see also Grace.
	Prune Prune
	Grace Grace

	// RetryMin and RetryMax bound the time after which Run tries a failed object
	// again; it doubles with each failure, give or take a half.
	// 0: 200 milliseconds, 1 minute.
	RetryMin, RetryMax time.Duration

	// Limit bounds the work on one object, in one pass; what has not been done by then has
	// failed, and is read again. 0: only ctx does.
	Limit time.Duration

	// Refuse is asked about each step that would change the target, as it is planned; an
	// error blocks the step, and what depends on it. It must be quick and must not call the
	// engine. Nil: nothing is refused. See NoMoreThan.
	Refuse func(*Step) error

	// Observe is told what happens, from whichever goroutine it happens in; it
	// must be quick, safe for concurrent use, and must not call the engine.
	// Nil: nobody is. The engine itself neither logs nor prints.
	Observe func(Event)

	// Begun is told by Run what its first reading found, as Found would, before anything is planned: the
	// place to take up what an earlier program left. It must not call the engine; what it says in the
	// Store is planned for with all else. Nil: nobody is.
	Begun func([]Found)

	// Trace is asked for the context in which the kind's functions do one thing to one object, and
	// told, by the function that it returns, how that ended: for a span, whose context goes
	// with each message to the target. As quick, safe and shy of the engine as Observe. Nil: it is
	// the context of the call.
	Trace func(ctx context.Context, a Action, k Key) (context.Context, func(error))

	misuse  error
	life    context.Context // until Close
	close   context.CancelFunc
	kinds   []*kind                  // each after those that it requires
	given   map[*kind]bool           // which of them New was given, not merely required
	claims  map[*kind]func(Key) bool // of each of them; nil: all
	divided bool                     // some have claims
	spaces  map[string]bool          // of those that make objects
	byType  map[reflect.Type]*kind
	nudge   chan struct{} // Forget wakes Run
	asked   places        // by the last Plan or Sync
	begun   bool          // it has read the target, whatever others had read before
	*world                // what is known, shared with other engines if the kinds have a Target
}

// New makes an engine of kinds. Of kinds that these merely require it knows the objects,
// and makes those that are wanted, but never removes one unasked. If all given kinds have one
// Target, the engine shares what is known of it with the other engines and kinds there.
// Misuse (a nil kind, two kinds of one name or of one type of object, a kind without
// Dump, with Create and without Delete, or whose objects are no plain data, kinds of two
// targets, a kind that differs from one of its name that is in use on the target) is
// returned by every call.
func New(kinds ...AnyKind) *Engine {
	e := &Engine{
		given: map[*kind]bool{}, claims: map[*kind]func(Key) bool{}, spaces: map[string]bool{}, byType: map[reflect.Type]*kind{},
		nudge: make(chan struct{}, 1), world: newWorld(),
	}
	e.life, e.close = context.WithCancel(context.Background())
	var given []*kind
	shared := len(kinds) > 0
	for _, k := range kinds {
		if isNil(k) {
			e.misuse = errors.New("a kind is nil")
			return e
		}
		x := k.erase()
		given = append(given, x)
		shared = shared && x.target != nil
		if x.target != nil && given[0].target != nil && x.target != given[0].target {
			e.misuse = fmt.Errorf("kinds %q and %q are of two targets", given[0].name, x.name)
			return e
		}
	}
	if shared {
		e.world = given[0].target.w
	}
	if e.kinds, e.misuse = e.join(slices.Clone(given)); e.misuse != nil {
		return e
	}
	for _, k := range e.kinds {
		e.byType[k.typ], e.claims[k] = k, nil
		for _, x := range given {
			if x.name == k.name {
				e.given[k], e.claims[k] = true, x.claims
				e.divided = e.divided || x.claims != nil
				e.spaces[k.space] = e.spaces[k.space] || k.create != nil
			}
		}
	}
	return e
}

// Close ends the engine: Run returns ErrClosed, and so does each later call; what is being
// done is not waited for. The target stays as it is. A component that goes on with other claims
// or options on the same target closes its engine, then makes its kinds and engine anew: what the
// old ones knew is read again. Who never does that need not Close. It can be called twice.
func (e *Engine) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life.Err() != nil {
		return
	}
	e.close()
	for _, k := range e.kinds {
		k.users--
	}
}

// ended says why the engine does nothing: it was never fit, or was closed.
func (e *Engine) ended() error {
	if e.life.Err() != nil {
		return ErrClosed
	}
	return e.misuse
}

// Ensure makes the target hold the wanted objects and leaves all else alone,
// except that what depends on a replaced object is unmade and made again with
// it, and what loses its effect by that is put to effect (Kind.Undoes). The Report has one
// Result per object; the error is Report.Err, or says why nothing could be planned.
func (e *Engine) Ensure(ctx context.Context, want ...Object) (Report, error) {
	return e.settle(ctx, request{objects: want, restore: true, again: true})
}

// Remove makes the target not hold the objects with these keys. What others
// depend on is refused with ErrInUse, unless they are removed along with it.
//
// The Report has one Result per key, and of what is put to effect again, as it lost that (Kind.Undoes).
// What is not there is a Keep, with ID 0; what is there but not ours is left alone and no failure:
// a Block without Err. The error is Report.Err, or says why nothing could be planned.
func (e *Engine) Remove(ctx context.Context, keys ...Key) (Report, error) {
	asked := make(map[Key]bool, len(keys))
	for _, k := range keys {
		asked[k] = true
	}
	r, err := e.settle(ctx, removal(keys))
	if r == nil {
		return nil, err
	}
	for _, x := range r {
		delete(asked, x.Key)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, k := range keys {
		if !asked[k] {
			continue
		}
		delete(asked, k)
		x := Result{Action: Keep, Key: k}
		if h, ok := e.view.handle(k); ok {
			x.Action, x.ID = Block, h.id
		}
		r = append(r, x)
	}
	return r, err
}

// Sync is Ensure, and removes all else that is ours. ErrMassDelete is returned,
// and nothing done, if that would be more than MaxPrune allows; Plan it, then
// confirm the plan and Apply it.
func (e *Engine) Sync(ctx context.Context, want ...Object) (Report, error) {
	p, _, err := e.prepare(ctx, request{objects: want, all: true, prune: true, again: true})
	if err != nil {
		return nil, err
	}
	if err := e.guard(p); err != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.unclaim(p)
		return nil, err
	}
	r := e.execute(ctx, p, false, nil, nil)
	return r, errors.Join(r.Err(), p.Unread)
}

// Apply carries out a plan, whole: what fails or is blocked does not keep the
// rest from being done. ErrStale is returned, and nothing done, if the engine
// has seen the target change since the plan was made, or has begun to apply it.
func (e *Engine) Apply(ctx context.Context, p *Plan) (Report, error) {
	if err := e.take(ctx, p); err != nil {
		return nil, err
	}
	r := e.execute(ctx, p, false, nil, nil)
	return r, r.Err()
}

// take claims all that a plan touches, if it may be carried out.
func (e *Engine) take(ctx context.Context, p *Plan) error {
	if err := e.ended(); err != nil {
		return err
	}
	if p.engine != e {
		return fmt.Errorf("%w: made by another engine", ErrStale)
	}
	if err := e.guard(p); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.applied || p.version != e.version || !e.claim(p, 0) {
		return ErrStale
	}
	p.applied = true
	for _, l := range p.lessons {
		e.learn(l.n, l.after)
	}
	return nil
}

// guard refuses a plan that removes too much.
func (e *Engine) guard(p *Plan) error {
	if p.confirmed || !tooMany(e.share(), p.inferred, p.owned) {
		return nil
	}
	return fmt.Errorf("%w: %d of our %d objects, which nobody deleted by name; confirm the plan if that is meant",
		ErrMassDelete, p.inferred, p.owned)
}

// Forget makes the engine read the target anew before it plans again. Call it
// when something else may have changed what is there.
func (e *Engine) Forget() {
	e.mu.Lock()
	e.forget(anyKind)
	e.mu.Unlock()
	select {
	case e.nudge <- struct{}{}:
	default:
	}
}

// ID returns the target's handle of the object with this key, without reading:
// ErrMissing also before the first call that reads.
func (e *Engine) ID(k Key) (uint32, error) { return e.view.ID(k) }

// Name returns the name in space of what has this handle; see ID.
func (e *Engine) Name(space string, id uint32) (string, bool) { return e.view.Name(space, id) }

// Decode makes an object of a kind from JSON. Unknown fields, and anything
// after the object, are errors; Validate is not called.
func (e *Engine) Decode(kind string, data []byte) (Object, error) {
	if e.misuse != nil {
		return nil, e.misuse
	}
	for _, k := range e.kinds {
		if k.name == kind {
			o, err := k.decode(data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			return o, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownKind, kind)
}

// settle plans and applies a request, once more if surplus objects went, whose
// going may have changed what else is there, or if a handle turned out to be another's.
func (e *Engine) settle(ctx context.Context, r request) (Report, error) {
	var report Report
	for round := 1; ; round++ {
		p, _, err := e.prepare(ctx, r)
		if err != nil {
			return report, err
		}
		report = report.then(e.execute(ctx, p, false, nil, nil))
		err = report.Err()
		surplus := slices.ContainsFunc(p.Steps, func(s *Step) bool { return s.Surplus > 0 })
		switch changed := errors.Is(err, ErrChanged); {
		case round == 3 || err != nil && !changed || err == nil && !surplus:
			return report, err
		case !changed:
			e.Forget()
		}
	}
}

func (e *Engine) ready(ctx context.Context) error {
	if err := e.ended(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return e.load(ctx)
}
