// SPDX-License-Identifier: Apache-2.0

// Package publish keeps what a host says of itself in etcd equal to what is
// true, over outages and losses of etcd.
package publish

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/vppkit/vppkit/examples/agent/dirty"
)

// A Board is the keys of some subtrees below a prefix, this process's own. Set, SetSince
// and Clear only say what shall stand there; Run writes it, the newest value of each key,
// and no key that stands as it should. What is withdrawn goes first. A key that etcd will
// not take keeps no other from being written.
//
// One more key, Alive, stands there as long as Run runs and reaches etcd, and for TTL
// longer: who begins within that time goes on with it. If anybody deletes it meanwhile,
// it comes back. It depends on nothing that is written.
type Board struct {
	Client *clientv3.Client
	Prefix string
	Trees  []string      // "ports/", or a key: what lies elsewhere is others'
	Alive  string        // "": none
	Last   string        // a key in Trees that is written only when all else stands, and not if etcd is not at its SetSince yet; "": none
	TTL    time.Duration // how long Alive outlives this process. 0: 3 minutes
	Resync time.Duration // what stands there is read again this often. 0: 5 minutes
	Lost   func(error)   // told why something cannot be written for now

	// Over says that this process ends: what is said from then on is of the end, and not
	// written, though Run has not heard of it yet. nil: it never does.
	Over func() bool

	// Own says which keys in Trees are this process's own, if not all of them are.
	Own func(name string) bool

	changed *dirty.Set[string] // what may not stand there as wanted
	owed    map[string]bool    // what changed of it, and was not written yet; of Run

	mu      sync.Mutex
	want    map[string]string // "" is a key that must not be
	turn    map[string]int    // when a key was spoken of last, counted
	since   map[string]int64  // by what revision a key must have been written at the earliest
	turns   int
	doubted bool // what stands there has to be read
	all     bool // anything may not stand there as wanted
	settled bool
	lease   clientv3.LeaseID // of Run
	idle    chan struct{}    // closed when all stands; nil: nobody waits
}

// New makes an empty board; its other fields may be set before Run.
func New(client *clientv3.Client, prefix string, trees ...string) *Board {
	return &Board{
		Client: client, Prefix: prefix, Trees: trees,
		Lost: func(error) {}, owed: map[string]bool{},
		turn: map[string]int{}, want: map[string]string{}, since: map[string]int64{}, changed: dirty.New[string](),
	}
}

// Set makes a key stand there with this value, which is not empty.
func (b *Board) Set(name, value string) {
	b.say(func() { b.want[name] = value }, name)
}

// SetSince is Set, and has the key written after a revision of etcd even if it stood there
// so before: whoever wrote something then waits for the event.
func (b *Board) SetSince(name, value string, revision int64) {
	b.say(func() { b.want[name], b.since[name] = value, revision }, name)
}

// Clear makes a key not stand there.
func (b *Board) Clear(name string) { b.Set(name, "") }

// Count is how many keys that begin so shall stand there.
func (b *Board) Count(prefix string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, value := range b.want {
		if value != "" && strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}

// Settle also clears what was never set: what an earlier process left. Until
// then it stays, because what is not known yet need not be untrue.
func (b *Board) Settle() { b.say(func() { b.settled, b.all = true, true }) }

// Doubt has what stands there read again now: etcd may have been rolled back, or be another, of which who has nothing
// to write hears nothing.
func (b *Board) Doubt() { b.say(func() { b.doubted = true }) }

// Written waits until all that was said before stands in etcd.
func (b *Board) Written(ctx context.Context) error {
	b.mu.Lock()
	if b.idle == nil {
		b.idle = make(chan struct{})
	}
	idle := b.idle
	b.mu.Unlock()
	b.changed.Add()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Board) doubtful() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.doubted
}

func (b *Board) say(f func(), changed ...string) {
	b.mu.Lock()
	f()
	for _, name := range changed {
		b.turns++
		b.turn[name] = b.turns
	}
	b.mu.Unlock()
	b.changed.Add(changed...)
}

// Run writes until ctx ends. All that it says stays, as that stays true without this
// process; Alive for its time.
func (b *Board) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.patiently(ctx, b.session) })
	if b.Alive != "" {
		g.Go(func() error { return b.patiently(ctx, b.live) })
	}
	return g.Wait()
}

func patience() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(15*time.Second),
		backoff.WithMaxElapsedTime(0),
	)
}

// patiently does something again and again, after a time that grows until it says that
// it goes well.
func (b *Board) patiently(ctx context.Context, what func(ctx context.Context, well func()) error) error {
	pause := patience()
	for {
		once, cancel := context.WithCancel(ctx)
		err := what(once, pause.Reset)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b.Lost(err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// session writes until etcd does not answer. What etcd answers with a refusal is tried
// again after a time that grows; what is to be withdrawn does not wait for that.
func (b *Board) session(ctx context.Context, well func()) error {
	b.Doubt()
	var have map[string]stands
	again := time.NewTicker(cmp.Or(b.Resync, 5*time.Minute))
	defer again.Stop()
	pause := patience()
	var later <-chan time.Time // when puts are tried again; nil: they are welcome
	for {
		var err error
		if b.doubtful() {
			if have, err = b.read(ctx); err != nil {
				return err
			}
		}
		switch err = b.write(ctx, have, later == nil); {
		case err == nil && later == nil:
			well()
			pause.Reset()
		case isRefusal(err):
			b.Lost(err)
			later = time.After(pause.NextBackOff())
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.changed.Bell:
		case <-later:
			later = nil
		case <-again.C:
			b.Doubt()
		}
	}
}
