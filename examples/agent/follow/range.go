// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
)

// Range is a key or, if it ends with a slash, all keys below it.
type Range string

// Has says whether a key is in the range.
func (r Range) Has(key string) bool {
	return key == string(r) || strings.HasSuffix(string(r), "/") && strings.HasPrefix(key, string(r))
}

// span adds what makes a request one about the range.
func (r Range) span(opts ...clientv3.OpOption) []clientv3.OpOption {
	if strings.HasSuffix(string(r), "/") {
		opts = append(opts, clientv3.WithPrefix())
	}
	return opts
}

// watched is a range that is followed.
type watched struct {
	revision int64  // of the last list
	cancel   func() // ends the watch; nil: there is none
}

func (w *watched) stop() {
	if w.cancel != nil {
		w.cancel()
		w.cancel = nil
	}
}

// event is what a watch heard, or that it is over.
type event struct {
	in   Range
	of   *watched
	over bool
	clientv3.WatchResponse
}

// watchAll watches the ranges that are not watched, from their lists' revisions.
// etcd's client has one stream for all.
func (f *Follower) watchAll(ctx context.Context) {
	for r, w := range f.ranges {
		if w.cancel == nil {
			var watching context.Context
			watching, w.cancel = context.WithCancel(ctx)
			go watch(watching, f.Client, f.events, r, w, w.revision+1)
		}
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

// listAll lists all ranges as of one revision, those too that come meanwhile.
func (f *Follower) listAll(ctx context.Context) error {
	f.Follow(f.Root)
	r, err := f.get(ctx, f.Root, clientv3.WithCountOnly())
	if err != nil {
		return err
	}
	if err := f.same(r); err != nil {
		return err
	}
	f.fresh = slices.Collect(maps.Keys(f.ranges))
	return f.listFresh(ctx, r.Header.Revision)
}

// listFresh lists ranges until none is left that was not; at 0, each as of when
// etcd is asked.
func (f *Follower) listFresh(ctx context.Context, at int64) error {
	for len(f.fresh) > 0 {
		todo := slices.DeleteFunc(f.fresh, func(r Range) bool { return f.ranges[r] == nil })
		slices.Sort(todo)
		todo, f.fresh = slices.Compact(todo), nil
		lists := make([]list, len(todo))
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(16)
		for i, r := range todo {
			g.Go(func() (err error) {
				lists[i], err = f.list(ctx, r, at)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i, r := range todo {
			w := f.ranges[r]
			if w == nil {
				continue // what was told before ended it
			}
			if lists[i].cluster != f.cluster {
				return errReplaced
			}
			w.revision = lists[i].revision
			f.Listed(r, lists[i].values)
			for key, at := range lists[i].written {
				f.written(key, at)
			}
		}
	}
	return nil
}

// list is what lay in a range at one revision.
type list struct {
	values   map[string][]byte
	written  map[string]int64
	cluster  uint64
	revision int64
}

const page = 512

// list reads all pages as of one revision.
func (f *Follower) list(ctx context.Context, r Range, at int64) (list, error) {
	got, err := f.get(ctx, r, clientv3.WithLimit(page), clientv3.WithRev(at))
	if err != nil {
		return list{}, err
	}
	l := list{make(map[string][]byte, got.Count), make(map[string]int64, got.Count), got.Header.ClusterId, at}
	if at == 0 {
		l.revision = got.Header.Revision
	}
	for {
		for _, kv := range got.Kvs {
			l.values[string(kv.Key)] = kv.Value
			l.written[string(kv.Key)] = kv.ModRevision
		}
		if !got.More || len(got.Kvs) == 0 {
			return l, nil
		}
		next := string(got.Kvs[len(got.Kvs)-1].Key) + "\x00"
		got, err = f.ask(ctx, next, clientv3.WithRange(clientv3.GetPrefixRangeEnd(string(r))),
			clientv3.WithLimit(page), clientv3.WithRev(l.revision))
		if err != nil {
			return list{}, err
		}
		if got.Header.ClusterId != l.cluster {
			return list{}, errReplaced
		}
	}
}

func (f *Follower) get(ctx context.Context, r Range, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	return f.ask(ctx, string(r), r.span(opts...)...)
}

// ask asks with a deadline: etcd's client would wait for an etcd for ever.
func (f *Follower) ask(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	r, err := f.Client.Get(ctx, key, opts...)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	return r, nil
}
