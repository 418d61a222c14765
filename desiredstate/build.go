// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// request says what a plan is to bring about.
type request struct {
	objects []Object // what is wanted, and to be looked at
	all     bool     // and so is all else that is ours

	want func(Key) Object // in place of objects; nil: not wanted
	keys []Key            // to be looked at then

	prune   bool           // what is ours and not wanted goes
	named   func(Key) bool // goes in any case: somebody deleted it by name
	restore bool           // what depends on a replaced object comes back, wanted or not
	refuse  bool           // what something depends on does not go
	again   bool           // kinds that could not be read are tried once more if they matter
}

// builder makes a plan. Each step starts as what its object alone would ask for
// (its base) and then gives way to what happens around it: down when what it
// hangs on goes down, blocked when what it needs will not be there. A block is
// never lifted within a plan, so this ends.
type builder struct {
	e       *Engine
	r       request
	drafts  map[Key]*draft
	waiting map[Key][]Key // who looks again when the key's step changes
	again   []Key
	takers  map[Key]Key // resource: the one object that may take it
	kept    []Result
	suspect []Key
	busy    []Key   // kept, but being changed by another pass
	loose   []*node // that an object no longer depends on
	blind   bool    // a kind that could not be read matters here
}

type draft struct {
	*Step
	base Action
	why  error // why it cannot be made or changed
	lack []Key // what would have to change for that
	n    *node
	deps []Key // of Want
	done bool  // queued
	late bool  // drafted when others had been settled without it
}

// plan compares and orders; it only computes. The error is that the request makes
// no sense. The engine's lock is held.
func (e *Engine) plan(r request) (*Plan, error) {
	if r.named == nil {
		r.named = func(Key) bool { return false }
	}
	b := &builder{e: e, r: r, drafts: map[Key]*draft{}, waiting: map[Key][]Key{}, takers: map[Key]Key{}}
	keys, err := b.skim()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(keys, Key.Compare)
	for _, k := range slices.Compact(keys) {
		b.look(k, false)
	}
	b.support()
	b.assignHolds()
	for k := range b.drafts {
		b.again = append(b.again, k)
	}
	slices.SortFunc(b.again, Key.Compare)
	p := &Plan{engine: e, owned: e.owned()}
	for {
		b.settle()
		if b.cycles() {
			continue
		}
		p.tasks = b.tasks()
		stuck := stuckTasks(p.tasks)
		if len(stuck) == 0 || !b.unknot(stuck) {
			loosen(p.tasks)
			break
		}
	}
	if len(b.drafts) > 0 { // what was dragged along is looked at anew
		b.kept = slices.DeleteFunc(b.kept, func(r Result) bool { return b.drafts[r.Key] != nil })
	}
	for _, d := range b.drafts {
		d.Unverified = d.kind != nil && d.kind.unverified || d.have.kind != nil && d.have.kind.unverified
		if d.Action == Keep && d.Surplus == 0 {
			b.kept = append(b.kept, Result{Keep, d.Key, d.have.id, nil})
			continue
		}
		p.Steps = append(p.Steps, d.Step)
		if d.Action == Delete && d.Err == nil && !r.named(d.Key) && !d.n.leftover() {
			p.inferred++
		}
	}
	slices.SortFunc(p.Steps, func(a, b *Step) int { return a.Key.Compare(b.Key) })
	p.kept = b.kept
	b.claims(p)
	p.version, p.blind, p.Unread = e.version, b.blind, e.unread(e.uses)
	for _, n := range b.loose {
		e.tidy(n)
	}
	return p, nil
}

