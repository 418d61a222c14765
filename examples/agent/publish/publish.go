// SPDX-License-Identifier: Apache-2.0

// Package publish keeps what a host says of itself in etcd equal to what is
// true, over outages and losses of etcd.
package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/dirty"
)

// A Board is the keys of some subtrees below a prefix, all of them this
// process's own. Set, SetSince and Clear only say what shall stand there; Run writes it,
// the newest value of each key, and no key that stands as it should.
//
// One more key, Alive, stands there as long as Run runs and reaches etcd, and for TTL
// longer: who begins within that time goes on with it. If anybody deletes it meanwhile,
// it comes back.
type Board struct {
	Client *clientv3.Client
	Prefix string
	Trees  []string      // "ports/": what lies elsewhere is others'
	Alive  string        // "": none
	TTL    time.Duration // how long Alive outlives this process. 0: 3 minutes
	Resync time.Duration // what stands there is read again this often. 0: 5 minutes
	Lost   func(error)   // told why nothing can be written for now

	changed *dirty.Set[string] // what may not stand there as wanted

	mu      sync.Mutex
	want    map[string]string // "" is a key that must not be
	since   map[string]int64  // by what revision a key must have been written at the earliest
	all     bool              // anything may not stand there as wanted
	settled bool
	lease   clientv3.LeaseID // of Run
}

// New makes an empty board; its other fields may be set before Run.
func New(client *clientv3.Client, prefix string, trees ...string) *Board {
	return &Board{
		Client: client, Prefix: prefix, Trees: trees,
		Lost: func(error) {},
		want: map[string]string{}, since: map[string]int64{}, changed: dirty.New[string](),
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

// Settle also clears what was never set: what an earlier process left. Until
// then it stays, because what is not known yet need not be untrue.
func (b *Board) Settle() { b.say(func() { b.settled, b.all = true, true }) }

func (b *Board) say(f func(), changed ...string) {
	b.mu.Lock()
	f()
	b.mu.Unlock()
	b.changed.Add(changed...)
}

// Run writes until ctx ends. All that it says stays, as that stays true without this
// process; Alive for its time.
func (b *Board) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(15*time.Second),
		backoff.WithMaxElapsedTime(0),
	)
	for {
		err := b.session(ctx, pause.Reset)
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

// session lasts until something fails.
func (b *Board) session(ctx context.Context, reached func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	kept, gone, err := b.live(ctx)
	if err != nil {
		return err
	}
	have, err := b.read(ctx)
	if err != nil {
		return err
	}
	reached()
	again := time.NewTicker(cmp.Or(b.Resync, 5*time.Minute))
	defer again.Stop()
	for {
		if err := b.write(ctx, have); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.changed.Bell:
		case <-again.C:
			if have, err = b.read(ctx); err != nil {
				return err
			}
		case _, ok := <-kept:
			if !ok {
				b.lease = 0
				return errors.New("etcd: lease lost")
			}
		case w, ok := <-gone:
			if err := w.Err(); !ok || err != nil {
				return errors.Join(errors.New("etcd: watch ended"), err)
			}
			for _, e := range w.Events {
				if e.Type == clientv3.EventTypeDelete {
					if _, err := b.putAlive(ctx); err != nil {
						return err
					}
				}
			}
		}
	}
}

// live puts Alive there under a lease, the one that Run had before if it is alive still,
// and keeps it. gone tells of what becomes of it.
func (b *Board) live(ctx context.Context) (kept <-chan *clientv3.LeaseKeepAliveResponse, gone clientv3.WatchChan, err error) {
	if b.Alive == "" {
		return nil, nil, nil
	}
	short, cancel := deadline(ctx)
	defer cancel()
	if b.lease != 0 {
		if _, err := b.Client.KeepAliveOnce(short, b.lease); err != nil {
			b.lease = 0
		}
	}
	if b.lease == 0 {
		l, err := b.Client.Grant(short, max(1, int64(cmp.Or(b.TTL, 3*time.Minute).Seconds())))
		if err != nil {
			return nil, nil, fmt.Errorf("etcd: lease: %w", err)
		}
		b.lease = l.ID
	}
	at, err := b.putAlive(ctx)
	if err != nil {
		return nil, nil, err
	}
	if kept, err = b.Client.KeepAlive(ctx, b.lease); err != nil {
		return nil, nil, fmt.Errorf("etcd: lease: %w", err)
	}
	return kept, b.Client.Watch(ctx, b.Prefix+b.Alive, clientv3.WithRev(at+1)), nil
}

// putAlive returns the revision from which on Alive stands there.
func (b *Board) putAlive(ctx context.Context) (int64, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	r, err := b.Client.Put(ctx, b.Prefix+b.Alive, "1", clientv3.WithLease(b.lease))
	if err != nil {
		return 0, fmt.Errorf("etcd: %s: %w", b.Alive, err)
	}
	return r.Header.Revision, nil
}

// stands is a key as it is in etcd.
type stands struct {
	value   string
	written int64 // the revision
}

func (b *Board) read(ctx context.Context) (map[string]stands, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	b.mu.Lock()
	b.all = true
	b.mu.Unlock()
	have := map[string]stands{}
	for _, tree := range b.Trees {
		r, err := b.Client.Get(ctx, b.Prefix+tree, clientv3.WithPrefix())
		if err != nil {
			return nil, fmt.Errorf("etcd: %w", err)
		}
		for _, kv := range r.Kvs {
			have[strings.TrimPrefix(string(kv.Key), b.Prefix)] = stands{string(kv.Value), kv.ModRevision}
		}
	}
	return have, nil
}

// batch is below etcd's default limit of operations in a transaction.
const batch = 100

// write makes have what is wanted.
func (b *Board) write(ctx context.Context, have map[string]stands) error {
	todo := b.missing(have)
	for len(todo) > 0 {
		now := todo[:min(batch, len(todo))]
		todo = todo[len(now):]
		ops := make([]clientv3.Op, len(now))
		for i, t := range now {
			if t.value == "" {
				ops[i] = clientv3.OpDelete(b.Prefix + t.name)
			} else {
				ops[i] = clientv3.OpPut(b.Prefix+t.name, t.value)
			}
		}
		short, cancel := deadline(ctx)
		done, err := b.Client.Txn(short).Then(ops...).Commit()
		cancel()
		if err != nil {
			return fmt.Errorf("etcd: %w", err)
		}
		for _, t := range now {
			if t.value == "" {
				delete(have, t.name)
			} else {
				have[t.name] = stands{t.value, done.Header.Revision}
			}
		}
	}
	return nil
}

type line struct{ name, value string }

// missing lists what does not stand there as wanted, and takes it to be written.
func (b *Board) missing(have map[string]stands) []line {
	changed := b.changed.Take()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all {
		for name := range b.want {
			changed[name] = true
		}
		for name := range have {
			if _, known := b.want[name]; b.settled && !known {
				changed[name] = true
			}
		}
	}
	var todo []line
	for name := range changed {
		value := b.want[name]
		is := have[name]
		if is.value != value || value != "" && is.written < b.since[name] {
			todo = append(todo, line{name, value})
		}
		if value == "" && b.settled {
			delete(b.want, name) // not known is as good
			delete(b.since, name)
		}
	}
	b.all = false
	return todo
}

func deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 15*time.Second)
}
