// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/signed"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// routers are the keys of the host's routers and floating IPs. What one of them
// wants depends on others, so all of them are looked at together, each time one has
// changed; what then is another than before is told to the store.
type routers struct {
	site  translate.Site
	store *desiredstate.Store
	log   *slog.Logger

	ports   map[string]translate.RouterPort // by name below Site.Routers
	floats  map[string]translate.FloatingIP
	wrong   map[string]error // keys that cannot be read
	stands  map[string]error // keys that are served as they were: why
	later   map[string]later // what gateways that serve on will be
	linger  time.Duration    // how long they do; 0: they do not
	wake    func()           // at the end of that
	serving bool
	stale   bool            // something has changed since now was made: all is to be looked at
	floated map[string]bool // floating IPs that have changed since
	missed  int             // keys that were in no list any more, and nobody said that they are deleted
	now     translate.Routing
	found   map[desiredstate.Key]desiredstate.Object // what VPP held at first; nil: it is known whose that is, or there was no VPP yet
	needing map[desiredstate.Key]map[string]bool     // keys of etcd by what they need
	refused map[string]error                         // what the store would not take, by source
	puts    map[string]int64                         // the revisions of keys: each put is to be answered
	answer  map[string]bool                          // of these, those that were put since work
}

func newRouters(site translate.Site, store *desiredstate.Store, log *slog.Logger) *routers {
	return &routers{
		site: site, store: store, log: log, serving: !site.HA,
		ports: map[string]translate.RouterPort{}, floats: map[string]translate.FloatingIP{}, wrong: map[string]error{},
		stands: map[string]error{}, refused: map[string]error{}, later: map[string]later{}, wake: func() {},
		puts: map[string]int64{}, answer: map[string]bool{}, floated: map[string]bool{}, needing: map[desiredstate.Key]map[string]bool{},
	}
}

// put takes the value of a key; it is there, or not.
func (r *routers) put(name string, value []byte, ca *signed.CA, there bool) {
	if translate.IsFloatingIP(name) {
		r.floated[name] = true
	} else {
		r.stale = true
	}
	delete(r.stands, name)
	var err error
	if there && name != translate.HAKey { // which is no driver's
		if value, err = ca.Open(r.site.Routers()+name, value); err != nil && r.reads(name) {
			r.stands[name] = err
			return
		}
	}
	delete(r.wrong, name)
	if !there {
		delete(r.puts, name)
	}
	if name == translate.HAKey {
		r.hear(value, there)
		return
	}
	var p translate.RouterPort
	var f translate.FloatingIP
	switch {
	case !there || err != nil:
	case translate.IsFloatingIP(name):
		f, err = r.site.FloatingIP(name, value)
	default:
		p, err = r.site.RouterPort(name, value)
	}
	if err == nil {
		var lingers bool
		if p, lingers = r.lingers(name, p, there); lingers {
			return
		}
	}
	delete(r.later, name)
	delete(r.ports, name)
	delete(r.floats, name)
	switch {
	case err != nil:
		r.wrong[name] = err
	case !there:
	case translate.IsFloatingIP(name):
		r.floats[name] = f
	default:
		r.ports[name] = p
	}
}

// reads says whether there is something that a key could be read as.
func (r *routers) reads(name string) bool {
	_, port := r.ports[name]
	_, float := r.floats[name]
	return port || float
}

// hear takes the key that says whether this host serves. Of two that serve the same
// addresses none works, so junk says no. Where another way of telling was asked for, it says so.
func (r *routers) hear(value []byte, there bool) {
	var err error
	switch {
	case !r.site.HA: // the driver's world has this key on hosts that do not ask for it
	case r.site.Election == nil && there:
		r.serving, err = translate.Serves(value)
	case r.site.Election == nil:
		r.serving = false
	case there:
		err = errors.New("this host runs with --ha vrrp, which alone says who serves")
	}
	if err != nil {
		r.wrong[translate.HAKey] = err
	}
}

// listed takes all keys.
func (r *routers) listed(values map[string][]byte, ca *signed.CA) {
	for _, name := range append(r.names(), translate.HAKey) {
		if _, still := values[name]; !still {
			delete(r.ports, name) // and so no gateway lingers
			r.put(name, nil, ca, false)
			if name != translate.HAKey {
				r.missed++
			}
		}
	}
	for name, value := range values {
		r.put(name, value, ca, true)
	}
	r.stale = true
}

// names lists all keys that are known.
func (r *routers) names() []string {
	return slices.Concat(slices.Collect(maps.Keys(r.ports)), slices.Collect(maps.Keys(r.floats)), slices.Collect(maps.Keys(r.wrong)))
}

// work looks at what has changed, and returns what each source wants that wants something
// else than before, and the names of the keys that come to something else.
func (r *routers) work() (wants map[string][]desiredstate.Object, moved map[string]bool) {
	wants, moved = map[string][]desiredstate.Object{}, map[string]bool{}
	if !r.stale && len(r.floated) == 0 {
		return wants, moved
	}
	before := r.look()
	r.stale = false
	clear(r.floated)
	for source, objs := range before.Wants { // of what was taken over, nothing is looked at
		if now := r.now.Wants[source]; !reflect.DeepEqual(objs, now) {
			wants[source] = now
		}
	}
	for name, old := range before.Parts {
		part := r.wholly(name)
		r.need(name, old.Needs, part.Needs)
		if !samePart(old, part) {
			moved[name] = true
			if part.Wrong != nil && !sameError(old.Wrong, part.Wrong) {
				r.log.Warn("key is not served", "key", fmt.Sprintf("%.80q", name), "err", part.Wrong)
			}
		}
	}
	maps.Copy(moved, r.answer)
	clear(r.answer)
	return wants, moved
}