// look drafts the step of one key by what the object alone asks for. What is as
// wanted needs no step unless it is dragged along.
func (b *builder) look(k Key, dragged bool) *draft {
	n := b.e.nodes[k]
	doubt := b.doubt(n)
	want := b.r.want(k)
	have := n.owned()
	if want == nil {
		if n != nil && (!b.e.manages(n) || b.e.elsewhere(k) != nil) {
			return nil
		}
		if named := b.r.named(k); named || b.r.prune && len(have) > 0 {
			if why := b.unread(k, n); why != nil { // there may be something
				b.blind = true
				if !named {
					return nil
				}
				d := b.draft(k, n, Blocked)
				d.why = why
				return d
			}
		}
		if len(have) == 0 || !b.r.prune && !b.r.named(k) {
			return nil
		}
		d := b.draft(k, n, Delete)
		d.there(have, 0)
		return d
	}

	kind := b.e.byType[reflect.TypeOf(want)]
	refuse := func(why error, by ...Key) *draft {
		d := b.draft(k, n, Blocked)
		d.Want, d.why, d.lack = want, why, by
		if len(have) > 0 {
			d.there(have, 0)
		}
		if kind != nil {
			d.Kind = kind.name
		}
		return d
	}
	switch {
	case kind == nil:
		return refuse(fmt.Errorf("%w: %T", ErrUnknownKind, want))
	case kind.unavailable != nil:
		return refuse(fmt.Errorf("%w: %w", ErrUnavailable, kind.unavailable))
	case kind.create == nil:
		return refuse(fmt.Errorf("%w: a %s is only referred to, never made", ErrInvalid, kind.name))
	case kind.unread != nil:
		b.blind = true
		return refuse(fmt.Errorf("%w: %w", ErrUnread, kind.unread))
	case doubt != nil:
		return refuse(fmt.Errorf("%w: %w", ErrUnread, doubt))
	case b.e.claims[kind] != nil && !b.e.claims[kind](k):
		return refuse(fmt.Errorf("%w: it is another component's; its kind claims others here", ErrForeign))
	}
	if err := want.Validate(); err != nil {
		return refuse(fmt.Errorf("%w: %w", ErrInvalid, err))
	}
	if kind.check != nil {
		if err := kind.check(b.e.view, want); err != nil {
			if !errors.Is(err, ErrForeign) && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrInvalid) {
				err = fmt.Errorf("%w: %w", ErrInvalid, err)
			}
			return refuse(err)
		}
	}
	if len(have) == 0 && n.exists() {
		if len(n.have) > 0 || n.ref.foreign {
			return refuse(fmt.Errorf("%w: something of this name is there already", ErrForeign))
		}
		return refuse(fmt.Errorf("%w: it is there, but as nothing that this engine's kinds manage", ErrConflict))
	}
	if len(have) == 0 {
		d := b.draft(k, n, Create)
		d.wanted(kind, want, want)
		return d
	}
	if !b.e.uses(have[0].kind) {
		return refuse(fmt.Errorf("%w: another component has a %s of this name", ErrConflict, have[0].kind.name))
	}
	if other := b.e.elsewhere(k); other != nil && !same(other, want) {
		return refuse(fmt.Errorf("%w: another component wants it otherwise, and was first", ErrConflict))
	}

	at := b.choose(kind, have, want)
	cur := have[at]
	filled := want
	if cur.kind == kind {
		filled = kind.fill(cur.spec, want)
	}
	same := cur.kind == kind && kind.equal(cur.spec, filled)
	if cur.kind == kind {
		b.learn(n, want, filled, same)
	}
	if same && len(have) == 1 && !dragged {
		n.asWanted = nil
		if len(n.have) == 1 {
			n.asWanted = want
		}
		b.keeps(n, cur.id)
		return nil
	}
	d := b.draft(k, n, Replace)
	d.there(have, at)
	d.wanted(kind, want, filled)
	switch {
	case same:
		d.base = Keep
	case cur.kind == kind && kind.inPlace(cur.spec, filled):
		d.base = Update
	}
	d.Action, d.Surplus = d.base, len(d.spare)
	return d
}

