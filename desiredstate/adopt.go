// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"fmt"
	"reflect"
	"time"
)

// Adoption is what making something that is not ours into an object of ours comes to.
// See Engine.Adoption.
type Adoption struct {
	Want    Object
	From    Key      // what the thing is called now
	Have    Object   // the thing, as found
	Differs []Change // what will be changed in place once it is ours

	id     uint32
	kind   *kind
	engine *Engine
}

// Adoption finds the thing that is called from, which is not ours, and says what would
// become of it as the wanted object. Nothing is sent that changes the target. It is an
// error if the thing is ours already, of another kind, or would have to be replaced to be
// as wanted: ask for it as it is, then change it.
func (e *Engine) Adoption(ctx context.Context, want Object, from Key) (*Adoption, error) {
	refuse := func(why error) (*Adoption, error) { return nil, &Error{Update, want.Key(), why} }
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.ready(ctx); err != nil {
		return nil, err
	}
	kind := e.byType[reflect.TypeOf(want)]
	if kind == nil {
		return refuse(fmt.Errorf("%w: %T", ErrUnknownKind, want))
	}
	if err := want.Validate(); err != nil {
		return refuse(fmt.Errorf("%w: %w", ErrInvalid, err))
	}
	n := e.nodes[from]
	claims := e.claims[kind]
	switch {
	case claims != nil && !claims(want.Key()):
		return refuse(fmt.Errorf("%w: it is another component's; its kind claims others here", ErrForeign))
	case kind.adopt == nil:
		return refuse(fmt.Errorf("%w: the target cannot mark a %s that is there as ours", ErrUnavailable, kind.name))
	case kind.unread != nil:
		return refuse(fmt.Errorf("%w: %w", ErrUnread, kind.unread))
	case e.nodes[want.Key()].exists():
		return refuse(fmt.Errorf("%w: there is something of this name", ErrConflict))
	case n == nil || len(n.have) != 1 || n.have[0].kind != kind:
		return refuse(fmt.Errorf("%w: no %s is called %s", ErrMissing, kind.name, from))
	case !n.have[0].foreign:
		return refuse(fmt.Errorf("%w: %s is ours", ErrConflict, from))
	}
	have := n.have[0]
	named := renamed(have.spec, want)
	as := have
	as.spec = named
	filled := kind.fill(as, want)
	a := &Adoption{Want: want, From: from, Have: have.spec, Differs: diff(named, filled), id: have.id, kind: kind, engine: e}
	if !kind.equal(named, filled) && !kind.inPlace(as, filled) {
		return refuse(fmt.Errorf("%w: %s would have to be replaced: %v", ErrConflict, from, a.Differs))
	}
	return a, nil
}

// Adopt makes the thing ours, if it still is what it was, and then as wanted. A Run does not take it for what
// nobody wants before its store has been told of it. But what hangs on the thing is ours with it: the store is to
// want that before.
func (e *Engine) Adopt(ctx context.Context, a *Adoption) (Report, error) {
	if err := e.ended(); err != nil {
		return nil, err
	}
	if a.engine != e {
		return nil, fmt.Errorf("%w: made by another engine", ErrStale)
	}
	if p := e.prover(a.From.Space); p != nil {
		changed, _, err := p.ask(ctx, time.Now(), Held{a.From, a.id})
		if err != nil {
			return nil, &Error{Update, a.Want.Key(), fmt.Errorf("verify: %w", err)}
		}
		if len(changed) > 0 {
			return nil, &Error{Update, a.Want.Key(), fmt.Errorf("%w: %s", ErrChanged, a.From)}
		}
	}
	e.mu.Lock()
	e.adopted[a.Want.Key()] = struct{}{} // also if it fails: the target may have done it all the same
	e.mu.Unlock()
	if err := a.kind.adopt(ctx, e.view, actual{kind: a.kind, spec: a.Have, id: a.id, foreign: true}, a.Want); err != nil {
		return nil, &Error{Update, a.Want.Key(), err}
	}
	e.Forget()
	return e.Ensure(ctx, a.Want)
}

// renamed is have by the name of want: a field Name, in all kinds that are named by their
// owner.
func renamed(have, want Object) Object {
	v := reflect.New(reflect.TypeOf(have)).Elem()
	v.Set(reflect.ValueOf(have))
	if f := v.FieldByName("Name"); f.IsValid() && f.Kind() == reflect.String {
		f.SetString(reflect.ValueOf(want).FieldByName("Name").String())
	}
	return v.Interface().(Object)
}

// String says what would be done, as a plan does.
func (a *Adoption) String() string {
	s := fmt.Sprintf("%s becomes %s\n", a.From, a.Want.Key())
	for _, c := range a.Differs {
		s += fmt.Sprintf("      %s\n", c)
	}
	return s
}
