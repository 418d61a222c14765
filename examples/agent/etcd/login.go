// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// login gives each request the token that a user and his password are worth. It asks for one when it is
// needed, so an etcd may come later, and have its users told of later.
type login struct {
	user     string
	password Secret

	mu    sync.Mutex
	token string
	known bool // token is; "": etcd asks nobody who he is
}

func (l *login) unary(ctx context.Context, method string, q, r any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if method == pb.Auth_Authenticate_FullMethodName {
		return invoke(ctx, method, q, r, c, opts...)
	}
	token, err := l.ask(ctx, c)
	if err != nil {
		return err
	}
	if err = invoke(with(ctx, token), method, q, r, c, opts...); !stale(err) {
		return err
	}
	l.drop(token)
	if token, err = l.ask(ctx, c); err != nil {
		return err
	}
	return invoke(with(ctx, token), method, q, r, c, opts...)
}

// stream gives a stream the token that requests have, as these keep it from ending: nobody tells a stream that
// its own has ended, and etcd asks for it at each watch that begins there. A request says first whether it is good.
func (l *login) stream(ctx context.Context, d *grpc.StreamDesc, c *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	_, err := pb.NewKVClient(c).Range(ctx, &pb.RangeRequest{Key: []byte("/"), KeysOnly: true, Serializable: true})
	if err != nil && !errors.Is(rpctypes.Error(err), rpctypes.ErrPermissionDenied) {
		return nil, err
	}
	return open(with(ctx, l.current()), d, c, method, opts...)
}

// current is the token of requests, if one was asked for.
func (l *login) current() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.token
}

// watcher has watches begin on a stream whose token is good: etcd asks for it at the beginning of each,
// and the client has all with the same metadata on one.
type watcher struct {
	clientv3.Watcher
	kv clientv3.KV
	*login

	mu    sync.Mutex
	begun map[stream]int // how many watches, whose contexts have not ended, are on which stream
}

// stream is what tells the client's streams apart: a token, and what else a context says.
type stream struct{ token, beside string }

func beside(ctx context.Context) string {
	all, _ := metadata.FromOutgoingContext(ctx)
	return fmt.Sprint(all) // in order
}

func (w *watcher) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	_, _ = w.kv.Get(short, key, clientv3.WithKeysOnly()) // which renews it; what else is wrong, the watch will say
	cancel()
	on := stream{w.current(), beside(ctx)}
	w.count(on, 1)
	context.AfterFunc(ctx, func() { w.count(on, -1) })
	return w.Watcher.Watch(with(ctx, on.token), key, opts...)
}

func (w *watcher) count(on stream, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun[on] += n; w.begun[on] == 0 {
		delete(w.begun, on)
	}
}

// RequestProgress asks on each stream that has watches: the client would ask on one without a token, which has none.
func (w *watcher) RequestProgress(ctx context.Context) error {
	w.mu.Lock()
	all := slices.Collect(maps.Keys(w.begun))
	w.mu.Unlock()
	var errs []error
	for _, on := range all {
		if on.beside == beside(ctx) {
			errs = append(errs, w.Watcher.RequestProgress(with(ctx, on.token)))
		}
	}
	return errors.Join(errs...)
}

func with(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	all, _ := metadata.FromOutgoingContext(ctx)
	all = all.Copy()
	all.Set(rpctypes.TokenFieldNameGRPC, token)
	return metadata.NewOutgoingContext(ctx, all)
}

func stale(err error) bool {
	err = rpctypes.Error(err)
	return errors.Is(err, rpctypes.ErrInvalidAuthToken) || errors.Is(err, rpctypes.ErrUserEmpty) || errors.Is(err, rpctypes.ErrAuthOldRevision)
}

func (l *login) ask(ctx context.Context, c *grpc.ClientConn) (string, error) {
	l.mu.Lock()
	token, known := l.token, l.known
	l.mu.Unlock()
	if known {
		return token, nil
	}
	token, err := l.authenticate(ctx, c)
	if err != nil {
		return "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.token, l.known = token, true
	return token, nil
}

func (l *login) drop(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.token == token {
		l.token, l.known = "", false
	}
}

func (l *login) authenticate(ctx context.Context, c *grpc.ClientConn) (string, error) {
	password, err := l.password.Reveal()
	if err != nil {
		return "", err
	}
	r, err := pb.NewAuthClient(c).Authenticate(ctx, &pb.AuthenticateRequest{Name: l.user, Password: password})
	switch {
	case err == nil:
		return r.Token, nil
	case errors.Is(rpctypes.Error(err), rpctypes.ErrAuthNotEnabled):
		return "", nil
	case errors.Is(rpctypes.Error(err), rpctypes.ErrAuthFailed):
		return "", fmt.Errorf("etcd knows no user %q with the password in %s: %w", l.user, l.password, err)
	}
	return "", err
}
