// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// start runs a daemon for the rig's runtime until the test ends.
func (r *rig) start(socket string) *daemon {
	return r.startOn(dataPlane{netconf.VPP, socket, followVPP})
}

func (r *rig) startOn(p dataPlane) *daemon {
	d := r.prepared(p)
	r.follow(d)
	return d
}

// prepared is a daemon that does not run yet.
func (r *rig) prepared(p dataPlane) *daemon {
	return &daemon{
		dataPlane: p, plugin: pluginType, store: desiredstate.NewStore(), caches: []string{r.dir + "/cache/results"},
		every: 10 * time.Millisecond, resync: 200 * time.Millisecond,
	}
}

// follow runs a daemon until the test ends.
func (r *rig) follow(d *daemon) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.run(ctx)
	}()
	r.Cleanup(func() {
		cancel()
		<-done
	})
}

// converged waits until VPP has all that the cache wants, since it was changed.
func (r *rig) converged(d *daemon, sources int) {
	r.Helper()
	ok := func() bool {
		_, converged := d.store.Converged()
		return converged && len(sourcesOf(d.store)) == sources
	}
	if !eventually(60*time.Second, ok) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		require.FailNow(r, "not converged", "%d sources: %v", len(sourcesOf(d.store)), d.store.Wait(ctx))
	}
}

func eventually(limit time.Duration, ok func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

// sourcesOf are the attachments of which a store wants something.
func sourcesOf(s *desiredstate.Store) map[string]bool {
	all := map[string]bool{}
	for k := range s.Statuses() {
		for _, source := range s.Sources(k) {
			all[source] = true
		}
	}
	return all
}

// What containers have comes back with a new VPP, as it was; and nothing is written to one that has it.
func TestDaemonRestores(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	conf, routed := r.conf(), r.conf("name", `"routed"`, "host.netType", `"interface"`, "sharedDir", `"`+r.dir+`/other"`, "ipam.subnet", `"10.57.0.0/24"`)
	for n := range 3 {
		_, err := r.add(conf, id(n), "net0")
		require.NoError(t, err)
	}
	d := r.start(vpp.Socket())
	r.converged(d, 3)
	_, err := r.add(routed, id(7), "net0")
	require.NoError(t, err)
	r.converged(d, 4)
	vpp.ResetLog()
	time.Sleep(time.Second)
	require.Zero(t, vpp.Writes(), "nothing is to be done: %v", vpp.Sent())

	require.NoError(t, vpp.Restart())
	for n := range 3 {
		require.True(t, eventually(60*time.Second, func() bool { return r.check(conf, id(n), "net0") == nil }))
	}
	require.True(t, eventually(60*time.Second, func() bool { return r.check(routed, id(7), "net0") == nil }))

	// What is moved by hand is put back.
	c, err := vppnet.Dial(t.Context(), vpp.Socket(), owner)
	require.NoError(t, err)
	defer c.Close()
	port := vppPorts(t, vpp.Socket())[0]
	_, err = vppnet.BridgePorts(c).Remove(t.Context(), vppnet.BridgePort{Interface: port})
	require.NoError(t, err)
	require.True(t, eventually(60*time.Second, func() bool { return len(vppPorts(t, vpp.Socket())) == 3 }))

	// A file of the cache that is just being written says nothing, and takes nothing away.
	file := r.dir + "/cache/results/net-" + id(0) + "-net0"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text[:len(text)/2], 0o600))
	vpp.ResetLog()
	time.Sleep(500 * time.Millisecond)
	require.Zero(t, vpp.Writes())
	require.NoError(t, os.WriteFile(file, text, 0o600))

	for n := range 3 {
		require.NoError(t, r.del(conf, id(n), "net0"))
	}
	require.NoError(t, r.del(routed, id(7), "net0"))
	r.converged(d, 0)
	require.Empty(t, r.files())
	clean := func() bool {
		return !strings.Contains(vpp.String(), "memif") && !strings.Contains(vpp.String(), "loop")
	}
	require.True(t, eventually(60*time.Second, clean), "what was made anew in the middle of a DEL:\n%s", vpp)
}

