// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"fmt"
	"reflect"
	"slices"
)

// Found is an object in the target, as last read and as changed since, with what was
// wanted of it where the target does not show that: Ensure of Spec would change nothing,
// and would make just the same again.
type Found struct {
	Kind    string
	Key     Key
	ID      uint32
	Spec    Object
	Foreign bool

	// Unverified: the target cannot be asked; that is what it was last told.
	Unverified bool

	// Broken: it is there and does not work: why.
	Broken string
}

// Found lists what the target holds, reading it if need be, sorted by key.
// Reference kinds are not listed. With the list comes an error if a kind could not be
// read: what is known of it is from before.
func (e *Engine) Found(ctx context.Context) ([]Found, error) {
	out, err := e.found(ctx)
	slices.SortStableFunc(out, func(a, b Found) int { return a.Key.Compare(b.Key) })
	return out, err
}

// found is Found, in no order.
func (e *Engine) found(ctx context.Context) (out []Found, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.ready(ctx); err != nil {
		return nil, err
	}
	for _, n := range e.nodes {
		for _, a := range n.have {
			if e.uses(a.kind) {
				out = append(out, Found{a.kind.name, n.key, a.id, n.spec(a), a.foreign, a.kind.unverified, a.broken()})
			}
		}
	}
	return out, e.unread(e.uses)
}

// List reads all objects of the kind of S anew and returns them, foreign ones and those of
// reference kinds included, in the order in which the target lists them. What is wanted of
// them and not shown by the target is not in them; see Engine.Found.
func List[S Object](ctx context.Context, e *Engine) ([]Actual[S], error) {
	if err := e.ended(); err != nil {
		return nil, err
	}
	k := e.byType[reflect.TypeFor[S]()]
	if k == nil {
		return nil, fmt.Errorf("%w: %v", ErrUnknownKind, reflect.TypeFor[S]())
	}
	e.mu.Lock()
	listings, err := e.dump(ctx, []*kind{k})
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	l := listings[len(listings)-1]
	if l.err != nil {
		return nil, l.err // there is nothing beside it
	}
	out := make([]Actual[S], len(l.all))
	for i, a := range l.all {
		out[i] = typed[S](a)
	}
	return out, nil
}

// spec is what is known of an actual: as found, but for what Fill would not compare, as
// wanted.
func (n *node) spec(a actual) Object {
	want := n.asWanted
	if want == nil || reflect.TypeOf(want) != a.kind.typ {
		return a.spec
	}
	filled := reflect.ValueOf(a.kind.fill(a, want))
	wanted, out := reflect.ValueOf(want), reflect.New(a.kind.typ).Elem()
	out.Set(reflect.ValueOf(a.spec))
	if out.Kind() != reflect.Struct {
		return a.spec
	}
	for i := range out.NumField() {
		f := wanted.Field(i)
		if out.Field(i).CanSet() && !f.IsZero() && !reflect.DeepEqual(f.Interface(), filled.Field(i).Interface()) {
			out.Field(i).Set(f)
		}
	}
	return out.Interface().(Object)
}

// unverified says whether the target cannot be asked for a wanted object.
func (e *Engine) unverified(want Object) bool {
	k := e.byType[reflect.TypeOf(want)]
	return k != nil && k.unverified
}
