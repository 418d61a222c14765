// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/etcdtest"
)

// Each command that needs what is not there says so, again and again, with the reason, and ends in time.
func TestNobodyWaitsInSilence(t *testing.T) {
	r, v := newRig(t), memory(t)
	no, gone := "http://"+etcdtest.FreeAddr(t), filepath.Join(t.TempDir(), "api.sock")
	plan := func(etcd, vpp string) []string {
		return []string{"plan", "--etcd", etcd, "--vpp", vpp, "--host", "h1", "--physnet", "physnet1=" + nic, "--vhost-user-dir", t.TempDir(), "--timeout", "10s"}
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"plan, etcd":  {plan(no, v.Socket()), "waiting: etcd: no connection: dial tcp " + no[7:] + ": connect: connection refused"},
		"plan, VPP":   {plan(r.url, gone), "waiting: VPP at " + gone + ": "},
		"get":         {[]string{"get", "--etcd", no, "--timeout", "10s", "nodes/"}, "connection refused"},
		"put":         {[]string{"put", "--etcd", no, "--timeout", "10s", "--journal", filepath.Join(t.TempDir(), "j"), "nodes/h1/ports/" + uuid(0), port(1)}, "connection refused"},
		"wait":        {[]string{"wait", "--etcd", no, "--timeout", "10s", "h1"}, "connection refused"},
		"wait, agent": {[]string{"wait", "--etcd", r.url, "--timeout", "10s", "h1"}, "waiting: host h1"},
		"roles":       {[]string{"roles", "--etcd", no, "--timeout", "10s", "--apply", "h1"}, "waiting: etcd: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			_, errs, code := said(t, c.args...)
			require.Equal(t, exitFailed, code, errs)
			require.GreaterOrEqual(t, strings.Count(errs, "waiting: "), 2, errs)
			require.Contains(t, errs, c.says)
			require.Less(t, time.Since(begin), 20*time.Second)
		})
	}
}

// An agent without etcd says so, in its log and in readyz, before anything else is there.
func TestAgentWaitsAloud(t *testing.T) {
	r, v := newRig(t), memory(t)
	path, page := paged(t)
	no := etcdtest.FreeAddr(t)
	r.url = "http://" + no
	a := r.agent(r.siteOf("h1", nic), v.Socket(), page)
	require.Eventually(t, func() bool {
		return strings.Count(a.log.String(), `msg=waiting err="etcd at http://`+no) >= 2 && strings.Contains(a.log.String(), "connection refused")
	}, 20*time.Second, 20*time.Millisecond)
	_, err := ask(t.Context(), path, "GET", "/readyz")
	require.ErrorContains(t, err, "connection refused")
}

// What is said is neither repeated at once nor for ever withheld.
func TestNewsOf(t *testing.T) {
	news := newsOf(1200 * time.Millisecond)
	require.True(t, news(errors.New("a")))
	for i := range 100 {
		require.False(t, news(fmt.Errorf("%d", i)), "not many at once")
	}
	time.Sleep(1010 * time.Millisecond)
	require.False(t, news(errors.New("a")))
	require.True(t, news(errors.New("b")))
	time.Sleep(1210 * time.Millisecond)
	require.True(t, news(errors.New("b")))
}
