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

// parent is the range in which it lies.
func (r Range) parent() Range {
	s := strings.TrimSuffix(string(r), "/")
	return Range(s[:strings.LastIndexByte(s, '/')+1])
}

// span adds what makes a request one about the range.
func (r Range) span(opts ...clientv3.OpOption) []clientv3.OpOption {
	if strings.HasSuffix(string(r), "/") {
		opts = append(opts, clientv3.WithPrefix())
	}
	return opts
}

// known is a range that is followed, as of a revision. Of the root it is counted what lies there, and what
// was written since.
type known struct {
	revision    int64
	keys, bytes int
}

// Follow adds a range: it is listed before the next Settled.
func (f *Follower) Follow(r Range) {
	if f.ranges == nil {
		f.ranges, f.watches, f.beside = map[Range]*known{}, map[Range]*watched{}, map[Range]int{}
	}
	if f.ranges[r] != nil {
		return
	}
	f.ranges[r] = new(known)
	f.fresh = append(f.fresh, r)
	p := r.parent()
	if f.beside[p]++; f.beside[p] == mostWatches+1 { // from now on one watch for all of them
		for other := range f.ranges {
			if other.parent() == p {
				f.fresh = append(f.fresh, other)
				f.unwatch(other)
			}
		}
	}
}

// Unfollow ends a range: nothing more is told of it.
func (f *Follower) Unfollow(r Range) {
	if f.ranges[r] == nil {
		return
	}
	p := r.parent()
	folded := f.beside[p] > mostWatches
	delete(f.ranges, r)
	f.beside[p]--
	switch {
	case folded && f.beside[p] == mostWatches: // back to one for each
		f.unwatch(p)
		for other := range f.ranges {
			if other.parent() == p {
				f.fresh = append(f.fresh, other)
			}
		}
	case !folded:
		f.unwatch(r)
	}
	if f.beside[p] == 0 {
		delete(f.beside, p)
	}
}

// in is the range that a key lies in; nil: none that is followed.
func (f *Follower) in(key string) *known {
	if k := f.ranges[Range(key)]; k != nil {
		return k
	}
	for i := len(key) - 1; i > 0; i-- {
		if key[i] == '/' {
			if k := f.ranges[Range(key[:i+1])]; k != nil {
				return k
			}
		}
	}
	return nil
}

// listAll lists all ranges as of one revision, those too that come meanwhile.
func (f *Follower) listAll(ctx context.Context) error {
	f.Follow(f.Root)
	r, err := f.count(ctx)
	if err != nil {
		return err
	}
	if err := f.bearable(int(r.Count), 0); err != nil {
		return err
	}
	if err := f.catchUp(ctx, r.Header.Revision); err != nil {
		return err
	}
	f.fresh = slices.Collect(maps.Keys(f.ranges))
	if err := f.listFresh(ctx, r.Header.Revision); err != nil {
		return err
	}
	for _, w := range f.watches {
		w.told = max(w.told, r.Header.Revision)
	}
	return nil
}

// listFresh lists ranges until none is left that was not; at 0, each as of when
// etcd is asked.
func (f *Follower) listFresh(ctx context.Context, at int64) error {
	for len(f.fresh) > 0 {
		todo := slices.DeleteFunc(f.fresh, func(r Range) bool { return f.ranges[r] == nil })
		slices.Sort(todo)
		todo, f.fresh = slices.Compact(todo), nil
		for len(todo) > 0 { // not all at once, as each is in memory until it was told
			now := todo[:min(len(todo), 16)]
			todo = todo[len(now):]
			lists := make([]list, len(now))
			g, ctx := errgroup.WithContext(ctx)
			for i, r := range now {
				g.Go(func() (err error) {
					lists[i], err = f.list(ctx, r, at)
					return err
				})
			}
			if err := f.waits(g.Wait); err != nil {
				return err
			}
			for i, r := range now {
				k := f.ranges[r]
				if k == nil {
					continue // what was told before ended it
				}
				if lists[i].cluster != f.cluster {
					return errReplaced
				}
				k.revision, k.keys, k.bytes = lists[i].revision, len(lists[i].values), lists[i].bytes
				f.Listed(r, lists[i].values)
				for key, at := range lists[i].written {
					f.written(key, at)
				}
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
	bytes    int
}

// Pages are of as many keys as come to about so many bytes, by those before; nobody knows
// how long the first ones are.
const (
	firstPage = 16
	mostPage  = 2048
	pageBytes = 2 << 20
)

// list reads all pages as of one revision.
func (f *Follower) list(ctx context.Context, r Range, at int64) (list, error) {
	limit := int64(firstPage)
	got, err := f.get(ctx, r, clientv3.WithLimit(limit), clientv3.WithRev(at))
	if err != nil {
		return list{}, err
	}
	l := list{make(map[string][]byte, got.Count), make(map[string]int64, got.Count), got.Header.ClusterId, at, 0}
	if at == 0 {
		l.revision = got.Header.Revision
	}
	for {
		bytes := 0
		for _, kv := range got.Kvs {
			bytes += len(kv.Key) + len(kv.Value)
			value := f.fit(string(kv.Key), kv.Value)
			l.values[string(kv.Key)] = value
			l.bytes += len(kv.Key) + f.cost(string(kv.Key), value)
			l.written[string(kv.Key)] = kv.ModRevision
		}
		if r == f.Root {
			if err := f.bearable(len(l.values), l.bytes); err != nil {
				return list{}, err
			}
		}
		if !got.More || len(got.Kvs) == 0 {
			return l, nil
		}
		limit = min(8*limit, mostPage, max(1, int64(pageBytes/max(1, bytes/len(got.Kvs)))))
		next := string(got.Kvs[len(got.Kvs)-1].Key) + "\x00"
		got, err = f.ask(ctx, next, clientv3.WithRange(clientv3.GetPrefixRangeEnd(string(r))),
			clientv3.WithLimit(limit), clientv3.WithRev(l.revision))
		if err != nil {
			return list{}, err
		}
		if got.Header.ClusterId != l.cluster {
			return list{}, errReplaced
		}
	}
}

// fit is a value, or one that is too long in its place, which costs nothing to keep.
func (f *Follower) fit(key string, value []byte) []byte {
	if f.Longest == nil {
		return value
	}
	n := f.Longest(key)
	if len(value) <= n {
		return value
	}
	f.fitting.Lock()
	defer f.fitting.Unlock()
	if len(f.tooLong) <= n {
		f.tooLong = make([]byte, n+1)
	}
	return f.tooLong[:n+1]
}

// cost is how many bytes keep a value: none, if it is one that is too long.
func (f *Follower) cost(key string, value []byte) int {
	if f.Longest != nil && len(value) > f.Longest(key) {
		return 0
	}
	return len(value)
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