// look makes now what it is to be, and returns how that was of what it looked at: floating IPs alone, if nothing
// else has to do with what has changed.
func (r *routers) look() translate.Before {
	if !r.stale && r.found == nil {
		if before, ok := r.now.Float(slices.Collect(maps.Keys(r.floated)), r.floats); ok {
			return before
		}
	}
	old := r.now
	holds := old.Holds
	if r.found != nil {
		if held := r.site.Held(r.found, r.ports, r.floats); len(held) > 0 {
			holds = held
		}
		for name, p := range r.ports {
			r.ports[name] = p.Led(r.found)
		}
		r.found = nil
	}
	r.now = r.site.Reroute(old, r.ports, r.floats, r.serving, holds)
	before := translate.Before{Wants: map[string][]desiredstate.Object{}, Parts: map[string]translate.Part{}}
	for source := range r.now.Wants {
		before.Wants[source] = nil
	}
	for _, name := range slices.AppendSeq(r.names(), maps.Keys(r.now.Parts)) {
		before.Parts[name] = translate.Part{}
	}
	maps.Copy(before.Wants, old.Wants)
	maps.Copy(before.Parts, old.Parts)
	return before
}

// wholly adds to what a key comes to why its value is not believed, or cannot be read.
func (r *routers) wholly(name string) translate.Part {
	part, known := r.now.Parts[name]
	if err := r.wrong[name]; err != nil {
		part, known = translate.Part{Wrong: err}, true
	}
	if err := r.stands[name]; err != nil {
		part.Lacks, known = errors.Join(part.Lacks, err), true
	}
	if known {
		r.now.Parts[name] = part
	}
	return part
}

// need notes what a key needs that needed something else.
func (r *routers) need(name string, before, now []desiredstate.Key) {
	if slices.Equal(before, now) {
		return
	}
	for _, k := range before {
		if delete(r.needing[k], name); len(r.needing[k]) == 0 {
			delete(r.needing, k)
		}
	}
	for _, k := range now {
		if r.needing[k] == nil {
			r.needing[k] = map[string]bool{}
		}
		r.needing[k][name] = true
	}
}

// served says whether VPP has all that a key asks for, if only in part as it was written, and
// at which revision that was.
func (r *routers) served(name string) (at int64, yes bool) {
	p := r.now.Parts[name]
	if p.Wrong != nil || len(p.Needs) == 0 {
		return 0, false
	}
	for _, source := range p.Sources {
		if r.refused[source] != nil {
			return 0, false
		}
	}
	for _, k := range p.Needs {
		if status, _ := r.store.Status(k); status.State != desiredstate.Applied {
			return 0, false
		}
	}
	return r.puts[name], true
}

func samePart(a, b translate.Part) bool {
	return a.Network == b.Network && slices.Equal(a.Sources, b.Sources) && slices.Equal(a.Needs, b.Needs) && sameError(a.Wrong, b.Wrong) && sameError(a.Lacks, b.Lacks)
}

// newest are the revisions of the last puts of keys by which sources want what they do.
func (r *routers) newest(sources map[string][]desiredstate.Object) map[string]int64 {
	at := make(map[string]int64, len(sources))
	for source := range sources {
		at[source] = 0
	}
	for name, part := range r.now.Parts {
		for _, source := range part.Sources {
			if last, asked := at[source]; asked {
				at[source] = max(last, r.puts[name])
			}
		}
	}
	return at
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}

// assign tells the store, also of what it refused before: a network may go from one router to
// another. It adds to moved the keys that are, or were, refused something.
func (r *routers) assign(wants map[string][]desiredstate.Object, moved map[string]bool) {
	before := r.refused
	for source := range before {
		if _, new := wants[source]; !new {
			wants[source] = r.now.Wants[source]
		}
	}
	r.refused = ask(r.store, slices.Sorted(maps.Keys(wants)), wants)
	for source, err := range r.refused {
		if !sameError(before[source], err) {
			r.log.Error("conflicting wants", "source", source, "err", err)
		}
	}
	if len(before)+len(r.refused) == 0 {
		return
	}
	for name, part := range r.now.Parts {
		for _, source := range part.Sources {
			if !sameError(before[source], r.refused[source]) {
				moved[name] = true
			}
		}
	}
}

// status sums up how the objects stand that a key needs, and what is wrong with it.
func (r *routers) status(name string) (s desiredstate.State, err error, known bool) { //nolint:revive // what is wrong is no failure
	p, known := r.now.Parts[name]
	if p.Wrong != nil {
		return desiredstate.Invalid, p.Wrong, true
	}
	counts := map[desiredstate.State]int{}
	if p.Lacks != nil && len(p.Needs) == 0 { // else all but a part is served
		counts[desiredstate.Blocked]++
	}
	for _, k := range p.Needs {
		status, _ := r.store.Status(k)
		counts[status.State]++
	}
	s = desiredstate.Applied
	for _, bad := range []desiredstate.State{desiredstate.Pending, desiredstate.Blocked, desiredstate.Failing, desiredstate.Invalid} {
		if counts[bad] > 0 {
			s = bad
		}
	}
	errs := []error{p.Lacks}
	for _, source := range p.Sources {
		if why := r.refused[source]; why != nil {
			errs, s = append(errs, why), desiredstate.Blocked
		}
	}
	if counts[desiredstate.Applied] < len(p.Needs) {
		for _, why := range Causes(r.store, p.Needs) {
			errs = append(errs, errors.New(why))
		}
	}
	return s, errors.Join(errs...), known
}
