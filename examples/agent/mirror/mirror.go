// SPDX-License-Identifier: Apache-2.0

// Package mirror keeps what networking-vpp's driver writes to an etcd v2, the only one it
// speaks, in an etcd v3, and what agents say there in the etcd v2.
//
//	etcd v2 --nodes/, global/------> etcd v3   (down)
//	etcd v2 <--state/, state_taas/-- etcd v3   (up)
//
// Each write is one write on the other side, though the value be the same, and in the same
// order: both sides wait for events. How far a way is stands in the etcd v3: of the way
// down in the same transaction as what was written, so a mirror that dies, or loses either
// etcd, goes on where it was. Where it cannot (etcd v2 remembers 1,000 events) it
// compares all: what was written meanwhile is written once, what is gone is deleted.
//
// One mirror is enough. Two are one's double: keys come down once all the same, what goes
// up may go twice.
package mirror

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	v2 "go.etcd.io/etcd/client/v2"
	v3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
)

// Root is the tree of networking-vpp.
const Root = "/networking-vpp"

// A Mirror works between two etcds, which may be one that speaks both.
type Mirror struct {
	V2  v2.KeysAPI
	V3  *v3.Client
	Log *slog.Logger

	// Adopt has a V2 believed that is not the one that was mirrored so far, or that
	// nothing was mirrored of: what the V3 holds below nodes/ and global/ and the V2 does
	// not is deleted. Otherwise ErrAnother is logged, and nothing comes down: an etcd that
	// lost its data shall not take down the hosts.
	Adopt bool

	// Resync is how often both sides are compared though nothing asked for it. 0: 5
	// minutes.
	Resync time.Duration
}

// ErrAnother: see Mirror.Adopt.
var ErrAnother = errors.New("this etcd v2 is not the one that was mirrored, or its data were replaced")

// Run mirrors until ctx ends. Both etcds may come and go.
func (m *Mirror) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.keep(ctx, "down", m.down) })
	g.Go(func() error { return m.keep(ctx, "up", m.up) })
	return g.Wait()
}

// keep has a way's sessions one after the other.
func (m *Mirror) keep(ctx context.Context, way string, session func(context.Context, func()) error) error {
	pause := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(50*time.Millisecond),
		backoff.WithMaxInterval(10*time.Second),
		backoff.WithMaxElapsedTime(0),
	)
	said := ""
	for {
		err := session(ctx, func() { pause.Reset(); said = "" })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			continue // it is time to compare
		}
		if err.Error() != said { // not at each try
			said = err.Error()
			m.Log.Warn("not mirrored for now", "way", way, "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause.NextBackOff()):
		}
	}
}

func (m *Mirror) resync() time.Duration {
	if m.Resync == 0 {
		return 5 * time.Minute
	}
	return m.Resync
}

// markKey holds, in the etcd v2, what tells it from every other.
const markKey = Root + "/mirror/etcd"

// mark returns the mark of the etcd v2, which gets one if it has none, and how far it is.
func (m *Mirror) mark(ctx context.Context) (mark string, index uint64, err error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	for {
		r, err := m.V2.Get(ctx, markKey, &v2.GetOptions{Quorum: true})
		if err == nil {
			return r.Node.Value, r.Index, nil
		}
		if v2.IsKeyNotFound(err) {
			_, err = m.V2.Set(ctx, markKey, rand.Text(), &v2.SetOptions{PrevExist: v2.PrevNoExist})
		}
		if err != nil && !isCode(err, v2.ErrorCodeNodeExist) {
			return "", 0, fmt.Errorf("etcd v2: %w", err)
		}
	}
}

// tree lists the files of the etcd v2, and says as of which index.
func (m *Mirror) tree(ctx context.Context) (map[string]*v2.Node, uint64, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	r, err := m.V2.Get(ctx, Root, &v2.GetOptions{Recursive: true, Quorum: true})
	if err != nil {
		return nil, 0, fmt.Errorf("etcd v2: %w", err)
	}
	files := map[string]*v2.Node{}
	var walk func(*v2.Node)
	walk = func(n *v2.Node) {
		if !n.Dir {
			files[n.Key] = n
		}
		for _, child := range n.Nodes {
			walk(child)
		}
	}
	walk(r.Node)
	return files, r.Index, nil
}

// page is how many keys of the etcd v3 are asked for at once.
const page = 1000

// stand lists what stood in ranges of the etcd v3 at a revision, 0: the newest.
func (m *Mirror) stand(ctx context.Context, at int64, in ...span) (map[string]*stands, int64, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	out := map[string]*stands{}
	for _, s := range in {
		for from := s.from; ; {
			r, err := m.V3.Get(ctx, from, v3.WithRange(s.to), v3.WithRev(at), v3.WithLimit(page))
			if err != nil {
				return nil, 0, fmt.Errorf("etcd v3: %w", err)
			}
			if at == 0 {
				at = r.Header.Revision
			}
			for _, kv := range r.Kvs {
				out[string(kv.Key)] = &stands{string(kv.Value), kv.ModRevision, v3.LeaseID(kv.Lease)}
				from = string(kv.Key) + "\x00"
			}
			if !r.More {
				break
			}
		}
	}
	return out, at, nil
}

// stands is a key in the etcd v3.
type stands struct {
	value   string
	written int64 // the revision
	lease   v3.LeaseID
}

// span is the keys from one, up to but without another.
type span struct{ from, to string }

// below is all keys that begin so.
func below(prefix string) span { return span{prefix, v3.GetPrefixRangeEnd(prefix)} }

func (s span) has(key string) bool { return s.from <= key && key < s.to }

func (s span) and(o span) (span, bool) {
	both := span{max(s.from, o.from), min(s.to, o.to)}
	return both, both.from < both.to
}

func deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 30*time.Second)
}

func isCode(err error, codes ...int) bool {
	var e v2.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}

// host is whose state a key is.
func host(key string) string {
	for _, tree := range []string{Root + "/state/", Root + "/state_taas/"} {
		if rest, ok := strings.CutPrefix(key, tree); ok {
			name, _, _ := strings.Cut(rest, "/")
			return name
		}
	}
	return ""
}
