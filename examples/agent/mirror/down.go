// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	v2 "go.etcd.io/etcd/client/v2"
	v3 "go.etcd.io/etcd/client/v3"
)

// goesDown is what comes from the etcd v2. What lies below global/networks/ is between
// agents, which have an etcd in common.
var goesDown = []span{
	below(Root + "/nodes/"),
	{Root + "/global/", Root + "/global/networks/"},
	{below(Root + "/global/networks/").to, below(Root + "/global/").to},
}

func downward(key string) bool {
	return slices.ContainsFunc(goesDown, func(s span) bool { return s.has(key) })
}

// quiet is how long a watch is believed of which nothing is heard.
var quiet = 10 * time.Second

const (
	apart = 200 // how many events of no interest the place may lag behind
	batch = 100 // operations in a transaction: etcd's default limit is 128

	// A transaction of them, and one more value, is less than what an etcd v3 takes by
	// default.
	some, fits = 400 << 10, 900 << 10
)

// down lasts until something fails, or there is a gap in what is told.
func (m *Mirror) down(ctx context.Context, reached func()) error {
	at, err := m.place(ctx, "down")
	if err != nil {
		return err
	}
	if err := m.begin(ctx, &at); err != nil {
		return err
	}
	reached()
	w := m.V2.Watcher(Root, &v2.WatcherOptions{AfterIndex: at.Index, Recursive: true})
	due := time.Now().Add(m.resync())
	var l *look // nil: nobody is looking
	for {
		e, err := next(ctx, w, min(quiet, time.Until(due)))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case isCode(err, v2.ErrorCodeEventIndexCleared):
			l, err := m.look(ctx)
			if err != nil {
				return err
			}
			return m.compare(ctx, &at, l)
		case errors.Is(err, context.DeadlineExceeded):
			if mark, index, err := m.mark(ctx); err != nil || mark != at.Etcd || index < at.Index {
				return err
			}
			if err := m.still(ctx, at, at.mod); err != nil {
				return err
			}
			if time.Now().After(due) {
				if l, err = m.look(ctx); err != nil {
					return err
				}
				at.Looked = l.until
				due = time.Now().Add(m.resync())
			}
			continue
		case err != nil:
			return fmt.Errorf("etcd v2: %w", err)
		}
		index := e.Node.ModifiedIndex
		if ops := m.effect(e); len(ops) > 0 || index >= at.Index+apart {
			if err := m.move(ctx, &at, place{Etcd: at.Etcd, Index: index}, ops...); err != nil {
				return err
			}
		}
		if l == nil {
			continue
		}
		if l.touched[e.Node.Key] = true; index >= l.until {
			if err := m.compare(ctx, &at, l); err != nil {
				return err
			}
			l = nil
		}
	}
}

func next(ctx context.Context, w v2.Watcher, patience time.Duration) (*v2.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return w.Next(ctx)
}

// begin takes an etcd v2 that is not known from its beginning.
func (m *Mirror) begin(ctx context.Context, at *place) error {
	mark, index, err := m.mark(ctx)
	if err != nil {
		return err
	}
	if at.Etcd == mark && 0 < at.Index && at.Index <= index {
		if back, err := m.isBack(ctx, *at); err != nil || !back {
			return err
		}
	}
	if !m.Adopt {
		files, _, err := m.tree(ctx)
		if err != nil {
			return err
		}
		have, _, err := m.stand(ctx, 0, goesDown...)
		if err != nil {
			return err
		}
		if gone := (&look{files: files}).gone(have); len(gone) > 0 {
			return fmt.Errorf("%w: it lacks %d of %d keys; --adopt deletes them", ErrAnother, len(gone), len(have))
		}
	}
	l, err := m.look(ctx)
	if err != nil {
		return err
	}
	if err := m.move(ctx, at, place{Etcd: mark, Looked: l.until}); err != nil {
		return err
	}
	return m.compare(ctx, at, l)
}

// isBack says whether the etcd v2 was rolled back, though it has come further than it was since: the last look has
// left no trace.
func (m *Mirror) isBack(ctx context.Context, at place) (bool, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	r, err := m.V2.Get(ctx, looked, &v2.GetOptions{Quorum: true})
	switch {
	case v2.IsKeyNotFound(err):
		return at.Looked > 0, nil
	case err != nil:
		return false, fmt.Errorf("etcd v2: %w", err)
	}
	return r.Node.ModifiedIndex < at.Looked, nil
}

