// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/publish"
)

// What is said last of a revision is not said to an etcd that was rolled back to before it: whoever wrote something
// there since would take it for an answer.
func TestRolledBack(t *testing.T) {
	dir := t.TempDir()
	e := etcdtest.Embed(t, dir)
	c, err := etcd.Dial(e.URL(), etcd.Access{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	r := &rig{t, e, c}
	r.put("ports/a", "x")
	saved := t.TempDir()
	e.Stop()
	require.NoError(t, os.CopyFS(saved, os.DirFS(dir)))
	require.NoError(t, e.Start())

	var revision int64
	for range 50 {
		p, err := c.Put(t.Context(), "/elsewhere", "x")
		require.NoError(t, err)
		revision = p.Header.Revision
	}
	b := publish.New(c, prefix, "ports/", "converged")
	b.Last, b.Resync = "converged", 20*time.Millisecond
	go func() { _ = b.Run(t.Context()) }()
	b.Set("ports/a", "x")
	b.SetSince("converged", fmt.Sprint(revision), revision)
	r.becomes(map[string]string{"ports/a": "x", "converged": fmt.Sprint(revision)})

	e.Stop()
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.CopyFS(dir, os.DirFS(saved)))
	require.NoError(t, e.Start())
	b.Set("ports/b", "x")
	r.becomes(map[string]string{"ports/a": "x", "ports/b": "x"})
	require.NoError(t, b.Written(t.Context()))
	require.Equal(t, map[string]string{"ports/a": "x", "ports/b": "x"}, r.keys())
	history := c.Watch(t.Context(), prefix+"converged", clientv3.WithRev(1), clientv3.WithProgressNotify())
	b.SetSince("converged", "later", 1)
	first := <-history
	require.NoError(t, first.Err())
	require.Equal(t, "later", string(first.Events[0].Kv.Value), "it never stood there")
	r.becomes(map[string]string{"ports/a": "x", "ports/b": "x", "converged": "later"})
}

// Who has nothing to write does not hear that etcd is not what it was; who is told looks at once.
func TestDoubt(t *testing.T) {
	r := start(t)
	b, _ := r.run(nil)
	b.Set("ports/a", "x")
	b.Settle()
	r.becomes(map[string]string{"alive": "1", "ports/a": "x"})
	require.NoError(t, b.Written(t.Context()))
	r.put("ports/a", "y")
	r.put("ports/b", "y")
	b.Doubt()
	require.NoError(t, b.Written(t.Context()))
	require.Equal(t, map[string]string{"alive": "1", "ports/a": "x"}, r.keys())
}
