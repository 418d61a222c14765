// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/vpptest"
)

// dropped takes a container from a daemon as a DEL does, and then the runtime, but for the interface, which
// the daemon made anew meanwhile. It waits until that has gone.
func (r *rig) dropped(d *daemon, socket, container string) {
	r.Helper()
	require.NoError(r, os.RemoveAll(r.dir+"/s/"+short(container)))
	require.NoError(r, os.Remove(d.caches[0]+"/net-"+container+"-net0"))
	gone := func() bool { return !strings.Contains(strings.Join(vppPorts(r.T, socket), " "), container[:12]) }
	require.True(r, eventually(60*time.Second, gone), "%s has its interface", container)
}

// runtimeOf is another runtime of the rig, or Multus, with a cache of its own.
func (r *rig) runtimeOf(cache string) *rig {
	other := *r
	other.CNIConfig = libcni.NewCNIConfigWithCacheDir([]string{r.dir + "/bin"}, cache, nil)
	return &other
}

// otherType installs the plugin by another name.
func (r *rig) otherType(name string) {
	self, err := os.Readlink(r.dir + "/bin/userspace")
	require.NoError(r, err)
	require.NoError(r, os.MkdirAll(r.dir+"/real", 0o755))
	require.NoError(r, os.Symlink(self, r.dir+"/real/userspace"))
	require.NoError(r, os.WriteFile(r.dir+"/bin/"+name, []byte("#!/bin/sh\nexec "+r.dir+"/real/userspace\n"), 0o755))
}

// A container that lives keeps its interface, and what it needs of its network, when the daemon does not know
// of it, for whatever reason, and takes away all others of the network.
func TestDaemonLeavesWhatItDoesNotKnow(t *testing.T) {
	for why, way := range map[string]struct {
		conf []string
		add  func(r *rig, add func(r *rig)) // has one added, and the daemon not know
	}{
		"an empty file of the cache": {nil, func(r *rig, add func(*rig)) {
			add(r)
			require.NoError(r, os.WriteFile(r.dir+"/cache/results/net-"+id(7)+"-net0", nil, 0o600)) // the node lost power
		}},
		"no API server": {[]string{"cniVersion", `"0.3.1"`}, func(r *rig, add func(*rig)) {
			api, _ := r.inKubernetes()
			add(r)
			api.Close()
		}},
		"another runtime's cache": {nil, func(r *rig, add func(*rig)) { add(r.runtimeOf(r.dir + "/multus")) }},
		"another type": {[]string{"type", `"vpp-memif"`}, func(r *rig, add func(*rig)) {
			r.otherType("vpp-memif")
			add(r)
		}},
		"no file of a cache, and no hand-over": {nil, func(r *rig, add func(*rig)) {
			add(r)
			require.NoError(r, os.Remove(r.dir+"/cache/results/net-"+id(7)+"-net0"))
			require.NoError(r, os.RemoveAll(r.dir+"/s/"+short(id(7))))
		}},
	} {
		for _, netType := range []string{"bridge", "interface"} {
			t.Run(why+"/"+netType, func(t *testing.T) {
				vpp := newVPP(t)
				r := newRig(t, vpp.Socket())
				conf := r.conf("host.netType", `"`+netType+`"`)
				change := append([]string{"host.netType", `"` + netType + `"`}, way.conf...)
				way.add(r, func(at *rig) {
					if why == "no API server" {
						change = append(change, "kubeconfig", `"`+r.dir+`/kubeconfig"`)
					}
					_, err := at.add(r.conf(change...), id(7), "net0")
					require.NoError(t, err)
				})
				alone := vpp.String()
				for n := range 3 {
					_, err := r.add(conf, id(n), "net0")
					require.NoError(t, err)
				}
				d := r.start(vpp.Socket())
				r.converged(d, 3)
				for n := range 3 {
					r.dropped(d, vpp.Socket(), id(n))
				}
				require.True(t, eventually(30*time.Second, func() bool { return vpp.String() == alone }), "before:\n%s\nnow:\n%s", alone, vpp)
			})
		}
	}
}

// The daemon knows the data plane by whatever path leads to its socket, and all caches that it is told of.
func TestDaemonServes(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	link := r.dir + "/run"
	require.NoError(t, os.Symlink(filepath.Dir(vpp.Socket()), link)) // as /var/run is of /run
	file := r.dir + "/api.sock"
	require.NoError(t, os.Symlink(vpp.Socket(), file))
	r.otherType("vpp-memif")
	for n, socket := range []string{link + "/" + filepath.Base(vpp.Socket()), strings.Replace(vpp.Socket(), "/", "//", 2), file} {
		_, err := r.add(r.conf("vppSocket", fmt.Sprintf("%q", socket)), id(n), "net0")
		require.NoError(t, err)
	}
	_, err := r.runtimeOf(r.dir+"/multus").add(r.conf(), id(3), "net0")
	require.NoError(t, err)
	_, err = r.add(r.conf("type", `"vpp-memif"`), id(4), "net0")
	require.NoError(t, err)
	require.NoError(t, vpp.Restart())
	d := r.prepared(dataPlane{netconf.VPP, vpp.Socket(), followVPP})
	d.caches = append(d.caches, r.dir+"/multus/results")
	r.follow(d)
	r.converged(d, 4)
	require.NotContains(t, vpp.String(), id(4)[:12], "it is another plugin's")
	other := r.prepared(d.dataPlane)
	other.plugin = "vpp-memif"
	r.follow(other)
	r.converged(other, 1)
	require.Len(t, vppPorts(t, vpp.Socket()), 5)
	require.False(t, sameSocket(vpp.Socket(), r.dir+"/s/"+filepath.Base(vpp.Socket())), "another VPP's")
}

