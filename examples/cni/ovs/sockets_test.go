// SPDX-License-Identifier: Apache-2.0

package ovs_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

// The sockets that a dead ovs-vswitchd left are not in the way of a new port.
func TestSocketsLeft(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		if !o.DPDK() {
			t.Skip("REAL OVS WITHOUT DPDK: install openvswitch-switch-dpdk; skipped")
		}
		good := listening(t, o)
		o.Restart(true)
		require.FileExists(t, o.VhostDir()+"/vm1")
		_, err := engine(o, dial(t, o, "me", ovs.WithRunDir(o.Dir()))).Ensure(t.Context(), bridge("br0"), vm1)
		require.NoError(t, err, o.Log())
		require.Equal(t, good, o.String())
		guest, err := net.Dial("unix", o.VhostDir()+"/vm1")
		require.NoError(t, err)
		guest.Close()
	})
}

// Nor of one that was there before. Only in memory: an OVS 3.1.0 with DPDK 22.11 that fails to
// listen closes a descriptor twice, by then mostly somebody else's, and may hang from then on.
func TestSocketsLeftToTheNext(t *testing.T) {
	o := ovstest.New(t)
	good := listening(t, o)
	o.StopSwitch()
	o.StartSwitch()
	_, err := engine(o, dial(t, o, "me")).Ensure(t.Context(), vm1)
	require.ErrorContains(t, err, "could not open network device vm1 (Unknown error -1)")
	_, err = engine(o, dial(t, o, "me", ovs.WithRunDir(o.Dir()))).Ensure(t.Context(), vm1)
	require.NoError(t, err)
	require.Equal(t, good, o.String())

	// Where somebody listens, nothing is removed.
	other, err := net.Listen("unix", o.VhostDir()+"/vm2")
	require.NoError(t, err)
	defer other.Close()
	_, err = engine(o, dial(t, o, "me", ovs.WithRunDir(o.Dir()))).Ensure(t.Context(), ovs.Port{Name: "vm2", Bridge: "br0", Type: ovs.VhostUser})
	require.Error(t, err)
	require.FileExists(t, o.VhostDir()+"/vm2")
}

var vm1 = ovs.Port{Name: "vm1", Bridge: "br0", Type: ovs.VhostUser}

// listening has OVS listen for vm1.
func listening(t *testing.T, o *ovstest.OVS) string {
	_, err := engine(o, dial(t, o, "me")).Ensure(t.Context(), bridge("br0"), vm1)
	require.NoError(t, err)
	return o.String()
}

// OVS restarts, with its database or a new one: all that is wanted comes back by itself.
func TestRestart(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		s := wanted(t, o)
		follow(t, o, s)
		converged(t, s)
		good := o.String()
		for _, anew := range []bool{false, true} {
			o.Restart(anew)
			began := time.Now()
			back := func() bool { return o.String() == good }
			if !assert.Eventually(t, back, 30*time.Second, 20*time.Millisecond) {
				for k, st := range s.Statuses() {
					t.Log(k, st)
				}
				t.Fatalf("have\n%s\nwant\n%s\n%s", o, good, o.Log())
			}
			converged(t, s)
			t.Logf("with a new database (%v): back after %v", anew, time.Since(began).Round(time.Millisecond))
		}
	})
}
