// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"

	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// A workload is what a fleet of ports is not: many objects of one kind, each of which is
// one message, so what is measured is what vppkit takes for an object. Systems are the
// floor and the engine.
type workload struct {
	name string

	// base is what the objects hang on; who measures makes it, untimed. own is what the nth hangs
	// on alone; nil: nothing.
	base []desiredstate.Object
	own  func(n int) desiredstate.Object

	// ready does what no kind does, before all; nil: nothing.
	ready func(w *wire) error

	kinds   func(c *vppnet.Conn) []desiredstate.AnyKind
	numbers func(at func(desiredstate.Key) uint32)        // of what base has made
	object  func(n int, changed bool) desiredstate.Object // changed: moved to another place
	message func(n int, changed, add bool) api.Message    // the same by hand
	change  func(n int, changed bool) []api.Message       // how it comes to be changed, or what it was, by hand; nil: by message
	moves   func(n int) bool                              // whether change-many is about it
	dumps   func(w *wire) []dump                          // what a reading of it is by hand
	looks   int                                           // messages by which the engine, and no hand, looks at each before it goes

	most int // objects
}

const (
	portsWorkload = "ports"
	changeMany    = "change-many" // what shares a next hop, a port or a host gets another
)

var workloads = []func() *workload{routes, fib, sessions, policies, remotes}

func workloadNames() []string {
	names := []string{portsWorkload}
	for _, w := range workloads {
		names = append(names, w().name)
	}
	return names
}

// workloadOf is the one of this name; nil: ports.
func workloadOf(name string) *workload {
	for _, w := range workloads {
		if x := w(); x.name == name {
			return x
		}
	}
	return nil
}

// load is a workload in work: what both of its systems have.
type load struct {
	*workload
	size  int
	vpp   string
	tally tally
}

// bases are what the objects hang on.
func (l *load) bases() []desiredstate.Object {
	all := slices.Clone(l.base)
	for n := range l.size {
		if l.own != nil {
			all = append(all, l.own(n))
		}
	}
	return all
}

// prepare makes the base, by a connection that is not counted.
func (l *load) prepare(ctx context.Context) error {
	if l.ready != nil {
		w, err := openWire(l.vpp, new(tally))
		if err != nil {
			return err
		}
		defer w.close()
		if err := l.ready(w); err != nil {
			return err
		}
	}
	c, err := vppnet.Dial(ctx, l.vpp, owner)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	e := desiredstate.New(l.kinds(c)...)
	if _, err := e.Ensure(ctx, l.bases()...); err != nil {
		return err
	}
	l.numbers(func(k desiredstate.Key) uint32 {
		id, err := e.ID(k)
		if err != nil {
			panic(err) // base has it
		}
		return id
	})
	return nil
}

// steps are the jobs of a workload, as its systems do them.
type steps interface {
	prepare(context.Context) error
	cold(context.Context) error
	converged(context.Context) error
	change(ctx context.Context, there bool) error
	stop(context.Context) error
	restart(context.Context) error
	teardown(context.Context) error
	sent(context.Context) (messages, writes int)
	close()
}

func (l *load) jobs(s steps, repeat int) []job {
	return []job{
		{cold, s.prepare, s.cold, nil, 1},
		{converged, nil, s.converged, nil, min(repeat, 5)},
		{
			changeMany, nil,
			func(ctx context.Context) error { return s.change(ctx, true) },
			func(ctx context.Context) error { return s.change(ctx, false) },
			min(repeat, 3),
		},
		{agentRestart, s.stop, s.restart, nil, 1},
		{teardown, nil, s.teardown, nil, 1},
	}
}

// byHand does a workload pipelined, and looks at nothing.
type byHand struct {
	*load
	w *wire
}

func (s *byHand) all(add bool) error {
	asks := make([]ask, 0, s.size)
	for n := range s.size {
		asks = append(asks, ask{request: s.message(n, false, add)})
	}
	return s.w.all(asks)
}

func (s *byHand) cold(context.Context) (err error) {
	if s.w, err = openWire(s.vpp, &s.tally); err != nil {
		return err
	}
	return s.all(true)
}

func (s *byHand) converged(context.Context) error {
	s.w.begin()
	all := s.dumps(s.w)
	for _, d := range all {
		if err := d.send(); err != nil {
			return err
		}
	}
	for _, d := range all {
		if err := d.receive(); err != nil {
			return err
		}
	}
	return nil
}

func (s *byHand) change(_ context.Context, there bool) error {
	var asks []ask
	for n := range s.size {
		switch {
		case !s.moves(n):
		case s.workload.change == nil:
			asks = append(asks, ask{request: s.message(n, there, true)})
		default:
			for _, m := range s.workload.change(n, there) {
				asks = append(asks, ask{request: m})
			}
		}
	}
	return s.w.all(asks)
}

func (s *byHand) stop(context.Context) error { s.close(); return nil }

func (s *byHand) restart(ctx context.Context) (err error) {
	if s.w, err = openWire(s.vpp, &s.tally); err != nil {
		return err
	}
	return s.converged(ctx)
}

func (s *byHand) teardown(context.Context) error { return s.all(false) }

func (s *byHand) sent(context.Context) (messages, writes int) { return s.tally.sums() }

func (s *byHand) close() {
	if s.w != nil {
		s.w.close()
	}
}

// byEngine does a workload as a program with a loop of its own does.
type byEngine struct {
	*load
	want []desiredstate.Object
	held uint64 // bytes before there was an engine
	c    *vppnet.Conn
	e    *desiredstate.Engine
}

func (s *byEngine) prepare(ctx context.Context) error {
	if err := s.load.prepare(ctx); err != nil {
		return err
	}
	s.want = slices.Grow(s.bases(), s.size)
	for n := range s.size {
		s.want = append(s.want, s.object(n, false))
	}
	s.held = inUse()
	return nil
}

func (s *byEngine) cold(ctx context.Context) (err error) {
	if s.c, err = vppnet.Dial(ctx, s.vpp, owner, vppnet.WithTrace(s.tally.trace)); err != nil {
		return err
	}
	s.e = desiredstate.New(s.kinds(s.c)...)
	s.e.MaxPrune = 1
	return s.sync(ctx)
}

func (s *byEngine) sync(ctx context.Context) error {
	_, err := s.e.Sync(ctx, s.want...)
	return err
}

func (s *byEngine) converged(ctx context.Context) error {
	s.e.Forget()
	return s.sync(ctx)
}

func (s *byEngine) change(ctx context.Context, there bool) error {
	var moved []desiredstate.Object
	for n := range s.size {
		if s.moves(n) {
			moved = append(moved, s.object(n, there))
		}
	}
	_, err := s.e.Ensure(ctx, moved...)
	return err
}

func (s *byEngine) stop(context.Context) error { s.close(); return nil }

func (s *byEngine) restart(ctx context.Context) error { return s.cold(ctx) }

func (s *byEngine) teardown(ctx context.Context) error {
	_, err := s.e.Sync(ctx, s.bases()...)
	return err
}

func (s *byEngine) sent(context.Context) (messages, writes int) { return s.tally.sums() }

func (s *byEngine) bytes() float64 {
	return max(0, float64(inUse())-float64(s.held)) / float64(s.size)
}

func (s *byEngine) close() {
	if s.c != nil {
		_ = s.c.Close()
	}
}
