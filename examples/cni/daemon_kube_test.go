// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// silent has a kubeconfig say an API server that accepts, and never answers.
func silent(t *testing.T, kubeconfig string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	text := fmt.Sprintf(`{"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
		"clusters": [{"name": "c", "cluster": {"server": "http://%s"}}], "users": [{"name": "u", "user": {"token": "t"}}]}`, l.Addr())
	require.NoError(t, os.WriteFile(strings.Trim(kubeconfig, `"`), []byte(text), 0o600))
}

// An API server that says nothing keeps no container from what it has: not who has nothing to do with it, and
// not a pod of which it was asked before.
func TestDaemonWithASilentAPIServer(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	_, kubeconfig := r.inKubernetes()
	pod, plain := r.conf("kubeconfig", kubeconfig, "cniVersion", `"0.3.1"`), r.conf("name", `"plain"`)
	_, err := r.add(pod, id(1), "net0")
	require.NoError(t, err)
	_, err = r.add(plain, id(2), "net0")
	require.NoError(t, err)
	d := r.start(vpp.Socket())
	r.converged(d, 2)
	silent(t, kubeconfig)
	require.NoError(t, vpp.Restart())
	require.True(t, eventually(20*time.Second, func() bool { return len(vppPorts(t, vpp.Socket())) == 2 }))

	// One that was never asked, of a daemon that starts then.
	require.NoError(t, vpp.Restart())
	late := r.start(vpp.Socket())
	require.True(t, eventually(20*time.Second, func() bool { return len(sourcesOf(late.store)) == 1 }))
	r.converged(late, 1)
}

// A pod's volumes do not change, so the API server is asked once, and answers late if it must.
func TestDaemonAsksOnce(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	api, kubeconfig := r.inKubernetes()
	_, err := r.add(r.conf("kubeconfig", kubeconfig, "cniVersion", `"0.3.1"`), id(1), "net0")
	require.NoError(t, err)
	var gets atomic.Int64
	serve := api.Config.Handler
	api.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		gets.Add(1)
		serve.ServeHTTP(w, q)
	})
	d := r.start(vpp.Socket())
	r.converged(d, 1)
	_, err = r.add(r.conf("name", `"plain"`), id(2), "net0") // the cache was looked at again and again when this is seen
	require.NoError(t, err)
	r.converged(d, 2)
	require.Equal(t, int64(1), gets.Load())
}