// An ADD that comes again, after a DEL that the daemon has seen, gets what it makes, whoever is first.
func TestDaemonLeavesWhatIsAddedAgain(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	_, err := r.add(r.conf(), id(1), "net0")
	require.NoError(t, err)
	p, err := dialVPP(t.Context(), vpp.Socket())
	require.NoError(t, err)
	defer p.Close()
	d := r.prepared(dataPlane{netconf.VPP, vpp.Socket(), followVPP})
	e := desiredstate.New(p.kinds([]string{r.dir + "/s"}, d.claimed)...)
	look := func() { require.NoError(t, d.take(t.Context(), d.read(t.Context()), p, e)) }
	look()
	file, handOver := r.dir+"/cache/results/net-"+id(1)+"-net0", r.dir+"/s/"+short(id(1))
	for _, path := range []string{file, handOver} {
		require.NoError(t, os.Rename(path, r.dir+"/"+filepath.Base(path)))
	}
	look()
	require.Len(t, d.gone, 1)
	require.NoError(t, os.Rename(r.dir+"/"+filepath.Base(handOver), handOver)) // as ADD does before all else
	require.NoError(t, d.remove(t.Context(), p, e))
	require.Empty(t, d.gone)
	require.Len(t, vppPorts(t, vpp.Socket()), 1)

	require.NoError(t, os.Rename(r.dir+"/"+filepath.Base(file), file))
	look()
	require.NoError(t, os.Remove(file))
	require.NoError(t, os.RemoveAll(handOver))
	look()
	require.NoError(t, d.remove(t.Context(), p, e))
	require.Empty(t, vppPorts(t, vpp.Socket()))
}

// Whose DEL came while VPP was down gets nothing of the next one, and what others have there comes back.
func TestDaemonDelWhileDown(t *testing.T) {
	for name, on := range map[string]func(t *testing.T) (string, func(), func() error){
		"in memory": func(t *testing.T) (string, func(), func() error) {
			v := newVPP(t)
			return v.Socket(), v.Kill, v.Restart
		},
		"real": func(t *testing.T) (string, func(), func() error) {
			v := vpptest.Real(t)
			return v.Socket(), v.Kill, v.Restart
		},
	} {
		t.Run(name, func(t *testing.T) {
			socket, kill, restart := on(t)
			r, state := newRig(t, socket), stateOf(t, socket)
			empty, conf, other := state(), r.conf(), r.conf("name", `"other"`, "host.bridge.bridgeId", `5`)
			for n := range 3 {
				_, err := r.add(conf, id(n), "net0")
				require.NoError(t, err)
			}
			_, err := r.add(other, id(3), "net0")
			require.NoError(t, err)
			d := r.start(socket)
			r.converged(d, 4)
			kill()
			for n := range 3 {
				require.NoError(t, r.del(conf, id(n), "net0"))
			}
			require.NoError(t, restart())
			require.True(t, eventually(60*time.Second, func() bool { return r.check(other, id(3), "net0") == nil }))
			r.converged(d, 1)
			require.NotContains(t, state(), "cni/4", "a bridge domain of nobody")
			require.NoError(t, r.del(other, id(3), "net0"))
			r.converged(d, 0)
			require.Empty(t, r.files())
			require.True(t, eventually(10*time.Second, func() bool { return state() == empty }), state())
		})
	}
}

// What the daemon keeps does not grow with the containers that have come and gone.
func TestDaemonForgets(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	d := r.start(vpp.Socket())
	conf := r.conf("ipam", "null")
	for n := range 5 {
		_, err := r.add(conf, id(n), "net0")
		require.NoError(t, err)
		r.converged(d, 1)
		require.NoError(t, r.del(conf, id(n), "net0"))
		r.converged(d, 0)
	}
	kept := func() (out int) {
		for range d.store.Statuses() {
			out++
		}
		return out + len(*d.claims.Load())
	}
	said := func() (out []string) {
		for k, st := range d.store.Statuses() {
			out = append(out, fmt.Sprintf("%s %+v", k, st))
		}
		return append(out, fmt.Sprint(*d.claims.Load()))
	}
	require.True(t, eventually(10*time.Second, func() bool { return kept() == 0 }), "of nothing that there is: %v", said())
}

// What is said of a command line that cannot be.
func TestDaemonCommandLine(t *testing.T) {
	d, err := daemonOf(nil)
	require.NoError(t, err)
	require.Equal(t, []string{"/var/lib/cni/results", "/var/lib/cni/multus/results"}, d.caches)
	d, err = daemonOf([]string{"-cache", "/a/", "-cache", "/b", "-engine", "ovs-dpdk", "-socket", "unix:/run/db.sock"})
	require.NoError(t, err)
	require.Equal(t, []string{"/a", "/b"}, d.caches)
	require.Equal(t, "/run/db.sock", d.socket)
	for says, args := range map[string][]string{
		"foo":    {"foo"},
		"every":  {"-every", "0"},
		"resync": {"-resync", "-1s"},
		"engine": {"-engine", "dpdk"},
	} {
		_, err := daemonOf(args)
		require.ErrorContains(t, err, says)
	}
}
