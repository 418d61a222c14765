// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/stretchr/testify/require"
)

// killed runs a command that is killed at its nth step, and says whether it was.
func (r *rig) killed(n int, command func() error) bool {
	r.Setenv("TEST_KILL_AT", fmt.Sprint(n))
	defer r.Setenv("TEST_KILL_AT", "")
	err := command()
	if err == nil {
		return false
	}
	require.ErrorContains(r, err, "signal: killed")
	return true
}

// killedAtEveryStep kills each ADD and each DEL of an attachment at one step after the other. Whatever
// the plugin was at, the runtime's retry finishes it, and its DEL leaves nothing behind: neither in the data
// plane, whose state is given, nor in files. In full, each kill is followed by a retry once, and by the
// DEL alone once; else they take turns. It counts the kills.
func (r *rig) killedAtEveryStep(conf *libcni.NetworkConfigList, state func() string, full bool) map[string]int {
	c, empty, kills := id(1), state(), map[string]int{}
	add := func() error { _, err := r.add(conf, c, "net0"); return err }
	del := func() error { return r.del(conf, c, "net0") }
	recovers := func(command string, n int, again bool) {
		at := fmt.Sprintf("after %s was killed at step %d", command, n)
		if kills[command]++; again { // some runtimes ask for an ADD before they give up
			require.NoError(r, add(), at)
			require.NoError(r, r.check(conf, c, "net0"), at)
		}
		require.NoError(r, del(), at)
		require.Equal(r, empty, state(), at)
		require.Empty(r, r.files(), at)
	}
	turns := 1
	if full {
		turns = 2
	}
	for turn := range turns {
		again := func(n int) bool { return turn == 1 || !full && n%2 == 0 }
		for n := 1; r.killed(n, add); n++ {
			recovers("ADD", n, again(n))
		}
		require.NoError(r, del())
		for n := 1; ; n++ {
			require.NoError(r, add())
			require.NotEqual(r, empty, state())
			if !r.killed(n, del) {
				break
			}
			recovers("DEL", n, again(n))
		}
	}
	r.Logf("killed: %v", kills)
	return kills
}

func TestKilledAtEveryStep(t *testing.T) {
	for i, way := range []struct {
		name   string
		change []string
	}{
		{"memif, bridge", nil},
		{"memif, interface, IPv4 and IPv6", append(both, "host.netType", `"interface"`)},
		{"memif of IP", []string{"host.memif.mode", `"ip"`, "host.netType", `"interface"`}},
		{"vhost-user, bridge", []string{"host.iftype", `"vhostuser"`, "host.vhost.mode", `"client"`}},
		{"in Kubernetes", []string{"kubeconfig", ""}},
	} {
		t.Run(way.name, func(t *testing.T) {
			on := onVPP
			if i > 1 {
				on = inMemory // to go two ways on a real VPP takes a minute and a half
			}
			on(t, func(r *rig, state func() string) {
				if i == 4 {
					api, kubeconfig := r.inKubernetes()
					way.change[1] = kubeconfig
					vpp := state
					state = func() string { return fmt.Sprint(vpp(), api.Annotations("default", "web")) }
				}
				kills := r.killedAtEveryStep(r.conf(way.change...), state, i == 0)
				require.Greater(r, min(kills["ADD"], kills["DEL"]), 12)
			})
		})
	}
}

// An ADD of which VPP refuses a message, or loses the answer, takes all back by itself.
func TestRefusedAtEveryMessage(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	empty := vpp.String()
	for name, change := range map[string][]string{"bridge": nil, "interface": {"host.netType", `"interface"`}} {
		conf, refused := r.conf(change...), 0
		for n := 1; ; n++ {
			lost := n%4 == 0
			vpp.FailWrite(n, lost)
			_, err := r.add(conf, id(1), "net0")
			vpp.Heal()
			if err == nil && !lost {
				break
			}
			if err != nil {
				refused++
				require.Equal(t, empty, vpp.String(), "%s: without message %d: %v", name, n, err)
				require.Empty(t, r.files(), "%s: without message %d", name, n)
			}
			require.NoError(t, r.del(conf, id(1), "net0"))
		}
		require.NoError(t, r.del(conf, id(1), "net0"))
		require.Greater(t, refused, 4, name)
		t.Logf("%s: %d messages refused", name, refused)
	}
}
