// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

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
	behind atomic.Bool
}

// event is what a watch heard, or that it is over.
type event struct {
	in   Range
	of   *watched
	over bool
	clientv3.WatchResponse
	bytes int
}

// mostBehind is how much of what a watch heard may wait for its turn. Beyond it a list is less.
const mostBehind = 16 << 20

var errBehind = errors.New("etcd: changes come faster than they can be taken")

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
		go f.watch(watching, f.events, r, w, at+1)
	}
}

// watch hears a range. Etcd's client would keep what is not taken, however much that is.
func (f *Follower) watch(ctx context.Context, to chan<- event, r Range, w *watched, from int64) {
	// Without a leader the watch of a cut-off member would be silent for ever.
	heard := f.Client.Watch(clientv3.WithRequireLeader(ctx), string(r),
		r.span(clientv3.WithRev(from), clientv3.WithProgressNotify(), clientv3.WithFragment())...)
	var queue []event
	waiting := 0
	for {
		var next chan<- event
		var first event
		if len(queue) > 0 {
			next, first = to, queue[0]
		}
		select {
		case x, ok := <-heard:
			e := event{in: r, of: w, over: !ok, WatchResponse: x}
			for _, one := range x.Events {
				one.Kv.Value = f.fit(string(one.Kv.Key), one.Kv.Value)
				e.bytes += 200 + len(one.Kv.Key) + f.cost(string(one.Kv.Key), one.Kv.Value)
			}
			if waiting += e.bytes; waiting > mostBehind && len(queue) > 0 {
				queue, e, ok = nil, event{in: r, of: w, over: true}, false
				w.behind.Store(true)
			}
			if queue = append(queue, e); !ok {
				heard = nil
			}
		case next <- first:
			if first.over {
				return
			}
			queue[0] = event{}
			queue, waiting = queue[1:], waiting-first.bytes
		case <-ctx.Done():
			return
		}
	}
}

// take tells what a watch heard, and says whether that was anything.
func (f *Follower) take(e event) (news bool, err error) {
	if f.watches[e.in] != e.of {
		return false, nil // it is no longer watched, or again
	}
	if e.over && e.of.behind.Load() {
		return false, errBehind
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
			k.keys--
			news = true
		default:
			value := x.Kv.Value
			if k.bytes += f.cost(key, value); x.IsCreate() {
				k.keys++
			}
			if k == f.ranges[f.Root] {
				if err := f.bearable(k.keys, k.bytes); err != nil {
					return false, err // a list tells what is left of it
				}
			}
			f.Put(key, value)
			f.written(key, x.Kv.ModRevision)
			news = true
		}
	}
	f.seen = max(f.seen, e.Header.Revision)
	return news, nil
}

// unanswered is how long etcd has to say how far all watches are. It says nothing, ever, if one
// was not yet in step when it was asked, as one that has just begun.
const unanswered = 100 * time.Millisecond

// progress asks etcd how far all watches are, once for whatever was told since.
func (f *Follower) progress(ctx context.Context) error {
	if f.Reached == nil {
		return nil
	}
	f.asked = f.seen
	f.unanswered.Reset(unanswered)
	return f.inquire(ctx)
}

// inquire asks etcd how far all watches are. Its client would wait for one that is away, and nothing else be heard.
func (f *Follower) inquire(ctx context.Context) error {
	short, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), unanswered)
	defer cancel()
	if err := f.Client.RequestProgress(short); err != nil && short.Err() == nil {
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

// breaks says when the connection with etcd has gone and does not come back at once, or has; what comes
// back may be another etcd, or one that was rolled back, and its watches silent.
func (f *Follower) breaks(ctx context.Context) <-chan struct{} {
	out := make(chan struct{}, 1)
	conn := f.Client.ActiveConnection()
	go func() {
		for {
			is := conn.GetState()
			if !conn.WaitForStateChange(ctx, is) {
				return
			}
			if is == connectivity.Ready || is == connectivity.TransientFailure {
				out <- struct{}{}
				return
			}
		}
	}()
	return out
}
