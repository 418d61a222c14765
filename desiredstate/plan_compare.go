// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"reflect"
	"slices"
)

// look drafts the step of one key by what the object alone asks for. What is as
// wanted needs no step unless it is pulled along.
func (b *planner) look(n *node, pulled bool) *draft {
	doubt := b.doubt(n)
	want, have := b.want(n), n.owned()
	if want == nil {
		return b.lookUnwanted(n, have)
	}
	kind := b.e.byType[reflect.TypeOf(want)]
	eyed, why := b.objection(kind, n, have, want, doubt)
	if why == nil && len(have) > 0 {
		return b.compare(n, kind, have, want, pulled)
	}
	if why == nil {
		why = b.rivalled(n, nil, want)
	}
	if why != nil {
		d := b.refused(n, have, want, why)
		d.eyed = eyed
		return d
	}
	d := b.draft(n, Create)
	d.wanted(b, kind, want, want)
	return d
}

// refused drafts that a wanted object stays as it is.
func (b *planner) refused(n *node, have []actual, want Object, why error) *draft {
	d := b.draft(n, Block)
	d.Want, d.why = want, why
	if len(have) > 0 {
		d.there(have, 0)
	}
	if kind := b.e.byType[reflect.TypeOf(want)]; kind != nil {
		d.Kind = kind.name
	}
	return d
}

// lookUnwanted drafts the end of what nobody wants, if this plan may end it.
func (b *planner) lookUnwanted(n *node, have []actual) *draft {
	if !b.e.manages(n) || b.e.elsewhere(n.key) != nil {
		return nil
	}
	named := b.r.named(n.key)
	if named || b.r.prune && len(have) > 0 {
		if why := b.e.hides(n.key); why != nil { // there may be something
			b.blind = true
			if !named && !n.suspect {
				return nil
			}
			d := b.draft(n, Block)
			d.why = fmt.Errorf("%w: %w", ErrUnread, why)
			return d
		}
	}
	if len(have) == 0 || !b.r.prune && !named {
		return nil
	}
	d := b.draft(n, Delete)
	d.there(have, 0)
	return d
}

// objection says why a wanted object can be neither made nor changed, whatever else there
// is; nil: it can. If that is for what others are, it says which these may be.
func (b *planner) objection(kind *kind, n *node, have []actual, want Object, doubt error) (eyed []Key, why error) {
	if why = b.hinders(kind, n, want, doubt); why != nil {
		return nil, why
	}
	b.eyed = b.eyed[:0]
	if why = kind.refuses(b.foresight(), want); why != nil {
		return refusedBy(b.eyed, kind, want), why
	}
	return nil, b.occupied(n, have, want)
}

// hinders says why nothing can be done about an object, whatever is there of it.
func (b *planner) hinders(kind *kind, n *node, want Object, doubt error) error {
	switch {
	case kind == nil:
		return fmt.Errorf("%w: %T: give the engine the kind of it", ErrUnknownKind, want)
	case kind.unavailable != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, kind.unavailable)
	case kind.create == nil:
		return fmt.Errorf("%w: objects of the kind %s are only referred to: want one of a kind that makes it", ErrInvalid, kind.name)
	case kind.unread != nil:
		b.blind = true
		return fmt.Errorf("%w: %w", ErrUnread, kind.unread)
	case doubt != nil:
		return fmt.Errorf("%w: %w", ErrUnread, doubt)
	}
	if claims := b.e.claims[kind]; claims != nil && !claims(n.key) {
		return fmt.Errorf("%w: it is another component's; its kind claims others here", ErrForeign)
	}
	if err := want.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// occupied says who has something else by the name of an object.
func (b *planner) occupied(n *node, have []actual, want Object) error {
	switch {
	case len(have) == 0 && !n.exists():
		return nil
	case len(have) == 0 && (len(n.have) > 0 || n.ref.foreign):
		return fmt.Errorf("%w: something of this name is there already: adopt it (Engine.Adopt), or choose another name", ErrForeign)
	case len(have) == 0:
		return fmt.Errorf("%w: it is there, but as nothing that this engine's kinds manage", ErrConflict)
	case !b.e.uses(have[0].kind):
		return fmt.Errorf("%w: another component has a %s of this name", ErrConflict, have[0].kind.name)
	}
	return nil
}

