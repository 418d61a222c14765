// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v2 "go.etcd.io/etcd/client/v2"
	v3 "go.etcd.io/etcd/client/v3"
)

// slow is an etcd v2 that takes its time to write a value.
type slow struct{ v2.KeysAPI }

func (s slow) Set(ctx context.Context, key, value string, o *v2.SetOptions) (*v2.Response, error) {
	if o == nil || o.TTL == 0 {
		time.Sleep(50 * time.Millisecond)
	}
	return s.KeysAPI.Set(ctx, key, value, o)
}

// While much is written, by a comparison and by events, what has a lease stands.
func TestLeasesWhileMuchIsWritten(t *testing.T) {
	r := newRig(t)
	r.live(3)
	many := func(name string) (last string) {
		var ops []v3.Op
		for i := range 100 {
			last = fmt.Sprintf("%s/state/h1/%s/%03d", Root, name, i)
			ops = append(ops, v3.OpPut(last, "{}"))
		}
		_, err := r.v3.Txn(t.Context()).Then(ops...).Commit()
		require.NoError(t, err)
		return last
	}
	is := func(key string) bool {
		_, err := r.v2.Get(t.Context(), key, nil)
		require.True(t, err == nil || v2.IsKeyNotFound(err), "%v", err)
		return err == nil
	}
	stands := func(until string) {
		t.Helper()
		require.Eventually(t, func() bool { return is(Root + "/state/h1/alive") }, 20*time.Second, 10*time.Millisecond)
		for end := time.Now().Add(30 * time.Second); !is(until); time.Sleep(20 * time.Millisecond) {
			require.True(t, is(Root+"/state/h1/alive"), "its holder lives")
			require.True(t, time.Now().Before(end), until)
		}
	}
	last := many("before")
	fast := r.v2
	r.v2 = slow{fast}
	r.inProcess(false, 0)
	r.v2 = fast
	stands(last)
	stands(many("after"))
}