// One container with a configuration, or a directory, that cannot be, delays no other. One that the runtime
// has not noted yet is left alone, as is a stranger's.
func TestDaemonIsolates(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	conf := r.conf()
	for n := range 3 {
		_, err := r.add(conf, id(n), "net0")
		require.NoError(t, err)
	}
	cache := r.dir + "/cache/results/"
	require.NoError(t, os.WriteFile(cache+"net-"+id(0)+"-net0", []byte("{"), 0o600))
	dir := r.dir + "/s/" + short(id(1))
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.Symlink("/etc", dir))
	require.NoError(t, os.WriteFile(cache+"flannel", []byte(`{"kind": "cniCacheV1", "containerId": "x", "config": "eyJ0eXBlIjoiZmxhbm5lbCIsIm5hbWUiOiJmIn0=", "ifName": "eth0", "networkName": "f"}`), 0o600))
	require.NoError(t, vpp.Restart())
	d := r.start(vpp.Socket())
	require.True(t, eventually(60*time.Second, func() bool { return len(vppPorts(t, vpp.Socket())) == 1 }))
	require.Contains(t, vppPorts(t, vpp.Socket())[0], id(2)[:12])

	other, err := vppnet.Dial(t.Context(), vpp.Socket(), "other")
	require.NoError(t, err)
	defer other.Close()
	_, err = vppnet.Loopbacks(other).Ensure(t.Context(), vppnet.Loopback{Name: "theirs"})
	require.NoError(t, err)
	_, err = r.add(conf, id(5), "net0")
	require.NoError(t, err)
	require.NoError(t, os.Rename(cache+"net-"+id(5)+"-net0", r.dir+"/aside"))
	r.dropped(d, vpp.Socket(), id(2))
	require.Len(t, vppPorts(t, vpp.Socket()), 1)
	require.Contains(t, vppPorts(t, vpp.Socket())[0], id(5)[:12])
	require.Contains(t, vpp.String(), "theirs")
	require.NoError(t, os.Rename(r.dir+"/aside", cache+"net-"+id(5)+"-net0"))
	require.NoError(t, vpp.Restart())
	require.True(t, eventually(60*time.Second, func() bool { return strings.Contains(vpp.String(), id(5)[:12]) }), "it lives")
}

// An interface that the daemon makes anew in the middle of a DEL goes, though it is the only one.
func TestDaemonInTheMiddleOfADel(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	empty := vpp.String()
	_, err := r.add(r.conf(), id(1), "net0")
	require.NoError(t, err)
	d := r.start(vpp.Socket())
	r.converged(d, 1)
	require.NoError(t, os.RemoveAll(r.dir+"/s")) // as DEL does, and then the runtime
	require.NoError(t, os.Remove(r.dir+"/cache/results/net-"+id(1)+"-net0"))
	require.True(t, eventually(60*time.Second, func() bool { return vpp.String() == empty }), vpp)
}

// A real VPP dies under 100 containers: how long until the last of them has its interface?
func TestHundredPodsRestored(t *testing.T) {
	vpp := vpptest.Real(t)
	r := newRig(t, vpp.Socket())
	conf := r.conf()
	for n := range 100 {
		_, err := r.add(conf, id(n), "net0")
		require.NoError(t, err)
	}
	pod := vpptest.Real(t)
	programPod(t, pod, r.dir+"/s/"+short(id(0)))
	connected := func() bool { return strings.Contains(cli(t, pod, "show memif"), "admin-up slave connected") }
	require.True(t, eventually(60*time.Second, connected))
	d := r.start(vpp.Socket())
	r.converged(d, 100)
	vpp.Kill()
	require.True(t, eventually(60*time.Second, func() bool { return !connected() }))
	require.NoError(t, vpp.Restart())
	began := time.Now()
	require.True(t, eventually(60*time.Second, func() bool { return len(vppPorts(t, vpp.Socket())) == 100 }))
	all := time.Since(began)
	r.converged(d, 100)
	require.True(t, eventually(60*time.Second, connected), "the container's VPP comes back by itself")
	t.Logf("100 containers have their interfaces %v after VPP, and one's VPP is connected after %v", all, time.Since(began))
	for n := range 100 {
		require.FileExists(t, r.dir+"/s/"+short(id(n))+"/memif-"+short(id(n))+"-net0.sock")
	}
	require.NoError(t, r.check(conf, id(99), "net0"))
}