// effect is what an event of the etcd v2 means to the v3.
func (m *Mirror) effect(e *v2.Response) (ops []v3.Op) {
	key := e.Node.Key
	switch e.Action {
	case "delete", "compareAndDelete", "expire": // a directory goes with all in it
		for _, s := range goesDown {
			if s, ok := s.and(below(key + "/")); ok {
				ops = append(ops, v3.OpDelete(s.from, v3.WithRange(s.to)))
			}
		}
	default:
		if downward(key) && !e.Node.Dir {
			return []v3.Op{m.put(e.Node)}
		}
	}
	if downward(key) {
		ops = append(ops, v3.OpDelete(key)) // or a directory has taken its place
	}
	return ops
}

// put writes a value as it is. One that an etcd v3 refuses is written as none, which
// nobody takes for one: it shall not keep all that comes after it, nor what was.
func (m *Mirror) put(n *v2.Node) v3.Op {
	if len(n.Value) > fits {
		m.Log.Error("too long for etcd v3", "key", n.Key, "bytes", len(n.Value))
	}
	return v3.OpPut(n.Key, fitting(n))
}

func fitting(n *v2.Node) string {
	if len(n.Value) > fits {
		return ""
	}
	return n.Value
}

// look is what lay in the etcd v2. To tell what is amiss from what only was not told yet,
// who looks goes on with the events until its own comes: what these touch is not amiss.
type look struct {
	files   map[string]*v2.Node
	index   uint64
	until   uint64
	touched map[string]bool
}

func (m *Mirror) look(ctx context.Context) (l *look, err error) {
	l = &look{touched: map[string]bool{}}
	if l.files, l.index, err = m.tree(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := deadline(ctx)
	defer cancel()
	r, err := m.V2.Set(ctx, looked, "", nil)
	if err != nil {
		return nil, fmt.Errorf("etcd v2: %w", err)
	}
	l.until = r.Node.ModifiedIndex
	return l, nil
}

// moved says whether a key was touched, or what it lies in.
func (l *look) moved(key string) bool {
	for ; key != "/"; key = path.Dir(key) {
		if l.touched[key] {
			return true
		}
	}
	return false
}

// gone lists what the etcd v3 has, and the v2 does not.
func (l *look) gone(have map[string]*stands) (ops []v3.Op) {
	for key := range have {
		if l.files[key] == nil && !l.moved(key) {
			ops = append(ops, v3.OpDelete(key))
		}
	}
	return ops
}

// compare makes the etcd v3 hold what lay in the v2. What was written after the place is
// written, once; what was before is, if it is not there. In order, each step with its
// place, so that it can end anywhere.
func (m *Mirror) compare(ctx context.Context, at *place, l *look) error {
	have, _, err := m.stand(ctx, 0, goesDown...)
	if err != nil {
		return err
	}
	for ops := range slices.Chunk(l.gone(have), batch) {
		if err := m.move(ctx, at, *at, ops...); err != nil {
			return err
		}
	}
	var fresh []*v2.Node
	for key, n := range l.files {
		if downward(key) && !l.moved(key) &&
			(n.ModifiedIndex > at.Index || have[key] == nil || have[key].value != fitting(n)) {
			fresh = append(fresh, n)
		}
	}
	slices.SortFunc(fresh, func(a, b *v2.Node) int { return cmp.Compare(a.ModifiedIndex, b.ModifiedIndex) })
	for len(fresh) > 0 {
		var ops []v3.Op
		to, size := *at, 0
		for len(fresh) > 0 && len(ops) < batch && size < some {
			n := fresh[0]
			fresh = fresh[1:]
			ops, size = append(ops, m.put(n)), size+len(n.Value)
			to.Index = max(to.Index, n.ModifiedIndex)
		}
		if err := m.move(ctx, at, to, ops...); err != nil {
			return err
		}
	}
	if l.index <= at.Index {
		return nil
	}
	return m.move(ctx, at, place{Etcd: at.Etcd, Index: l.index})
}
