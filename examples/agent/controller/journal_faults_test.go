// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"io"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/controller"
)

// faulty is an etcd whose n-th call fails: it is not done, or it is and the answer is lost, or it
// is done late, when whoever called has looked and writes again.
type faulty struct {
	clientv3.KV
	calls, at int
	how       string
	late      clientv3.Txn
	maxOps    int // 0: any
}

func (f *faulty) hit() bool {
	f.calls++
	return f.calls == f.at
}

func (f *faulty) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	if f.hit() {
		return nil, io.ErrUnexpectedEOF
	}
	return f.KV.Get(ctx, key, opts...)
}

func (f *faulty) Txn(ctx context.Context) clientv3.Txn {
	return &faultyTxn{f.KV.Txn(context.WithoutCancel(ctx)), f, 0}
}

type faultyTxn struct {
	clientv3.Txn
	f   *faulty
	ops int
}

func (t *faultyTxn) If(cs ...clientv3.Cmp) clientv3.Txn { t.Txn = t.Txn.If(cs...); return t }

func (t *faultyTxn) Then(ops ...clientv3.Op) clientv3.Txn {
	t.Txn, t.ops = t.Txn.Then(ops...), len(ops)
	return t
}

func (t *faultyTxn) Commit() (*clientv3.TxnResponse, error) {
	if t.f.maxOps > 0 && t.ops > t.f.maxOps {
		return nil, rpctypes.ErrTooManyOps
	}
	if t.f.late != nil {
		late := t.f.late
		t.f.late = nil
		if _, err := late.Commit(); err != nil {
			return nil, err
		}
	}
	hit := t.f.hit()
	switch {
	case hit && t.f.how == "late":
		t.f.late = t.Txn
		return nil, io.ErrUnexpectedEOF
	case hit && t.f.how == "not done":
		return nil, io.ErrUnexpectedEOF
	}
	r, err := t.Txn.Commit()
	if hit {
		return nil, io.ErrUnexpectedEOF
	}
	return r, err
}

// Whichever call to etcd fails, however, and whether the writer goes on or dies
// of it and another begins: each entry comes once, in order.
func TestEachCallFails(t *testing.T) {
	for _, dies := range []bool{false, true} {
		for _, how := range []string{"not done", "answer lost", "late"} {
			for at := 1; ; at++ {
				r := newRig(t)
				path := filepath.Join(t.TempDir(), "journal")
				kv := &faulty{KV: r.client, at: at, how: how}
				failed := make(chan struct{})
				var once sync.Once // late ones fail twice
				j := r.open(path, kv, controller.Options{Lost: func(error) { once.Do(func() { close(failed) }) }})
				stop := r.running(j)
				for n := 1; n <= 6; n++ {
					seq, err := j.Accept(soon(t), strconv.Itoa(n), changes(n)...)
					require.NoError(t, err)
					if n%2 == 0 {
						continue // and two come together
					}
					if dies {
						select {
						case <-failed:
						case <-written(t, j, seq):
						}
					} else {
						_, err = j.Written(soon(t), seq)
						require.NoError(t, err)
					}
				}
				if dies {
					_ = stop()
					j = r.open(path, kv, controller.Options{})
					stop = r.running(j)
					require.Equal(t, "6", j.Mark())
				}
				_, err := j.Written(soon(t), 6)
				require.NoError(t, err)
				got, _ := r.events()
				require.Equal(t, told(6), got, "call %d, %s, dies %v", at, how, dies)
				_ = stop()
				if kv.calls < at {
					require.Greater(t, at, 4)
					break
				}
			}
		}
	}
}
