// SPDX-License-Identifier: Apache-2.0

// Package follow tells its caller what lies in ranges of etcd's keys, and what
// changes there, over outages of etcd, compactions and lost events. Ranges come
// and go: what is found in one tells what else is of interest.
package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A Follower follows ranges of etcd. Its functions are called from the goroutine
// of Run, one at a time. They may call Follow and Unfollow; before Run anybody may.
//
// While etcd is away nothing is called but Lost: no answer never reads as an
// empty one.
type Follower struct {
	Client *clientv3.Client

	// Root is followed from the beginning to the end.
	Root Range

	// Resync is how often everything is listed though no event asked for it, give
	// or take a tenth. 0: 5 minutes.
	Resync time.Duration

	// Probe is how often etcd is asked for its revision, to notice at once that
	// it was replaced by another, whose events would never come. 0: 10 seconds.
	Probe time.Duration

	// Listed is told all that lies in a range, by key: when it comes to be
	// followed, after every outage, and every Resync.
	Listed func(r Range, values map[string][]byte)

	// Written is told, after Listed and Put, at which revision of etcd a key was written.
	// nil: nobody asks.
	Written func(key string, at int64)

	// Put and Deleted are told of single changes, in the order that they have
	// within a range.
	Put     func(key string, value []byte)
	Deleted func(key string)

	// Settled is called after all of them, when no range waits to be listed: this
	// is the time to act. all says that every range was listed since the last
	// time, as of one revision.
	Settled func(all bool)

	// Lost is told why nothing is heard from etcd for now; Settled ends it.
	Lost func(error)

	// Reached is told up to which revision of etcd all that there is was told, after Settled. nil:
	// nobody asks.
	Reached func(revision int64)

	// Again asks for a Settled though nothing was heard. nil: nobody does.
	Again <-chan struct{}

	// Longest is how long the value of a key may be, in bytes; a longer one is told as some value that is
	// too long. nil: any.
	Longest func(key string) int

	// MostKeys and MostBytes are how much may lie below Root, or it is not followed: Lost is told, until it
	// is less. 0: any.
	MostKeys, MostBytes int

	ranges  map[Range]*known
	beside  map[Range]int // by parent, how many of them
	watches map[Range]*watched
	fresh   []Range // of ranges, not listed yet
	events  chan event
	later   []event // of events, than the list that is told
	broken  <-chan struct{}
	cluster uint64
	seen    int64 // the newest revision heard of
	reached int64

	asked      int64       // what Reached is to come to
	unanswered *time.Timer // fires when it should have
	silent     bool        // that was told

	fitting sync.Mutex
	tooLong []byte
}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(15*time.Second),
		backoff.WithMaxElapsedTime(0),
	)
	for {
		err := f.follow(ctx, pause.Reset)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.Lost(err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// List tells once what Run would tell first: Listed of all ranges, then Settled.
func (f *Follower) List(ctx context.Context) error {
	f.cluster, f.seen, f.reached, f.asked, f.silent = 0, 0, 0, 0, false
	if err := f.listAll(ctx); err != nil {
		return err
	}
	f.Settled(true)
	return nil
}

// errBroken: whatever was missed is in a list.
var errBroken = errors.New("etcd: the connection was lost")

// follow lists, then watches from the list's revision, until something is wrong
// that listing anew will mend.
func (f *Follower) follow(ctx context.Context, listed func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f.events, f.later = make(chan event, 16), nil
	for r := range f.watches {
		f.unwatch(r)
	}
	if err := f.List(ctx); err != nil {
		return err
	}
	listed()
	f.broken = f.breaks(ctx)
	f.watchAll(ctx)
	f.reach()

	resync := time.NewTimer(f.resync())
	defer resync.Stop()
	probe := time.NewTicker(cmp.Or(f.Probe, 10*time.Second))
	defer probe.Stop()
	f.unanswered = time.NewTimer(unanswered)
	defer f.unanswered.Stop()
	for {
		news := false
		select {
		case <-ctx.Done():
			return ctx.Err()

		case <-f.broken:
			return errBroken

		case e := <-f.events:
			var err error
			if news, err = f.take(e); err != nil {
				return err
			}
			for range len(f.events) { // a burst is acted on once
				more, err := f.take(<-f.events)
				if err != nil {
					return err
				}
				news = news || more
			}

		case <-f.Again:
			news = true

		case <-f.unanswered.C:
			if f.reached < f.asked {
				if err := f.progress(ctx); err != nil {
					return err
				}
			}

		case <-probe.C:
			if _, err := f.count(ctx); err != nil {
				return err
			}
			if f.silent {
				return errSilent // which is over, and a list says so
			}

		case <-resync.C:
			if err := f.listAll(ctx); err != nil {
				return err
			}
			f.watchAll(ctx)
			f.Settled(true)
			var err error
			if news, err = f.kept(); err != nil {
				return err
			}
			resync.Reset(f.resync())
		}
		for news || len(f.fresh) > 0 { // who settles may come to need more
			if err := f.listFresh(ctx, 0); err != nil {
				return err
			}
			f.watchAll(ctx)
			f.Settled(false)
			if news = len(f.fresh) > 0; news {
				continue
			}
			if err := f.progress(ctx); err != nil {
				return err
			}
		}
		f.reach()
	}
}

func (f *Follower) written(key string, at int64) {
	if f.Written != nil {
		f.Written(key, at)
	}
}

// errReplaced: a watch that was resumed there would wait for revisions that are
// far in that etcd's future.
var errReplaced = errors.New("etcd: this is another etcd, or its data was replaced")

// same notes how far etcd is, if it is the one that was listed first.
func (f *Follower) same(r *clientv3.GetResponse) error {
	if f.cluster == 0 {
		f.cluster = r.Header.ClusterId
	}
	if r.Header.ClusterId != f.cluster || r.Header.Revision < f.seen {
		return errReplaced
	}
	f.seen = r.Header.Revision
	return nil
}

// errSilent: etcd may answer yet.
var errSilent = errors.New("etcd: no answer for seconds")

// patience is how long etcd may take to answer before that is told.
const patience = 3 * time.Second

// waits does something on behalf of Run, and tells if it takes long.
func (f *Follower) waits(what func() error) error {
	done := make(chan error, 1)
	go func() { done <- what() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
	}
	f.silent = true
	f.Lost(errSilent)
	return <-done
}

// count asks how much lies below Root, and whether this is the etcd that was there before.
func (f *Follower) count(ctx context.Context) (r *clientv3.GetResponse, err error) {
	err = f.waits(func() (err error) {
		r, err = f.get(ctx, f.Root, clientv3.WithCountOnly())
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, f.same(r)
}

// errTooMuch: to act on a part would be to take the rest for deleted.
var errTooMuch = errors.New("etcd: more lies there than a host can want")

// bearable says whether it is not too much that lies below Root.
func (f *Follower) bearable(keys, bytes int) error {
	switch {
	case f.MostKeys > 0 && keys > f.MostKeys:
		return fmt.Errorf("%w: %d keys below %s, at most %d", errTooMuch, keys, f.Root, f.MostKeys)
	case f.MostBytes > 0 && bytes > f.MostBytes:
		return fmt.Errorf("%w: more than %d MB below %s", errTooMuch, f.MostBytes>>20, f.Root)
	}
	return nil
}

func (f *Follower) resync() time.Duration {
	d := cmp.Or(f.Resync, 5*time.Minute)
	return d + time.Duration((rand.Float64()-0.5)/5*float64(d))
}
