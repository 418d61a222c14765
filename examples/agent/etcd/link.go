// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// link remembers why there is no connection to which address. The client, which tries again and again,
// would only say that its time is up.
type link struct {
	mu  sync.Mutex
	why map[string]error
}

// noted is a connection that has come, to this address. It is good once it was heard.
type noted struct {
	net.Conn
	link    *link
	address string
	explain func(error) error
	heard   bool
	read    chan struct{} // closed when the first Read ends
}

func note(c net.Conn, l *link, address string, explain func(error) error) *noted {
	return &noted{Conn: c, link: l, address: address, explain: explain, read: make(chan struct{})}
}

func (l *link) note(address string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		delete(l.why, address)
	case !errors.Is(err, net.ErrClosed) && !errors.Is(err, context.Canceled): // which are our own doing
		l.why[address] = err
	}
}

func (l *link) dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		l.note(address, err)
		return nil, err
	}
	return note(c, l, address, plain), nil
}

// plain is for http: an end before a word is what a server that waits for TLS does.
func plain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("no etcd's answer; does it want https? %w", err)
}

// Read is not called by two at a time.
func (n *noted) Read(b []byte) (int, error) {
	read, err := n.Conn.Read(b)
	select {
	case <-n.read:
	default:
		defer close(n.read)
	}
	switch {
	case n.heard:
	case read > 0:
		n.heard = true
		n.link.note(n.address, nil)
	case errors.Is(err, net.ErrClosed): // by us, who could not write: what etcd said was said before
	case err != nil:
		err = n.explain(err)
		n.link.note(n.address, err)
	}
	return read, err
}

// lastWord is how long a connection that cannot be written to is read from before it is given up.
const lastWord = time.Second

// Write does not fail before who reads has heard what a server that is gone said of that: the client
// closes then.
func (n *noted) Write(b []byte) (int, error) {
	written, err := n.Conn.Write(b)
	if err != nil {
		select {
		case <-n.read:
		case <-time.After(lastWord):
		}
	}
	return written, err
}

// say adds to what comes of a request, if that is no answer, why there is none.
func (l *link) say(err error) error {
	code := status.Code(err)
	if err == nil || code != codes.Unavailable && code != codes.DeadlineExceeded && status.FromContextError(err).Code() != codes.DeadlineExceeded {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var why []string
	for _, address := range slices.Sorted(maps.Keys(l.why)) {
		why = append(why, l.why[address].Error())
	}
	if len(why) == 0 {
		return err
	}
	return fmt.Errorf("no connection: %s: %w", strings.Join(why, "; "), err)
}

// tell has a client's errors say why.
func (l *link) tell(c *clientv3.Client) {
	c.KV, c.Lease, c.Maintenance = kv{c.KV, l}, lease{c.Lease, l}, maintenance{c.Maintenance, l}
}

type kv struct {
	clientv3.KV
	*link
}

func told[T any](l *link, r T, err error) (T, error) { return r, l.say(err) }

func (k kv) Put(ctx context.Context, key, value string, opts ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	r, err := k.KV.Put(ctx, key, value, opts...)
	return told(k.link, r, err)
}

func (k kv) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	r, err := k.KV.Get(ctx, key, opts...)
	return told(k.link, r, err)
}

func (k kv) Delete(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.DeleteResponse, error) {
	r, err := k.KV.Delete(ctx, key, opts...)
	return told(k.link, r, err)
}

func (k kv) Txn(ctx context.Context) clientv3.Txn { return txn{k.KV.Txn(ctx), k.link} }

type txn struct {
	clientv3.Txn
	*link
}

func (t txn) If(cs ...clientv3.Cmp) clientv3.Txn   { return txn{t.Txn.If(cs...), t.link} }
func (t txn) Then(ops ...clientv3.Op) clientv3.Txn { return txn{t.Txn.Then(ops...), t.link} }
func (t txn) Else(ops ...clientv3.Op) clientv3.Txn { return txn{t.Txn.Else(ops...), t.link} }
func (t txn) Commit() (*clientv3.TxnResponse, error) {
	r, err := t.Txn.Commit()
	return told(t.link, r, err)
}

type lease struct {
	clientv3.Lease
	*link
}

func (l lease) Grant(ctx context.Context, ttl int64) (*clientv3.LeaseGrantResponse, error) {
	r, err := l.Lease.Grant(ctx, ttl)
	return told(l.link, r, err)
}

type maintenance struct {
	clientv3.Maintenance
	*link
}

func (m maintenance) Status(ctx context.Context, endpoint string) (*clientv3.StatusResponse, error) {
	r, err := m.Maintenance.Status(ctx, endpoint)
	return told(m.link, r, err)
}

// most is how long the client waits between two tries to connect: what was mended is soon noticed.
const most = 5 * time.Second
