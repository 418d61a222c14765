// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/etcdtest"
)

// said is what one command line prints, and how it exits.
func said(t *testing.T, args ...string) (out, errs string, exit int) {
	t.Helper()
	var o, e strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	exit = command(ctx, args, &o, &e)
	return o.String(), e.String(), exit
}

// A port is put, waited for, read and deleted by commands, as scripts do.
func TestPutAndWait(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	r.agent(site, v.Socket())
	flags := []string{"--etcd", r.url}
	journal := append(flags, "--journal", filepath.Join(t.TempDir(), "journal"))
	do := func(exit int, with []string, args ...string) (string, string) {
		t.Helper()
		out, errs, code := said(t, append(args, with...)...)
		require.Equal(t, exit, code, errs)
		return out, errs
	}
	key := "nodes/h1/ports/" + uuid(0)
	out, _ := do(0, journal, "put", key, port(100))
	require.Regexp(t, `^entry 1, revision \d+\n$`, out)
	do(0, flags, "wait", "h1", uuid(0))
	out, _ = do(0, flags, "get", key)
	require.Equal(t, port(100)+"\n", out)
	out, _ = do(0, flags, "get", "nodes/h1/")
	require.Equal(t, "/networking-vpp/"+key+" "+port(100)+"\n", out)
	_, errs := do(exitFailed, journal, "put", key, strings.Replace(port(100), "vlan", "vlam", 1))
	require.Contains(t, errs, "refused")
	require.Contains(t, errs, `"vlam" is unknown`)

	// What one host would serve, this one has no network for.
	file := filepath.Join(t.TempDir(), "ports.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"nodes/h1/ports/`+uuid(1)+`": `+strings.Replace(port(100), "physnet1", "physnet9", 1)+`,
		"/networking-vpp/nodes/h1/ports/`+uuid(0)+`": null}`), 0o600))
	do(0, journal, "put", "-f", file)
	_, errs = do(exitWrong, flags, "wait", "h1", uuid(1))
	require.Contains(t, errs, `this host has no "physnet9"`)
	do(exitFailed, flags, "get", key)
	do(0, journal, "delete", "nodes/h1/ports/"+uuid(1))
	do(exitFailed, flags, "wait", "h1", uuid(1))
	do(exitUsage, flags, "put", key)
	do(exitUsage, flags, "delete")
}

// While etcd is away put says so, and what it accepted is written by the next one.
func TestPutIsNotLost(t *testing.T) {
	r := newRig(t)
	journal := []string{"--etcd", r.url, "--journal", filepath.Join(t.TempDir(), "journal")}
	r.etcd.Stop()
	key := "nodes/h1/ports/" + uuid(0)
	_, errs, exit := said(t, append([]string{"put", key, port(100), "--timeout", "1s"}, journal...)...)
	require.Equal(t, exitFailed, exit)
	require.Contains(t, errs, "accepted, and not in etcd yet")
	_, errs, exit = said(t, "get", key, "--etcd", r.url, "--timeout", "100ms")
	require.Equal(t, exitFailed, exit, errs)
	require.NoError(t, r.etcd.Start())
	out, errs, exit := said(t, append([]string{"put"}, journal...)...)
	require.Zero(t, exit, errs)
	require.Contains(t, out, "entry 1,")
	out, errs, exit = said(t, "get", key, "--etcd", r.url)
	require.Zero(t, exit, errs)
	require.Equal(t, port(100)+"\n", out)

	// Another etcd is not written to unasked.
	other := etcdtest.Embed(t, t.TempDir())
	journal[1] = other.URL()
	_, errs, exit = said(t, append([]string{"put"}, journal...)...)
	require.Equal(t, exitFailed, exit)
	require.Contains(t, errs, "entries 1 to 1 are in etcd no more")
	_, errs, exit = said(t, append([]string{"put", "--adopt"}, journal...)...)
	require.Zero(t, exit, errs)
}