// doubt has a node that nobody is sure of read before the plan is trusted. If it cannot be,
// doubt says why.
func (b *builder) doubt(n *node) error {
	if n == nil || !n.suspect {
		return nil
	}
	why := b.e.unread(func(k *kind) bool { return k.space == n.key.Space })
	if why == nil {
		why = b.e.blind(n)
	}
	if why != nil {
		b.blind = true
		return why
	}
	b.suspect = append(b.suspect, n.key)
	return nil
}

// unread says why nobody knows what the target has of a key: a kind of its space could not
// be read.
func (b *builder) unread(k Key, n *node) error {
	why := b.e.blind(n)
	if why == nil && !n.exists() {
		why = b.e.unread(func(x *kind) bool { return x.space == k.Space && x.create != nil })
	}
	if why != nil {
		why = fmt.Errorf("%w: %w", ErrUnread, why)
	}
	return why
}

// pinned says whether something that would have to go with a node could not be read, and
// so must not be touched.
func (b *builder) pinned(n *node) (Key, error) {
	if !b.e.partial {
		return Key{}, nil
	}
	seen := map[Key]bool{}
	var visit func(n *node) (Key, error)
	visit = func(n *node) (Key, error) {
		for u := range n.users {
			x := b.e.nodes[u]
			if seen[u] || !x.ours() {
				continue
			}
			seen[u] = true
			if why := b.e.blind(x); why != nil {
				return u, why
			}
			if k, why := visit(x); why != nil {
				return k, why
			}
		}
		return Key{}, nil
	}
	return visit(n)
}

// support brings along what a step relies on and is there, but not as wanted:
// its own last change failed, perhaps, and is not due to be tried again. Nothing
// is put on top of what is half done.
func (b *builder) support() {
	todo := slices.SortedFunc(maps.Keys(b.drafts), Key.Compare)
	for len(todo) > 0 {
		d := b.drafts[todo[0]]
		todo = todo[1:]
		if !d.comesUp() {
			continue
		}
		for _, k := range d.deps {
			n := b.e.nodes[k]
			if b.drafts[k] != nil || !n.ours() || n.writers > 0 || b.r.want(k) == nil { // or another pass sees to it
				continue
			}
			kept := b.kept
			if b.look(k, false) != nil {
				todo = append(todo, k)
			}
			b.kept = kept // what it relies on was not asked about
		}
	}
}

// there notes what the target has: the one that the step is about, and more.
func (d *draft) there(have []actual, at int) {
	d.have, d.Have, d.Kind = have[at], have[at].spec, have[at].kind.name
	if len(have) > 1 {
		d.spare = slices.Concat(have[:at], have[at+1:])
	}
}

// learn keeps the dependencies that only the wanted object tells of, and never
// the target, so that it goes in the right order too. If what is there is just
// that object, those that only an earlier one told of are forgotten.
func (b *builder) learn(n *node, want, filled Object, same bool) {
	deps := want.Deps()
	var shown []Key
	if !same { // these are still to come
		shown = filled.Deps()
	}
	for _, k := range deps {
		if !slices.Contains(n.deps, k) && !slices.Contains(shown, k) {
			n.deps = append(n.deps, k)
			b.e.node(k).usedBy(n.key)
		}
	}
	if !same || n.suspect {
		return
	}
	for _, a := range n.have {
		deps = append(deps, a.spec.Deps()...)
	}
	n.deps = slices.DeleteFunc(n.deps, func(k Key) bool {
		if slices.Contains(deps, k) {
			return false
		}
		u := b.e.nodes[k]
		delete(u.users, n.key)
		b.loose = append(b.loose, u)
		return true
	})
}

// choose picks, of several objects with one name, the one to keep: one that is
// as wanted, else the first.
func (b *builder) choose(k *kind, have []actual, want Object) int {
	if len(have) > 1 {
		for i, a := range have {
			if a.kind == k && k.equal(a.spec, k.fill(a.spec, want)) {
				return i
			}
		}
	}
	return 0
}

