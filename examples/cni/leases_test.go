// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vpptest"
)

// none is what the runtime says to GC when there are no containers.
var none = &libcni.GCArgs{ValidAttachments: []types.GCAttachment{}}

// ipam makes an IPAM plugin of a shell script, in which $host_local is host-local and $dir the rig's directory.
func (r *rig) ipam(name, script string) (change []string) {
	text := fmt.Sprintf("#!/bin/sh\ndir=%s\nhost_local=$dir/bin/host-local\n%s\n", r.dir, script)
	require.NoError(r, os.WriteFile(r.dir+"/bin/"+name, []byte(text), 0o755))
	return []string{"ipam.type", `"` + name + `"`}
}

// away is an IPAM that cannot be had while there is a file "down".
const away = `if [ -e $dir/down ] && [ "$CNI_COMMAND" = ${ONLY:-$CNI_COMMAND} ]; then echo '{"code": 11, "msg": "away"}'; exit 1; fi
exec $host_local`

func (r *rig) down() { require.NoError(r, os.WriteFile(r.dir+"/down", nil, 0o600)) }
func (r *rig) up()   { require.NoError(r, os.Remove(r.dir+"/down")) }
func (r *rig) withoutCache() {
	require.NoError(r, os.RemoveAll(r.dir+"/cache"), "or libcni would send DELs")
}

func code(t testing.TB, err error) uint {
	t.Helper()
	var said *types.Error
	require.ErrorAs(t, err, &said)
	return said.Code
}

// A command was killed at whatever step, the runtime forgets of it, and host-local has no GC: ours leaves
// nothing, the address included.
func TestGCAfterAKill(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	t.Run("in the configuration's directory", func(*testing.T) { r.collectedAfterAKill(r.conf(), vpp.String) })
	_, kubeconfig := r.inKubernetes()
	t.Run("in the pod's volume", func(*testing.T) { r.collectedAfterAKill(r.conf("kubeconfig", kubeconfig), vpp.String) })
}

func (r *rig) collectedAfterAKill(conf *libcni.NetworkConfigList, state func() string) {
	empty := state()
	add := func() error { _, err := r.add(conf, id(1), "net0"); return err }
	del := func() error { return r.del(conf, id(1), "net0") }
	collect := func(what string, n int) {
		r.withoutCache()
		require.NoError(r, r.GCNetworkList(r.Context(), conf, none))
		require.Equal(r, empty, state(), "%s killed at %d", what, n)
		left := slices.DeleteFunc(r.files(), func(f string) bool { return f == "volume/web" }) // empty, and the pod's
		require.Empty(r, left, "%s killed at %d", what, n)
	}
	kills := 0
	for n := 1; r.killed(n, add); n++ {
		collect("ADD", n)
		kills++
	}
	for n := 1; ; n++ {
		require.NoError(r, add())
		if !r.killed(n, del) {
			break
		}
		collect("DEL", n)
		kills++
	}
	require.Greater(r, kills, 25)
}

// An IPAM that does not take an address back is asked again by the next GC.
func TestGCAsksIPAMAgain(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	conf := r.conf(r.ipam("flaky", away)...)
	_, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	r.withoutCache()
	r.down()
	t.Setenv("ONLY", "DEL")
	require.ErrorContains(t, r.GCNetworkList(t.Context(), conf, none), "away")
	r.up()
	require.NoError(t, r.GCNetworkList(t.Context(), conf, none))
	require.Empty(t, r.files())
}

// A second ADD that fails leaves what the first has made: a container lives by it.
func TestSecondAddThatFails(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	conf := r.conf(r.ipam("flaky", away)...)
	_, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	before, files := vpp.String(), r.files()
	r.down()
	_, err = r.add(conf, id(1), "net0")
	require.Equal(t, types.ErrTryAgainLater, code(t, err), "as the IPAM says")
	r.up()
	require.Equal(t, before, vpp.String())
	require.Equal(t, files, r.files())
	require.NoError(t, r.check(conf, id(1), "net0"))
	require.NoError(t, r.del(conf, id(1), "net0"))
	require.Empty(t, r.files())
}

