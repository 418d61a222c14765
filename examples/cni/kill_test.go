// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"testing"

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

// Whatever the plugin is at when it is killed, the runtime's retry finishes it, and its DEL leaves
// nothing behind. The first way is gone in full: each command, each step, each retry. The others
// take turns with the retry.
func TestKilledAtEveryStep(t *testing.T) {
	for i, way := range []struct {
		name   string
		change []string
	}{
		{"memif, bridge", nil},
		{"memif, interface", []string{"host.netType", `"interface"`}},
		{"memif of IP", []string{"host.memif.mode", `"ip"`, "host.netType", `"interface"`}},
		{"vhost-user, bridge", []string{"host.iftype", `"vhostuser"`, "host.vhost.mode", `"client"`}},
		{"in Kubernetes", []string{"kubeconfig", ""}},
	} {
		t.Run(way.name, func(t *testing.T) {
			vpp := newVPP(t)
			r := newRig(t, vpp.Socket())
			state := vpp.String
			if i == 4 {
				api, kubeconfig := r.inKubernetes()
				way.change[1] = kubeconfig
				state = func() string { return fmt.Sprint(vpp, api.Annotations("default", "web")) }
			}
			conf, c := r.conf(way.change...), id(1)
			empty := state()
			add := func() error { _, err := r.add(conf, c, "net0"); return err }
			del := func() error { return r.del(conf, c, "net0") }
			kills := map[string]int{}
			for _, again := range []bool{false, true} { // the runtime asks for an ADD before it gives up
				for n := 1; r.killed(n, add); n++ {
					if again {
						require.NoError(t, add(), "after an ADD killed at step %d", n)
						require.NoError(t, r.check(conf, c, "net0"), "after an ADD killed at step %d", n)
					}
					kills["ADD"]++
					require.NoError(t, del(), "after an ADD killed at step %d", n)
					require.Equal(t, empty, state(), "after an ADD killed at step %d", n)
					require.Empty(t, r.files(), "after an ADD killed at step %d", n)
					again = again != (i > 0)
				}
				require.NoError(t, del())
				for n := 1; ; n++ {
					require.NoError(t, add())
					require.NotEqual(t, empty, state())
					if !r.killed(n, del) {
						break
					}
					if again {
						require.NoError(t, add(), "after a DEL killed at step %d", n)
						require.NoError(t, r.check(conf, c, "net0"), "after a DEL killed at step %d", n)
					}
					kills["DEL"]++
					require.NoError(t, del(), "after a DEL killed at step %d", n)
					require.Equal(t, empty, state(), "after a DEL killed at step %d", n)
					require.Empty(t, r.files(), "after a DEL killed at step %d", n)
					again = again != (i > 0)
				}
				if i > 0 {
					break
				}
			}
			t.Logf("killed: %v", kills)
			require.Greater(t, min(kills["ADD"], kills["DEL"]), 30)
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
