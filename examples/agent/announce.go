// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/dirty"
	"github.com/vppkit/vppkit/examples/agent/publish"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
)

// announcer puts on the board what VPP confirmed, and takes off what is no
// longer so.
//
// An agent that starts finds the keys that an earlier one left. They stay until
// VPP had its say about each port, or did not in due time: a restart of the
// agent shall not look to Neutron like one of all ports.
type announcer struct {
	inbox   *wants.Inbox
	store   *desiredstate.Store
	board   *publish.Board
	settled atomic.Bool
	doubts  chan chan struct{} // whoever has reason to believe that nothing is true that an earlier agent said
	touched *dirty.Set[string] // sources to be announced anew: a port is made of many objects

	tapped   *publish.Board             // how the host's tap services and flows stand
	tapsTrue bool                       // nothing untrue is left there that an earlier agent said
	world    *publish.Board             // what this host tells the others; nil: it is in no overlay
	spreads  map[string]map[string]bool // the keys there, by who they are of
	compared map[string]bool            // of these, those that are as new as what others say of the same
	away     atomic.Bool                // etcd is heard again: it is not known any more which are
	toldTrue bool                       // nothing untrue is left there that an earlier agent said

	// attached says whether the VM of a port is there, and whether that is known.
	attached func(translate.Port) (there, known bool)
	looked   func() bool // whether it is known of all

	// runs says whether the VM of a port runs here, and whether that is known.
	runs func(translate.Port) (yes, known bool)

	// patience is how long something is wrong before it is said: what a healthy port is
	// made of comes one key after the other.
	patience time.Duration
	wrong    map[string]time.Time // since when it is, by the key that says so; zero: it is said
	unsaid   map[string]bool      // of these, those that are too many to be said
	silent   atomic.Int64         // how many

	remain  map[desiredstate.Key]string // what is to go and does not: why
	leaving sync.Mutex                  // guards it

	convergence convergence
}

func newAnnouncer(inbox *wants.Inbox, store *desiredstate.Store, board, tapped *publish.Board) *announcer {
	return &announcer{
		inbox: inbox, store: store, board: board, tapped: tapped, touched: dirty.New[string](),
		spreads: map[string]map[string]bool{}, compared: map[string]bool{},
		convergence: convergence{owed: map[string]bool{}},
		remain:      map[desiredstate.Key]string{},
		patience:    2 * time.Second, wrong: map[string]time.Time{}, unsaid: map[string]bool{}, doubts: make(chan chan struct{}),
		attached: func(translate.Port) (there, known bool) { return true, true },
		looked:   func() bool { return true },
		runs:     func(translate.Port) (yes, known bool) { return true, true },
	}
}

// dueTime is how long a VPP that may be there has to confirm what was said.
const dueTime = 5 * time.Second

func (a *announcer) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.watch(ctx) })
	g.Go(func() error { return a.announce(ctx) })
	return g.Wait()
}

// watch notes which sources the statuses that change are about.
func (a *announcer) watch(ctx context.Context) error {
	failing := map[desiredstate.Key]string{} // why sets of groups are not as wanted
	for key, status := range a.store.Watch(ctx) {
		a.leaves(key, status)
		if status.State == desiredstate.Pending && !a.settled.Load() {
			continue // nothing is said of it yet
		}
		sources := a.store.Sources(key)
		for _, s := range sources {
			if group, ok := strings.CutPrefix(s, wants.OfGroup("")); ok {
				sources = append(sources, a.group(failing, group, key, status)...)
			}
		}
		for _, name := range a.inbox.Needing(key) {
			sources = append(sources, wants.OfRouter(name))
		}
		a.touched.Add(sources...)
	}
	return ctx.Err()
}

// leaves notes what does not go though it is to: no key is left that could say so.
func (a *announcer) leaves(key desiredstate.Key, status desiredstate.Status) {
	a.leaving.Lock()
	defer a.leaving.Unlock()
	if status.Leaving && (status.State == desiredstate.Failing || status.State == desiredstate.Invalid) {
		a.remain[key] = status.Err.Error()
	} else {
		delete(a.remain, key)
	}
}

// left lists what does not go, and why.
func (a *announcer) left() (out []string) {
	a.leaving.Lock()
	defer a.leaving.Unlock()
	for _, key := range slices.SortedFunc(maps.Keys(a.remain), desiredstate.Key.Compare) {
		out = append(out, key.String()+": "+a.remain[key])
	}
	return out
}

