// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/vpptest"
)

// amissIs waits until a condition stands in etcd and in readyz, or is in neither.
func (r *rig) amissIs(page, name, word string, there bool) {
	r.Helper()
	var text, said string
	require.Eventually(r, func() bool {
		all, _ := r.said("h1", "conditions/")
		said = all[name]
		body, err := ask(r.Context(), page, "GET", "/readyz")
		if err != nil {
			text = err.Error()
		} else {
			b, _ := io.ReadAll(body)
			_ = body.Close()
			text = string(b)
		}
		return strings.Contains(said, word) == there && strings.Contains(text, word) == there
	}, 10*time.Second, 20*time.Millisecond, "%s: etcd %s, readyz %s", name, (*latest)(&said), (*latest)(&text))
}

// What is amiss with a host stands in etcd and in readyz, as long as it is so: a VPP that is
// away, what others changed, a member of etcd, what is held back.
func TestConditions(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	path, page := paged(t)
	for i := range 4 {
		r.put("h1", uuid(i), port(100))
	}
	dead := "http://" + etcdtest.FreeAddr(t)
	r.url += "," + dead
	r.agent(site, v.Socket(), page)
	r.bound("h1", uuid(0), uuid(1), uuid(2), uuid(3))
	r.amissIs(path, "etcd", dead, true)

	r.setDown(v.Socket(), "port-"+uuid(0))
	r.amissIs(path, "drift", "link/port-"+uuid(0), true)
	v.Kill()
	r.amissIs(path, "vpp", "VPP is away", true)
	require.NoError(t, v.Restart())
	r.amissIs(path, "vpp", "VPP is away", false)
	for range 2 {
		r.bound("h1", uuid(0), uuid(1), uuid(2), uuid(3))
		v.Kill()
		require.NoError(t, v.Restart())
	}
	r.amissIs(path, "vpp", "VPP was lost", true)
}

// What was deleted and VPP does not remove is said: there is no key of it any more that could have an error.
func TestWhatDoesNotGoIsSaid(t *testing.T) {
	r, v := newRig(t), memory(t)
	path, page := paged(t)
	r.put("h1", uuid(0), port(100))
	r.put("h1", uuid(1), port(101))
	r.agent(r.siteOf("h1", nic), v.Socket(), page)
	r.bound("h1", uuid(0), uuid(1))
	v.Inject(vpptest.Fault{Message: "bridge_domain_add_del_v2", Kind: vpptest.Refuse, Retval: -1, Times: 1 << 20})
	r.unplug("h1", uuid(1))
	r.amissIs(path, "left", "VPP does not remove 1 objects that nobody wants any more: bridge-domain/physnet1.vlan.101: ", true)
	v.Heal()
	r.amissIs(path, "left", "VPP does not remove", false)
}
