// SPDX-License-Identifier: Apache-2.0

// Package follow tells its caller what lies below a prefix of etcd, and what
// changes there, over outages of etcd, compactions and lost events.
package follow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A Follower follows one prefix. Its functions are called from the goroutine of
// Run, one at a time; names are keys without the prefix.
//
// While etcd is away nothing is called but Lost: no answer never reads as an
// empty one.
type Follower struct {
	Client *clientv3.Client
	Prefix string

	// Resync is how often everything is listed and handed to All though no
	// event asked for it, give or take a tenth. 0: 5 minutes.
	Resync time.Duration

	// Probe is how often etcd is asked for its revision, to notice at once that
	// it was replaced by another, whose events would never come. 0: 10 seconds.
	Probe time.Duration

	// All is told everything that lies below the prefix: at the start, after
	// every outage, and every Resync. It must cope with hearing the same twice.
	All func(values map[string][]byte)

	// Put and Deleted are told of single changes, in their order.
	Put     func(name string, value []byte)
	Deleted func(name string)

	// Lost is told why nothing is heard from etcd for now; All ends it.
	Lost func(error)
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

// List asks once for what Run would hand to All.
func (f *Follower) List(ctx context.Context) (map[string][]byte, error) {
	s, err := f.list(ctx)
	if err != nil {
		return nil, err
	}
	return s.values, nil
}

// follow lists, then watches from the list's revision, until something is wrong
// that listing anew will mend.
func (f *Follower) follow(ctx context.Context, listed func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	at, err := f.list(ctx)
	if err != nil {
		return err
	}
	listed()
	f.All(at.values)

	// Without a leader the watch of a cut-off member would be silent for ever.
	events := f.Client.Watch(clientv3.WithRequireLeader(ctx), f.Prefix, clientv3.WithPrefix(),
		clientv3.WithRev(at.revision+1), clientv3.WithProgressNotify(), clientv3.WithFragment())
	resync := time.NewTimer(f.resync())
	defer resync.Stop()
	probe := time.NewTicker(or(f.Probe, 10*time.Second))
	defer probe.Stop()
	for {
		select {
		case r, ok := <-events:
			if !ok {
				return errors.New("etcd: watch ended")
			}
			if err := r.Err(); err != nil {
				return fmt.Errorf("etcd: watch: %w", err)
			}
			for _, e := range r.Events {
				if e.Kv.ModRevision <= at.revision {
					continue // a later list knew it already
				}
				name := strings.TrimPrefix(string(e.Kv.Key), f.Prefix)
				if e.Type == clientv3.EventTypeDelete {
					f.Deleted(name)
				} else {
					f.Put(name, e.Kv.Value)
				}
			}
			at.seen = max(at.seen, r.Header.Revision)

		case <-probe.C:
			now, err := f.get(ctx, f.Prefix, clientv3.WithCountOnly())
			if err != nil {
				return err
			}
			if err := at.same(now); err != nil {
				return err
			}

		case <-resync.C:
			now, err := f.list(ctx)
			if err != nil {
				return err
			}
			if now.cluster != at.cluster || now.revision < at.seen {
				return errReplaced
			}
			at = now
			f.All(at.values)
			resync.Reset(f.resync())
		}
	}
}

// errReplaced: a watch that was resumed there would wait for revisions that are
// far in that etcd's future.
var errReplaced = errors.New("etcd: this is another etcd, or its data was replaced")

// snapshot is what lay below the prefix at one revision.
type snapshot struct {
	values   map[string][]byte
	cluster  uint64
	revision int64
	seen     int64 // the newest revision heard of since
}

func (s *snapshot) same(r *clientv3.GetResponse) error {
	if r.Header.ClusterId != s.cluster || r.Header.Revision < s.seen {
		return errReplaced
	}
	s.seen = r.Header.Revision
	return nil
}

const page = 512

// list reads all pages as of one revision.
func (f *Follower) list(ctx context.Context) (*snapshot, error) {
	end := clientv3.GetPrefixRangeEnd(f.Prefix)
	r, err := f.get(ctx, f.Prefix, clientv3.WithRange(end), clientv3.WithLimit(page))
	if err != nil {
		return nil, err
	}
	s := &snapshot{
		values:  make(map[string][]byte, r.Count),
		cluster: r.Header.ClusterId, revision: r.Header.Revision, seen: r.Header.Revision,
	}
	for {
		for _, kv := range r.Kvs {
			s.values[strings.TrimPrefix(string(kv.Key), f.Prefix)] = kv.Value
		}
		if !r.More || len(r.Kvs) == 0 {
			return s, nil
		}
		next := string(r.Kvs[len(r.Kvs)-1].Key) + "\x00"
		r, err = f.get(ctx, next, clientv3.WithRange(end), clientv3.WithLimit(page), clientv3.WithRev(s.revision))
		if err != nil {
			return nil, err
		}
		if r.Header.ClusterId != s.cluster {
			return nil, errReplaced
		}
	}
}

// get asks with a deadline: etcd's client would wait for an etcd for ever.
func (f *Follower) get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	r, err := f.Client.Get(ctx, key, opts...)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	return r, nil
}

func (f *Follower) resync() time.Duration {
	d := or(f.Resync, 5*time.Minute)
	return d + time.Duration((rand.Float64()-0.5)/5*float64(d))
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
