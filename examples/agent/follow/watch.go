// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"context"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/connectivity"
)

// mostWatches is how many ranges of one parent are watched each by itself. From more on
// their parent is, and what nobody follows there is passed over: what a value names must not
// cost a watch each.
var mostWatches = 64

// watched is a range that is watched: one that is followed, or the parent of many.
type watched struct {
	told   int64  // nothing up to this revision is still to come
	cancel func() // ends the watch
}

// event is what a watch heard, or that it is over.
type event struct {
	in   Range
	of   *watched
	over bool
	clientv3.WatchResponse
}

func (f *Follower) unwatch(r Range) {
	if w := f.watches[r]; w != nil {
		w.cancel()
		delete(f.watches, r)
	}
}

// watchAll watches what is not watched, from the lists' revisions. etcd's client has one
// stream for all.
func (f *Follower) watchAll(ctx context.Context) {
	from := map[Range]int64{}
	for r, k := range f.ranges {
		if p := r.parent(); f.beside[p] > mostWatches {
			r = p
		}
		if f.watches[r] == nil {
			if at, some := from[r]; !some || k.revision < at {
				from[r] = k.revision
			}
		}
	}
	for r, at := range from {
		watching, cancel := context.WithCancel(ctx)
		w := &watched{told: at, cancel: cancel}
		f.watches[r] = w
		go watch(watching, f.Client, f.events, r, w, at+1)
	}
}

func watch(ctx context.Context, c *clientv3.Client, to chan<- event, r Range, w *watched, from int64) {
	// Without a leader the watch of a cut-off member would be silent for ever.
	heard := c.Watch(clientv3.WithRequireLeader(ctx), string(r),
		r.span(clientv3.WithRev(from), clientv3.WithProgressNotify(), clientv3.WithFragment())...)
	for {
		x, ok := <-heard
		select {
		case to <- event{r, w, !ok, x}:
		case <-ctx.Done():
			return
		}
		if !ok {
			return
		}
	}
}

// take tells what a watch heard, and says whether that was anything.
func (f *Follower) take(e event) (news bool, err error) {
	if f.watches[e.in] != e.of {
		return false, nil // it is no longer watched, or again
	}
	if e.over {
		return false, errors.New("etcd: watch ended")
	}
	if err := e.Err(); err != nil {
		return false, fmt.Errorf("etcd: watch: %w", err)
	}
	if len(e.Events) == 0 { // nothing is still to come, it says
		e.of.told = max(e.of.told, e.Header.Revision)
	}
	for _, x := range e.Events {
		e.of.told = max(e.of.told, x.Kv.ModRevision) // all of a revision comes at once
		key := string(x.Kv.Key)
		switch k := f.in(key); {
		case k == nil: // nobody follows it, or what was told last ended it
		case x.Kv.ModRevision <= k.revision: // a later list knew it already
		case x.Type == clientv3.EventTypeDelete:
			f.Deleted(key)
			news = true
		default:
			f.Put(key, f.fit(key, x.Kv.Value))
			f.written(key, x.Kv.ModRevision)
			news = true
		}
	}
	f.seen = max(f.seen, e.Header.Revision)
	return news, nil
}

// progress asks etcd how far all watches are, once for whatever was told since.
func (f *Follower) progress(ctx context.Context) error {
	if f.Reached == nil {
		return nil
	}
	if err := f.Client.RequestProgress(clientv3.WithRequireLeader(ctx)); err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	return nil
}

// reach tells up to which revision all was told, if that is more than before.
func (f *Follower) reach() {
	if f.Reached == nil || len(f.watches) == 0 {
		return
	}
	at := int64(-1)
	for _, w := range f.watches {
		if at < 0 || w.told < at {
			at = w.told
		}
	}
	if at > f.reached {
		f.reached = at
		f.Reached(at)
	}
}

// broken says when the connection with etcd has gone; what comes back may be another etcd, or
// one that was rolled back, and its watches silent.
func (f *Follower) broken(ctx context.Context) <-chan struct{} {
	out := make(chan struct{}, 1)
	conn := f.Client.ActiveConnection()
	go func() {
		for {
			is := conn.GetState()
			if !conn.WaitForStateChange(ctx, is) {
				return
			}
			if is == connectivity.Ready {
				out <- struct{}{}
				return
			}
		}
	}()
	return out
}
