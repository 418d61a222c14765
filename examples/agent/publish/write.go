// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// stands is a key as it is in etcd.
type stands struct {
	value   string
	written int64 // the revision
}

const page = 500 // keys, each of which is small

func (b *Board) read(ctx context.Context) (map[string]stands, error) {
	b.mu.Lock()
	b.doubted, b.all = false, true
	of := b.since[b.Last]
	b.mu.Unlock()
	have := map[string]stands{}
	from, end := b.Prefix, clientv3.GetPrefixRangeEnd(b.Prefix)
	for {
		short, cancel := deadline(ctx)
		r, err := b.Client.Get(short, from, clientv3.WithRange(end), clientv3.WithLimit(page))
		cancel()
		if err != nil {
			return nil, fmt.Errorf("etcd: %w", err)
		}
		if r.Header.Revision < of {
			b.unsay(of)
		}
		for _, kv := range r.Kvs {
			if name := strings.TrimPrefix(string(kv.Key), b.Prefix); b.owns(name) {
				have[name] = stands{string(kv.Value), kv.ModRevision}
			}
		}
		if !r.More || len(r.Kvs) == 0 {
			return have, nil
		}
		from = string(r.Kvs[len(r.Kvs)-1].Key) + "\x00"
	}
}

// unsay withdraws what Last says of a revision that etcd has not, as it was rolled back or is another: whoever writes
// there now would take it for an answer.
func (b *Board) unsay(of int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.since[b.Last] == of {
		b.want[b.Last] = ""
		delete(b.since, b.Last)
	}
}

// owns says whether a key is this process's own.
func (b *Board) owns(name string) bool {
	in := func(tree string) bool {
		return name == tree || (tree == "" || strings.HasSuffix(tree, "/")) && strings.HasPrefix(name, tree)
	}
	return slices.ContainsFunc(b.Trees, in) && (b.Own == nil || b.Own(name))
}

// A transaction is far below etcd's default limits: 128 operations, 1.5 MiB.
const (
	mostKeys  = 100
	mostBytes = 256 << 10
)

// write makes have what is wanted, first what is withdrawn; puts only if they are welcome.
func (b *Board) write(ctx context.Context, have map[string]stands, puts bool) error {
	todo := b.missing(have)
	n := slices.IndexFunc(todo, func(l line) bool { return l.value != "" })
	if n < 0 {
		n = len(todo)
	}
	if err := b.transact(ctx, have, todo[:n]); err != nil { // etcd takes them even where its disk is full
		return err
	}
	if todo = todo[n:]; !puts && len(todo) > 0 {
		return nil
	}
	last := len(todo)
	if last > 0 && todo[last-1].name == b.Last {
		last--
	}
	if last > 2*mostKeys { // the newest, the oldest, and then whatever has come
		b.changed.Add()
		return b.transact(ctx, have, slices.Concat(todo[:mostKeys], todo[last-mostKeys:last]))
	}
	if err := b.transact(ctx, have, todo[:last]); err != nil {
		return err
	}
	if err := b.transact(ctx, have, todo[last:]); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
	return nil
}

// transact writes lines, in as many transactions as it takes.
func (b *Board) transact(ctx context.Context, have map[string]stands, todo []line) error {
	for len(todo) > 0 {
		n, bytes := 0, 0
		for n < min(len(todo), mostKeys) && (n == 0 || bytes+todo[n].bytes() <= mostBytes) {
			bytes += todo[n].bytes()
			n++
		}
		if err := b.commit(ctx, have, todo[:n]); err != nil {
			return err
		}
		todo = todo[n:]
	}
	return nil
}

// commit writes lines at once. If etcd refuses them for what one of them is, it is found,
// said, and left out until it is another.
func (b *Board) commit(ctx context.Context, have map[string]stands, todo []line) error {
	ops := make([]clientv3.Op, len(todo))
	for i, t := range todo {
		if t.value == "" {
			ops[i] = clientv3.OpDelete(b.Prefix + t.name)
		} else {
			ops[i] = clientv3.OpPut(b.Prefix+t.name, t.value)
		}
	}
	if b.Over != nil && b.Over() {
		return context.Canceled
	}
	short, cancel := deadline(ctx)
	done, err := b.Client.Txn(short).Then(ops...).Commit()
	cancel()
	switch {
	case err != nil && isOwnFault(err) && len(todo) > 1:
		half := len(todo) / 2
		return cmp.Or(b.commit(ctx, have, todo[:half]), b.commit(ctx, have, todo[half:]))
	case err != nil && isOwnFault(err):
		b.Lost(fmt.Errorf("etcd: %.80q: %w", todo[0].name, err))
		delete(b.owed, todo[0].name)
		return nil
	case err != nil:
		return fmt.Errorf("etcd: %w", err)
	}
	for _, t := range todo {
		delete(b.owed, t.name)
		if t.value == "" {
			delete(have, t.name)
		} else {
			have[t.name] = stands{t.value, done.Header.Revision}
		}
	}
	return nil
}

// isOwnFault says whether etcd refuses what is to be written for what it is.
func isOwnFault(err error) bool {
	return errors.Is(err, rpctypes.ErrRequestTooLarge) || errors.Is(err, rpctypes.ErrPermissionDenied) ||
		status.Code(err) == codes.ResourceExhausted && !isNoSpace(err)
}

func isNoSpace(err error) bool { return errors.Is(err, rpctypes.ErrNoSpace) }

// isRefusal says whether etcd is there, and does not take what is to be written.
func isRefusal(err error) bool { return err != nil && isNoSpace(err) }

type line struct {
	name, value string
	turn        int
}

func (l line) bytes() int { return len(l.name) + len(l.value) + 100 }

// missing lists what does not stand there as wanted: what is to go, what is to come, Last.
func (b *Board) missing(have map[string]stands) []line {
	for name := range b.changed.Take() {
		b.owed[name] = true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all {
		for name := range b.want {
			b.owed[name] = true
		}
		for name := range have {
			if _, known := b.want[name]; b.settled && !known {
				b.owed[name] = true
			}
		}
	}
	b.all = false
	var todo []line
	for name := range b.owed {
		value := b.want[name]
		is := have[name]
		if is.value != value || value != "" && is.written < b.since[name] {
			todo = append(todo, line{name, value, b.turn[name]})
		} else {
			delete(b.owed, name)
		}
		if value == "" && b.settled {
			delete(b.want, name) // not known is as good
			delete(b.turn, name)
			delete(b.since, name)
		}
	}
	slices.SortFunc(todo, func(x, y line) int {
		return cmp.Or(b.rank(x)-b.rank(y), y.turn-x.turn, strings.Compare(x.name, y.name))
	})
	return todo
}

func (b *Board) rank(l line) int {
	switch {
	case l.value == "":
		return 0
	case l.name != b.Last:
		return 1
	}
	return 2
}

func deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 15*time.Second)
}