// announce says how things stand. It alone does, so that what is said last is what
// was looked at last.
func (a *announcer) announce(ctx context.Context) error {
	var due <-chan time.Time // from when it is known what is wanted
	var swept <-chan time.Time
	settle := func() {
		if a.settle() {
			swept = time.After(a.patience) // what an earlier agent said is wrong may be said again
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-due:
			settle()
		case <-swept:
			a.board.Settle()
		case done := <-a.doubts:
			a.settle()
			a.board.Settle()
			close(done)
		case <-a.touched.Bell:
		}
		began, reached := time.Now(), a.convergence.reached.Load()
		for s := range a.touched.Take() {
			a.convergence.owed[s] = true
			a.look(s)
		}
		a.compareAgain()
		a.spreadDoors()
		a.settleWorld()
		a.settleTaps()
		if a.inbox.Complete() && !a.settled.Load() {
			if due == nil {
				due = time.After(dueTime)
			}
			if a.store.Count(desiredstate.Pending) == 0 && a.looked() { // VPP had its say about everything
				settle()
			}
		}
		a.converge(reached)
		select { // more comes together meanwhile
		case <-ctx.Done():
		case <-time.After(time.Since(began)):
		}
	}
}

// look announces how a source stands.
func (a *announcer) look(s string) {
	if name, ok := strings.CutPrefix(s, wants.OfPort("")); ok {
		a.port(name)
		for _, t := range a.inbox.TapsOf(name) {
			a.tap(t)
		}
	} else if name, ok := strings.CutPrefix(s, wants.OfTap("")); ok {
		a.tap(name)
	} else if physnet, ok := strings.CutPrefix(s, wants.OfUplink("")); ok {
		a.physnet(physnet)
	} else if name, ok := strings.CutPrefix(s, wants.OfRouter("")); ok {
		a.route(name)
	} else if name, ok := strings.CutPrefix(s, wants.OfUnserved("")); ok {
		a.unserved(name)
	}
}

// settle makes pending mean untrue from now on, and says whether it did not before.
func (a *announcer) settle() bool {
	if a.settled.Swap(true) {
		return false
	}
	a.touched.Take() // all of it is said now
	names, _ := a.inbox.Names()
	for _, name := range names {
		a.port(name)
	}
	for _, name := range a.inbox.Routes() {
		a.route(name)
	}
	for _, name := range a.inbox.UnservedNames() {
		a.unserved(name)
	}
	for physnet := range a.inbox.Site.Physnets {
		a.physnet(physnet)
	}
	for _, name := range a.inbox.TapNames() {
		a.tap(name)
	}
	return true
}

// withdraw takes back all that an earlier agent said, and waits, so long at most, until that is
// so in etcd.
func (a *announcer) withdraw(ctx context.Context, wait time.Duration) {
	done := make(chan struct{})
	select {
	case a.doubts <- done:
		<-done
	case <-ctx.Done():
		return
	}
	if wait > 0 {
		ctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		_ = a.board.Written(ctx) // an etcd that is away hears it later
	}
}

// problem announces what is wrong with the source of this name, "": nothing.
func (a *announcer) problem(source, key, why string) {
	since, known := a.wrong[key]
	full := len(a.wrong)-len(a.unsaid) > mostErrors
	switch {
	case why == "":
		delete(a.wrong, key)
		a.unsay(key, false)
		a.board.Clear(key)
	case known && since.IsZero(), known && time.Since(since) >= a.patience, a.patience == 0:
		a.wrong[key] = time.Time{}
		if said := known && since.IsZero() && !a.unsaid[key]; !said && full {
			a.unsay(key, true)
			return
		}
		a.unsay(key, false)
		a.board.Set(key, reason(why))
	case !known:
		a.wrong[key] = time.Now()
		time.AfterFunc(a.patience, func() { a.touched.Add(source) })
	}
}

// mostErrors is how many errors of keys stand in etcd: whoever reads a thousand has seen enough.
const mostErrors = 1000

// unsay notes that of a key no error is written though it is wrong, or that it is wrong no more.
func (a *announcer) unsay(key string, yes bool) {
	if yes {
		a.unsaid[key] = true
	} else {
		delete(a.unsaid, key)
	}
	a.silent.Store(int64(len(a.unsaid)))
}