func (b *builder) draft(k Key, n *node, base Action) *draft {
	if n == nil {
		n = &node{key: k}
	}
	d := &draft{Step: &Step{Action: base, Key: k}, base: base, n: n}
	b.drafts[k] = d
	return d
}

func (d *draft) wanted(k *kind, want, filled Object) {
	d.kind, d.Kind, d.Want, d.want, d.deps = k, k.name, want, filled, want.Deps()
}

// drag drafts the step of an object that was not asked about, because something
// that it hangs on goes down.
func (b *builder) drag(k Key) *draft {
	n := b.e.nodes[k]
	have := n.owned()
	if len(have) == 0 {
		return nil
	}
	if b.r.want(k) != nil {
		return b.look(k, true)
	}
	d := b.draft(k, n, Delete)
	d.there(have, 0)
	if b.r.restore || !b.r.prune && !b.r.named(k) {
		d.base, d.Action = Keep, Keep
		d.wanted(have[0].kind, have[0].spec, have[0].spec)
	}
	return d
}

// settle lets steps give way until none has to.
func (b *builder) settle() {
	for len(b.again) > 0 {
		k := b.again[0]
		b.again = b.again[1:]
		d := b.drafts[k]
		d.done = false
		was, had := d.Action, d.by
		d.Action, d.by, d.Err = b.outcome(d)
		d.Disturbs = d.disturbs()
		if b.e.Refuse != nil && d.Action != Keep && d.Action != Blocked {
			if err := b.e.Refuse(d.Step); err != nil {
				d.Action, d.Err, d.Disturbs = Blocked, err, DisturbsNothing
				d.base, d.why = Blocked, err // for good, whatever it lets go by that
			}
		}
		if d.goesDown() {
			for _, u := range slices.SortedFunc(maps.Keys(d.n.users), Key.Compare) {
				_ = b.doubt(b.e.nodes[u]) // it may hang on this, or not
				if b.drafts[u] != nil {
					continue
				}
				if x := b.drag(u); x != nil {
					x.late = true
					b.assign(u)
					b.queue(u)
				}
			}
		}
		news := d.late || d.Action != was || len(d.by) != len(had)
		if d.late = false; news {
			for u := range d.n.users {
				b.queue(u)
			}
			for _, u := range b.waiting[k] {
				b.queue(u)
			}
		}
	}
}

func (b *builder) queue(k Key) {
	if d := b.drafts[k]; d != nil && !d.done {
		d.done = true
		b.again = append(b.again, k)
	}
}

// outcome is what becomes of a step, given what becomes of those around it.
func (b *builder) outcome(d *draft) (Action, []Key, error) {
	// Pulled: what it hangs on goes. Down: it must go along, even if all that it
	// needs will be there again.
	pulled, down := false, d.base == Keep || d.base == Blocked
	for _, k := range d.n.deps {
		b.wait(k, d.Key)
		if dep := b.drafts[k]; dep != nil && dep.goesDown() {
			pulled = true
			down = down || slices.Contains(d.deps, k)
		}
	}
	there := len(d.n.owned()) > 0 // of a suspect, there may be nothing known that could go
	down = down && pulled && there
	if d.base == Delete || d.base == Replace {
		if u, why := b.pinned(d.n); why != nil {
			b.blind = true
			return Blocked, []Key{u}, fmt.Errorf("%w: %s, which depends on it: %w", ErrUnread, u, why)
		}
	}
	switch d.base {
	case Delete:
		if users := b.keptUsers(d); b.r.refuse && len(users) > 0 {
			return Blocked, users, fmt.Errorf("%w by %s", ErrInUse, join(users))
		}
		return Delete, nil, nil
	case Blocked:
		if down {
			return Delete, d.lack, d.why
		}
		return Blocked, d.lack, d.why
	}

	if d.why == nil { // else for good: what lets go because of a block must not lift it
		d.lack, d.why = b.lacks(d)
	}
	why, by := d.why, d.lack
	switch {
	case why == nil && down:
		return Replace, nil, nil
	case why == nil:
		return d.base, nil, nil
	case pulled && there:
		return Delete, by, why
	case d.base == Keep && there:
		return Keep, nil, nil
	}
	return Blocked, by, why
}

