// SPDX-License-Identifier: Apache-2.0

package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
)

// A password serves an agent, also one that is changed while it runs; neither its log, nor what it says in etcd, nor a report has
// it, also when it is wrong.
func TestNoSecretIsTold(t *testing.T) {
	r, v := newRig(t), memory(t)
	const first, second = "s3cret-one", "s3cret-two"
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte(first), 0o600))
	r.access = etcd.Access{User: "root"}
	require.NoError(t, r.access.Password.Set(file))
	etcdtest.Guard(t, r.client, first)
	r.client = etcdtest.Dial(t, r.url, r.access)
	path, page := paged(t)
	a := r.agent(r.siteOf("h1", nic), v.Socket(), page)
	r.put("h1", uuid(0), port(100))
	r.bound("h1", uuid(0))

	// The etcd that is started again has no tokens any more, and the password is another one before the file has it.
	_, err := r.client.UserChangePassword(t.Context(), "root", second)
	require.NoError(t, err)
	r.etcd.Stop()
	require.NoError(t, r.etcd.Start())
	require.Eventually(t, func() bool { return strings.Contains(a.log.String(), `etcd knows no user`) }, 30*time.Second, 20*time.Millisecond)
	wrong := filepath.Join(t.TempDir(), "wrong.tar.gz")
	_, errs, code := said(t, "report", "--socket", path, "-o", wrong)
	require.Zero(t, code, errs)
	require.NoError(t, os.WriteFile(file, []byte(second), 0o600))
	require.Eventually(t, func() bool {
		_, err := r.client.Put(t.Context(), r.siteOf("h1", nic).Ports()+uuid(1), port(100))
		return err == nil
	}, 30*time.Second, 100*time.Millisecond)
	r.bound("h1", uuid(0), uuid(1))
	right := filepath.Join(t.TempDir(), "right.tar.gz")
	_, errs, code = said(t, "report", "--socket", path, "-o", right)
	require.Zero(t, code, errs)

	all := a.log.String()
	for _, values := range r.below("/networking-vpp/state/") {
		all += values
	}
	for _, name := range []string{wrong, right} {
		f, err := os.Open(name)
		require.NoError(t, err)
		unzipped, err := gzip.NewReader(f)
		require.NoError(t, err)
		text, err := io.ReadAll(unzipped)
		require.NoError(t, err)
		require.Contains(t, string(text), "goroutine profile")
		all += string(text)
		require.NoError(t, f.Close())
	}
	require.NotContains(t, all, "s3cret")
	require.Contains(t, all, file, "where it stands is said")
}

// What is on a command line is not repeated, though it is wrong, by any command that takes a URL.
func TestNoURLIsRepeated(t *testing.T) {
	site := []string{"--vpp", "sim", "--host", "h1", "--physnet", "physnet1=" + nic, "--vhost-user-dir", t.TempDir()}
	const url = "http://root:s3cret@127.0.0.1:2379"
	for _, args := range [][]string{
		append([]string{"run", "--socket", "", "--etcd", url}, site...),
		append([]string{"run", "--socket", "", "--etcd", "embedded", "--trace-to", url}, site...),
		append([]string{"plan", "--etcd", url}, site...),
		{"get", "--etcd", url, "nodes/"},
		{"put", "--etcd", url},
		{"wait", "--etcd", url, "h1"},
		{"roles", "--apply", "--etcd", url, "h1"},
		{"mirror", "--v2", url, "--etcd", "http://127.0.0.1:2379"},
		{"mirror", "--etcd", url, "--v2", "http://127.0.0.1:2379"},
		{"mirror", "--etcd", "http://127.0.0.1:2379", "--v2", "http://127.0.0.1:2379/?s3cret"},
	} {
		out, errs, code := said(t, args...)
		require.Equal(t, exitFailed, code, args)
		require.NotContains(t, out+errs, "s3cret", args)
	}
}