// port announces how the port of a key stands.
func (a *announcer) port(name string) {
	a.spreadPort(name)
	if parent, sub := wants.ParentOf(name); sub {
		a.trunk(parent)
		return
	}
	put := a.inbox.LastPut(name)
	p, known, wrong := a.inbox.Look(name)
	status, _ := a.store.Source(wants.OfPort(name))
	bound, problem := "ports/"+name, "errors/"+segment(name)
	switch {
	case wrong != nil:
		a.board.Clear(bound)
		a.problem(wants.OfPort(name), problem, wrong.Error())
	case !known:
		a.board.Clear(bound)
		a.problem(wants.OfPort(name), problem, "")
	case status.State == desiredstate.Pending && !a.settled.Load():
	default:
		there, looked := a.attached(p)
		if status.State == desiredstate.Applied && there { // who put the key waits for that
			a.board.SetSince(bound, p.State(p.Handles(a.store), put), put)
		} else if status.State != desiredstate.Applied || looked || a.settled.Load() {
			a.board.Clear(bound)
		}
		a.problem(wants.OfPort(name), problem, a.why(p, status))
	}
}

// route announces how a key of a router stands.
func (a *announcer) route(name string) {
	state, err, known := a.inbox.Route(name)
	segments := pathSegments(name)
	if state == desiredstate.Pending && err == nil && !a.settled.Load() {
		return
	}
	if value, put, yes := a.inbox.Served(name); known && yes {
		a.board.SetSince("routers/"+segments, value, put)
	} else {
		a.board.Clear("routers/" + segments)
	}
	why := ""
	if known && err != nil {
		why = err.Error()
	}
	a.problem(wants.OfRouter(name), "errors/routers/"+segments, why)
}

// unserved announces that nothing comes of a key.
func (a *announcer) unserved(name string) {
	if parent, ok := strings.CutPrefix(name, wants.Trunks); ok {
		a.trunk(parent)
		return
	}
	if wants.IsTap(name) {
		a.tap(name)
		return
	}
	why, key := "", "errors/"+pathSegments(name)
	if !strings.Contains(name, "/") {
		key += "/" // errors of ports have none
	}
	if err := a.inbox.Unserved(name); err != nil {
		why = err.Error()
		if a.wrong[key].IsZero() && !a.unsaid[key] {
			a.wrong[key] = time.Now().Add(-a.patience) // it will not pass by itself
		}
	}
	a.problem(wants.OfUnserved(name), key, why)
}

// group lists the sources that are the ports of a group, if something else is wrong
// now with one of its sets: a port can be bound while VPP refuses what its group has
// come to be.
func (a *announcer) group(failing map[desiredstate.Key]string, name string, set desiredstate.Key, status desiredstate.Status) (ports []string) {
	why := ""
	if status.Err != nil {
		why = status.Err.Error()
	}
	if why == failing[set] {
		return nil
	}
	if failing[set] = why; why == "" {
		delete(failing, set)
	}
	for _, port := range a.inbox.InGroup(name) {
		ports = append(ports, wants.OfPort(port))
	}
	return ports
}

// why says what is wrong with a port of this status: with parts of its key, with the
// keys of its groups, and in VPP.
func (a *announcer) why(p translate.Port, status desiredstate.Status) string {
	var said []string
	if p.Lacks != nil {
		said = append(said, p.Lacks.Error())
	}
	said = append(said, a.inbox.Trouble(p)...)
	wrong := func(k desiredstate.Key) bool { status, _ := a.store.Status(k); return status.Err != nil }
	if status.Err != nil || slices.ContainsFunc(p.Shared(), wrong) {
		keys := p.Shared()
		for _, o := range p.Objects() {
			keys = append(keys, o.Key())
		}
		said = append(said, wants.Causes(a.store, keys)...)
	}
	return strings.Join(said, "; ")
}

// physnet announces a physical network as long as its interface is there.
func (a *announcer) physnet(name string) {
	status, _ := a.store.Source(wants.OfUplink(name))
	switch {
	case status.State == desiredstate.Applied:
		a.board.Set("physnets/"+name, "1")
	case status.State == desiredstate.Pending && !a.settled.Load():
	default:
		a.board.Clear("physnets/" + name)
	}
}