// compare drafts the step from what is there to what is wanted.
func (b *planner) compare(n *node, kind *kind, have []actual, want Object, pulled bool) *draft {
	at := b.choose(kind, have, want)
	cur := have[at]
	cur.covered = b.covered(n, cur)
	filled := want
	if cur.kind == kind {
		filled = kind.fill(cur, want)
	}
	base := kind.turns(cur, filled)
	same := base == Keep
	if cur.kind == kind {
		b.noteDeps(kind, n, want, filled, same)
	}
	if same && len(have) == 1 && !pulled {
		n.asWanted = nil
		if len(n.have) == 1 {
			n.asWanted = want
		}
		b.keeps(n, cur.id)
		return nil
	}
	if why := b.rivalled(n, have, want); why != nil && !same {
		return b.refused(n, have, want, why)
	}
	d := b.draft(n, base)
	d.there(have, at)
	d.have = cur
	d.wanted(b, kind, want, filled)
	d.Surplus = len(d.spare)
	return d
}

// turns says how what is there becomes what is wanted, which is filled.
func (k *kind) turns(have actual, want Object) Action {
	switch {
	case have.kind == k && have.broken() == "" && k.equal(have.spec, want):
		return Keep
	case have.kind == k && k.inPlace(have, want):
		return Update
	}
	return Replace
}

// there notes what the target has: the one that the step is about, and more.
func (d *draft) there(have []actual, at int) {
	d.have, d.Have, d.Kind = have[at], have[at].spec, have[at].kind.name
	if len(have) > 1 {
		d.spare = slices.Concat(have[:at], have[at+1:])
	}
}

// noteDeps keeps the dependencies that only the wanted object tells of, and never
// the target, so that it goes in the right order too. If what is there is just
// that object, those that only an earlier one told of are forgotten.
func (b *planner) noteDeps(k *kind, n *node, want, filled Object, same bool) {
	deps := k.depsOf(want)
	if slices.EqualFunc(n.deps, deps, func(e edge, k Key) bool { return e.on.key == k }) {
		return // as nearly always
	}
	if b.r.dry {
		b.lessons = append(b.lessons, lesson{n: n, before: n.learned()})
	}
	var shown []Key
	if !same { // these are still to come
		shown = k.depsOf(filled)
	}
	for _, dep := range deps {
		if !slices.Contains(shown, dep) {
			b.e.depend(n, dep, nil)
		}
	}
	if !same || n.suspect {
		return
	}
	deps = slices.Clone(deps) // they are the object's
	for _, a := range n.have {
		deps = append(deps, a.kind.depsOf(a.spec)...)
	}
	n.deps = slices.DeleteFunc(n.deps, func(d edge) bool {
		if slices.Contains(deps, d.on.key) {
			return false
		}
		n.leave(d)
		b.e.idle = append(b.e.idle, d.on)
		return true
	})
}

// lesson is what a dry run would have the engine know of a node.
type lesson struct {
	n             *node
	before, after learned
}

// learned is what a wanted object has told of a node.
type learned struct {
	deps     []Key
	asWanted Object
}

func (n *node) learned() learned { return learned{keysOf(n.dependencies()), n.asWanted} }

// unlearn makes the nodes what they were before a dry run, and keeps what there was to learn for who carries
// out its plan.
func (b *planner) unlearn() []lesson {
	for i, l := range b.lessons {
		b.lessons[i].after = l.n.learned()
	}
	for _, l := range slices.Backward(b.lessons) { // one may be there twice
		b.e.learn(l.n, l.before)
	}
	return b.lessons
}

func (w *world) learn(n *node, x learned) {
	for _, d := range n.deps {
		n.leave(d)
		w.idle = append(w.idle, d.on)
	}
	n.deps = nil
	for _, k := range x.deps {
		w.depend(n, k, nil)
	}
	n.asWanted = x.asWanted
}

// choose picks, of several objects with one name, the one to keep: one that is
// as wanted, else the first.
func (b *planner) choose(k *kind, have []actual, want Object) int {
	if len(have) > 1 {
		for i, a := range have {
			if a.kind == k && a.broken() == "" && k.equal(a.spec, k.fill(a, want)) {
				return i
			}
		}
	}
	return 0
}

func (b *planner) draft(n *node, base Action) *draft {
	d := b.draftees.one()
	d.Action, d.Key, d.n, d.base, d.dragged = base, n.key, n, base, b.dragged
	b.of(n).draft = d
	b.drafts = append(b.drafts, d)
	return d
}

func (d *draft) wanted(b *planner, k *kind, want, filled Object) {
	d.kind, d.Kind, d.Want, d.want = k, k.name, want, filled
	d.holds, d.shares = k.holds(filled), k.shares(filled)
	if deps := k.depsOf(want); len(deps) > 0 {
		d.deps = b.nodes.some(len(deps))
		for i, dep := range deps {
			d.deps[i] = b.node(dep)
		}
	}
}
