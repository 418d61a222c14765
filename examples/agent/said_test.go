// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Keys whose names are as long as etcd takes, and as many as fill a transaction with what is
// said of them, silence nothing: each has its error, and good ones are answered.
func TestLongKeysSilenceNothing(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	want := 0
	for i := range 30 {
		r.set(site.Keys()+fmt.Sprintf("routers/%d/", i)+strings.Repeat("x/", 32<<10), "junk")
		r.set(site.Keys()+fmt.Sprintf("taas_flow/%d", i)+strings.Repeat("\xff", 64<<10), "junk")
		r.put("h1", fmt.Sprint(i)+strings.Repeat("/.", 32<<10), strings.Repeat("[", 64<<10))
		r.set(site.Keys()+fmt.Sprintf("trunks/%d", i)+strings.Repeat("/", 64<<10), "junk")
		want += 4
	}
	r.put("h1", strings.Repeat("k", 600<<10), port(100))
	want++
	a := r.agent(site, v.Socket())
	r.put("h1", uuid(0), port(100))
	r.bound("h1", uuid(0))
	var said map[string]string
	require.Eventually(t, func() bool { said, _ = r.said("h1", "errors/"); return len(said) == want }, 20*time.Second, 20*time.Millisecond)
	bytes := 0
	for key, value := range said {
		bytes += len(key) + len(value)
		require.LessOrEqual(t, len(key)+len(value), 1500, "%.100q", key)
	}
	require.Less(t, bytes, 100<<10)
	require.NotContains(t, a.log.String(), "cannot write to etcd")
}

// Each key of a router, and each floating IP, is answered like a port's: when VPP has all
// that it asks for, with the revision of the put; withdrawn when that is no longer so.
func TestRoutersAreAnswered(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	keys := tenants()
	put := func(name string) int64 {
		done, err := r.client.Put(t.Context(), site.Routers()+name, keys[name])
		require.NoError(t, err)
		return done.Header.Revision
	}
	at := map[string]int64{}
	for name := range keys {
		at[name] = put(name)
	}
	r.agent(site, v.Socket())
	answered := func(n int) {
		t.Helper()
		var last map[string]string
		require.Eventually(t, func() bool {
			last, _ = r.said("h1", "routers/")
			for name, rev := range at {
				if last[name] != fmt.Sprintf(`{"revision":%d,"active":true}`, rev) {
					return false
				}
			}
			return len(last) == n
		}, 20*time.Second, 10*time.Millisecond, "%v", last)
	}
	answered(len(keys))
	at[floatKey(1)], at[exitKey(2)] = put(floatKey(1)), put(exitKey(2)) // as they were
	answered(len(keys))
	delete(at, floatKey(2))
	r.routing("h1", floatKey(2), "")
	r.routing("h1", floatKey(9), "junk")
	answered(len(keys) - 1)
	v.Kill()
	require.Eventually(t, func() bool { said, _ := r.said("h1", "routers/"); return len(said) == 0 }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, v.Restart())
	answered(len(keys) - 1)
}