// lacks says what keeps a wanted object from being made or changed now.
func (b *builder) lacks(d *draft) ([]Key, error) {
	var missing []Key
	for _, k := range d.deps {
		b.wait(k, d.Key)
		_ = b.doubt(b.e.nodes[k])
		if !b.available(k) {
			missing = append(missing, k)
		}
	}
	if len(missing) > 0 {
		why := fmt.Errorf("%w: %s", ErrMissing, join(missing))
		for _, k := range missing {
			if unread := b.unread(k, b.e.nodes[k]); unread != nil {
				b.blind = true
				return missing, fmt.Errorf("%w: %w", why, unread)
			}
		}
		return missing, why
	}
	d.before = d.before[:0]
	for _, r := range d.kind.holds(d.want) {
		if first, ok := b.takers[r]; ok && first != d.Key {
			b.wait(first, d.Key)
			return []Key{first}, fmt.Errorf("%w: %s wants %s too", ErrConflict, first, r)
		}
		for _, k := range b.e.holders[r] {
			if k == d.Key {
				continue
			}
			if n := b.e.nodes[k]; n.suspect { // nobody knows; the plan is made again when it is read
				if why := b.doubt(n); why != nil {
					return []Key{k}, fmt.Errorf("%w: %s, which may hold %s: %w", ErrUnread, k, r, why)
				}
				continue
			}
			if n := b.e.nodes[k]; !n.ours() {
				return []Key{k}, fmt.Errorf("%w: %s holds %s", ErrForeign, k, r)
			}
			b.wait(k, d.Key)
			h := b.drafts[k]
			if h == nil && b.e.nodes[k].leftover() {
				h = b.clear(k)
			}
			if h == nil || !h.letsGo(r) {
				return []Key{k}, fmt.Errorf("%w: %s holds %s", ErrConflict, k, r)
			}
			d.before = append(d.before, k)
		}
	}
	return nil, nil
}

// clear drafts the end of a leftover that is in the way of something wanted.
func (b *builder) clear(k Key) *draft {
	n := b.e.nodes[k]
	d := b.draft(k, n, Delete)
	d.there(n.owned(), 0)
	d.late = true
	b.queue(k)
	return d
}

// letsGo says whether the step frees resource r of what it has.
func (d *draft) letsGo(r Key) bool {
	switch d.Action {
	case Delete:
		return true
	case Update, Replace:
		return !slices.Contains(d.kind.holds(d.want), r)
	}
	return false
}

func (b *builder) wait(k, who Key) {
	b.waiting[k] = append(b.waiting[k], who)
}

// available says whether the target will have something of this key.
func (b *builder) available(k Key) bool {
	if d := b.drafts[k]; d != nil {
		switch d.Action {
		case Delete:
			return false
		case Blocked:
			return d.n.exists()
		}
		return true
	}
	return b.e.nodes[k].exists() && b.e.blind(b.e.nodes[k]) == nil
}

// keptUsers lists what depends on an object that is to go, and is to stay.
func (b *builder) keptUsers(d *draft) []Key {
	var out []Key
	for u := range d.n.users {
		b.wait(u, d.Key)
		if x := b.drafts[u]; x == nil || x.base != Delete || x.Action == Blocked {
			if b.e.nodes[u].ours() {
				out = append(out, u)
			}
		}
	}
	slices.SortFunc(out, Key.Compare)
	return out
}

func (d *draft) goesDown() bool { return d.Action == Delete || d.Action == Replace }

// goesFirst says so of what is there; of a suspect, that may be nothing.
func (d *draft) goesFirst() bool { return d.have.kind != nil && d.have.kind.goesFirst }

