// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// Who waits while etcd is rolled back hears what is said then.
func TestAppliedOverARollback(t *testing.T) {
	dir, saved := t.TempDir(), t.TempDir()
	e := etcdtest.Embed(t, dir)
	c := etcdtest.Dial(t, e.URL(), etcd.Access{})
	put := func(key, value string) {
		t.Helper()
		_, err := c.Put(soon(t), translate.Root+key, value)
		require.NoError(t, err)
	}
	put("state/compute-1/converged", `{"revision":1}`)
	e.Stop()
	require.NoError(t, os.CopyFS(saved, os.DirFS(dir)))
	require.NoError(t, e.Start())
	for range 50 {
		put("elsewhere", "x")
	}
	done := make(chan error)
	go func() { done <- controller.Applied(soon(t), c, "compute-1", 100) }()
	require.Eventually(t, func() bool {
		asked, err := c.Get(soon(t), translate.Root+"nodes/compute-1/"+translate.Asked)
		return err == nil && len(asked.Kvs) > 0
	}, 20*time.Second, 10*time.Millisecond) // by then it watches
	e.Stop()
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.CopyFS(dir, os.DirFS(saved)))
	require.NoError(t, e.Start())
	put("state/compute-1/converged", `{"revision":100}`)
	require.NoError(t, <-done)
}
