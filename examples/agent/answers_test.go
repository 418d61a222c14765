// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Each put of a port's key is answered by a write of its state, though it is the same:
// the driver waits for that. What nobody asked for is not written.
func TestEachPutIsAnswered(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	put := func(n int, value string) int64 {
		done, err := r.client.Put(t.Context(), site.Ports()+uuid(n), value)
		require.NoError(t, err)
		return done.Header.Revision
	}
	answered := func(n int, at int64) {
		t.Helper()
		require.Eventually(t, func() bool {
			ports, revs := r.said("h1", "ports/")
			return ports[uuid(n)] != "" && revs[uuid(n)] > at
		}, 10*time.Second, time.Millisecond)
	}
	a := r.agent(site, v.Socket())
	put(1, port(101))
	r.bound("h1", uuid(1))
	_, revs := r.said("h1", "ports/")
	for range 10 {
		answered(0, put(0, port(100)))
		answered(0, put(0, strings.Replace(port(100), `"device_id":""`, `"device_id":"vm"`, 1)))
		r.unplug("h1", uuid(0)) // and at once again
		answered(0, put(0, port(100)))
	}
	_, now := r.said("h1", "ports/")
	require.Equal(t, revs[uuid(1)], now[uuid(1)], "nobody put that key")

	a.stop()
	at := put(0, port(100)) // while nobody is there
	r.agent(site, v.Socket())
	answered(0, at)
	_, now = r.said("h1", "ports/")
	require.Equal(t, revs[uuid(1)], now[uuid(1)])

	// One that cannot be served yet is answered when it is.
	at = put(0, secured(100, "10.0.0.5", gid(1)))
	r.problem(0, "there is no such key")
	r.group(1, ssh("192.0.2.0"))
	answered(0, at)
}

// A key of a family that is not served has an error as long as it is there, and so has one that is of none.
func TestUnservedFamilies(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	keys := []string{"tea/" + uuid(2), "tools/" + uuid(3), "more/of/it", "tart", "ports", "/", "trunks", "tins/"}
	r.set(site.Keys()+keys[0], "{}")
	r.agent(site, v.Socket())
	for _, k := range keys[1:] {
		r.set(site.Keys()+k, "junk")
	}
	r.put("h1", uuid(0), port(100))
	r.bound("h1", uuid(0))
	errs := func() map[string]string { said, _ := r.said("h1", "errors/"); return said }
	require.Eventually(t, func() bool { return len(errs()) == len(keys) }, 10*time.Second, time.Millisecond)
	for _, k := range keys {
		family, id, _ := strings.Cut(k, "/")
		if id == "" {
			require.Contains(t, errs()[strings.TrimSuffix(k, "/")+"/"], "FAMILY/ID", k)
		} else {
			require.JSONEq(t, `{"error":"this agent serves no `+family+`"}`, errs()[k])
		}
	}
	_, err := r.client.Delete(t.Context(), site.Keys(), clientv3.WithRange(site.Keys()+"p"))
	require.NoError(t, err)
	for _, k := range keys {
		r.set(site.Keys()+k, "")
	}
	require.Eventually(t, func() bool { return len(errs()) == 0 }, 10*time.Second, time.Millisecond)
}

// A pair of any MAC, and one that is junk, leave a port up that was.
func TestPairsLeaveAPortUp(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	value := secured(100, "10.0.0.5")
	r.put("h1", uuid(0), value)
	r.bound("h1", uuid(0))
	pairs := func(p string) string {
		return strings.Replace(value, `"allowed_address_pairs":[]`, `"allowed_address_pairs":[`+p+`]`, 1)
	}
	r.put("h1", uuid(0), pairs(`{"ip_address":"10.0.0.9","mac_address":"ANY"}`))
	require.Eventually(t, func() bool {
		have, _ := r.found(site, v.Socket())
		for k, f := range have {
			if k.Space == "macip-acl" && strings.Contains(f.Spec.(interface{ String() string }).String(), "permit ip4 from 10.0.0.9/32 at any") {
				return true
			}
		}
		return false
	}, 10*time.Second, 10*time.Millisecond)
	r.problem(0, "")
	r.bound("h1", uuid(0))
	r.put("h1", uuid(0), pairs(`{"ip_address":"10.0.0.9","mac_address":"NONE"}`))
	r.problem(0, "allowed_address_pairs 0: mac_address")
	r.bound("h1", uuid(0))
	require.Equal(t, 1, strings.Count(a.log.String(), "action=create object=link/secured-"), "it stayed up")
}