func (d *draft) comesUp() bool {
	return d.Action == Create || d.Action == Update || d.Action == Replace
}

// assignHolds settles who may take what only one can have: who has it already,
// else the first by name.
func (b *builder) assignHolds() {
	for _, k := range slices.SortedFunc(maps.Keys(b.drafts), Key.Compare) {
		b.assign(k)
	}
}

func (b *builder) assign(k Key) {
	d := b.drafts[k]
	if d.want == nil || d.base == Blocked {
		return
	}
	for _, r := range d.kind.holds(d.want) {
		first, taken := b.takers[r]
		if !taken || !slices.Contains(b.e.holders[r], first) && slices.Contains(b.e.holders[r], k) {
			b.takers[r] = k
			b.queue(first)
		}
	}
}

// cycles blocks wanted objects that would come to depend on themselves, and says
// whether there were any.
func (b *builder) cycles() bool {
	const (
		open = 1 + iota
		closed
	)
	found := false
	state := map[Key]int{}
	var path []Key
	var visit func(k Key)
	visit = func(k Key) {
		if state[k] == closed {
			return
		}
		if state[k] == open {
			loop := slices.Clone(path[slices.Index(path, k):])
			why := fmt.Errorf("%w: %s", ErrCycle, join(append(loop, k)))
			for _, l := range loop {
				if d := b.drafts[l]; d != nil && d.comesUp() {
					d.base, d.why, found = Blocked, why, true
					b.queue(l)
				}
			}
			return
		}
		state[k] = open
		path = append(path, k)
		for _, dep := range b.depsOf(k) {
			visit(dep)
		}
		path = path[:len(path)-1]
		state[k] = closed
	}
	keys := make([]Key, 0, len(b.drafts))
	for k, d := range b.drafts {
		if d.comesUp() {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, Key.Compare)
	for _, k := range keys {
		visit(k)
	}
	return found
}

// depsOf lists what the object will depend on after the plan.
func (b *builder) depsOf(k Key) []Key {
	if d := b.drafts[k]; d != nil {
		switch {
		case d.comesUp():
			return d.deps
		case d.Action == Delete:
			return nil
		}
	}
	if n := b.e.nodes[k]; n != nil {
		return n.deps
	}
	return nil
}

// unknot makes replacements of updates that wait for each other in a circle; it
// returns false if none does.
func (b *builder) unknot(stuck []*task) bool {
	found := false
	for _, t := range stuck {
		if d := b.drafts[t.step.Key]; d.base == Update && d.Action == Update {
			d.base, found = Replace, true
			b.queue(d.Key)
		}
	}
	return found
}

// claims notes with each step what it changes, and what it relies on.
func (b *builder) claims(p *Plan) {
	for _, s := range p.Steps {
		if s.Action == Blocked {
			continue
		}
		s.claims = append(s.claims, claim{s.Key, true})
		for _, dep := range b.drafts[s.Key].deps {
			if dep != s.Key {
				s.claims = append(s.claims, claim{dep, false})
			}
		}
		for _, a := range append([]actual{s.have}, s.spare...) {
			if a.kind != nil {
				s.take(a.kind.holds(a.spec))
			}
		}
		if s.want != nil {
			s.take(s.kind.holds(s.want))
		}
	}
	slices.SortFunc(b.suspect, Key.Compare)
	p.suspects, p.busy = slices.Compact(b.suspect), b.busy
}

// take claims resources, so that nobody else plans with them meanwhile.
func (s *Step) take(resources []Key) {
	for _, r := range resources {
		s.claims = append(s.claims, claim{r, true})
	}
}

func join(keys []Key) string {
	words := make([]string, 0, min(len(keys), 4))
	for i, k := range keys {
		if i == 3 && len(keys) > 4 {
			words = append(words, fmt.Sprintf("and %d more", len(keys)-3))
			break
		}
		words = append(words, k.String())
	}
	return strings.Join(words, ", ")
}