// Two ADDs of one attachment at once, of a runtime that did not wait for the first, say the same.
func TestTwoADDsOfOne(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	empty := vpp.String()
	for range 5 {
		said := make(chan string, 2)
		for range 2 {
			go func() {
				res, err := r.add(r.conf(), id(1), "net0")
				if err != nil {
					said <- err.Error()
					return
				}
				said <- res.IPs[0].Address.IP.String()
			}()
		}
		one, two := <-said, <-said
		require.Equal(t, one, two)
		require.Contains(t, r.files(), "ipam/net/"+one)
		require.NoError(t, r.check(r.conf(), id(1), "net0"))
		require.NoError(t, r.del(r.conf(), id(1), "net0"))
		require.Equal(t, empty, vpp.String())
		require.Empty(t, r.files())
	}
}

// An IPAM that knows the netconf's version and none newer is asked in that: CHECK and a second ADD too.
func TestOlderIPAM(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	older := r.ipam("older", `conf=$(cat)
case $conf in *'"cniVersion":"1.1.0"'*) echo '{"cniVersion":"1.0.0","code":1,"msg":"incompatible CNI versions"}'; exit 1;; esac
printf %s "$conf" | $host_local`)
	for _, version := range []string{"0.3.1", "0.4.0", "1.0.0"} {
		conf := r.conf(append(older, "cniVersion", `"`+version+`"`)...)
		one, err := r.add(conf, id(1), "net0")
		require.NoError(t, err, version)
		if version != "0.3.1" { // which has no CHECK
			require.NoError(t, r.check(conf, id(1), "net0"), version)
		}
		two, err := r.add(conf, id(1), "net0")
		require.NoError(t, err, version)
		require.Equal(t, one.IPs[0].Address.String(), two.IPs[0].Address.String(), version)
		require.NoError(t, r.del(conf, id(1), "net0"), version)
	}
	require.Empty(t, r.files())
}

// VPP dies while an ADD or a DEL is at work: the ADD is to be tried again, and has taken all back; the DEL is done.
func TestVPPDiesMeanwhile(t *testing.T) {
	dies := func(t *testing.T, socket string, kill func(), restart func() error) {
		r := newRig(t, socket)
		conf := r.conf(r.ipam("slow", `$host_local > $dir/out; rc=$?
if [ $CNI_COMMAND = ADD ]; then touch $dir/asked; while [ ! -e $dir/go ]; do sleep 0.05; done; fi
cat $dir/out; exit $rc`)...)
		done := make(chan error)
		go func() { _, err := r.add(conf, id(1), "net0"); done <- err }()
		require.True(t, eventually(time.Minute, func() bool { _, err := os.Stat(r.dir + "/asked"); return err == nil }))
		kill()
		require.NoError(t, os.WriteFile(r.dir+"/go", nil, 0o600))
		require.Equal(t, types.ErrTryAgainLater, code(t, <-done))
		require.Empty(t, r.files())
		require.NoError(t, restart())
	}
	t.Run("in memory", func(t *testing.T) {
		vpp := newVPP(t)
		dies(t, vpp.Socket(), vpp.Kill, vpp.Restart)
	})
	t.Run("real", func(t *testing.T) {
		vpp := vpptest.Real(t)
		dies(t, vpp.Socket(), vpp.Kill, vpp.Restart)
	})
}

// VPP hangs in the middle of an ADD: that is to be tried again. What VPP may have keeps its address; DEL
// takes both when it answers again.
func TestVPPHangsMeanwhile(t *testing.T) {
	vpp := vpptest.Real(t)
	r := newRig(t, vpp.Socket())
	pid := pidOf(t, vpp.Socket())
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	conf := r.conf(r.ipam("slow", fmt.Sprintf(`$host_local > $dir/out; rc=$?
if [ $CNI_COMMAND = ADD ]; then kill -STOP %d; fi
cat $dir/out; exit $rc`, pid))...)
	_, err := r.add(conf, id(1), "net0")
	require.Equal(t, types.ErrTryAgainLater, code(t, err), err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	require.NoError(t, r.del(conf, id(1), "net0"))
	require.Empty(t, r.files())
	require.NotContains(t, cli(t, vpp, "show interface"), "memif")
}

// pidOf is the process that listens on a socket.
func pidOf(t *testing.T, socket string) int {
	c, err := net.Dial("unix", socket)
	require.NoError(t, err)
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	require.NoError(t, err)
	var of *syscall.Ucred
	require.NoError(t, raw.Control(func(fd uintptr) { of, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED) }))
	require.NoError(t, err)
	return int(of.Pid)
}
