// SPDX-License-Identifier: Apache-2.0

package ovs_test

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

// manyPorts is how many ports a busy host has.
const manyPorts = 500

// BenchmarkPorts makes a bridge with 500 ports, cold: by the engine, and as programs do that
// call ovs-vsctl, one port after the other. Then it looks that all is as wanted.
func BenchmarkPorts(b *testing.B) {
	b.Run("in memory", func(b *testing.B) { byEngine(b, ovstest.New(b)) })
	b.Run("real", func(b *testing.B) { byEngine(b, ovstest.Real(b)) })
	b.Run("real by ovs-vsctl", func(b *testing.B) { byHand(b, ovstest.Real(b)) })
}

func byEngine(b *testing.B, o *ovstest.OVS) {
	all := []desiredstate.Object{bridge("br0")}
	for n := range manyPorts {
		all = append(all, ovs.Port{Name: fmt.Sprintf("vm%d", n), Bridge: "br0", Type: ovs.Internal, VLAN: uint16(1 + n)})
	}
	empty := o.String()
	for b.Loop() {
		c := dial(b, o, "me")
		e := engine(o, c)
		_, err := e.Ensure(b.Context(), all...)
		require.NoError(b, err)

		b.StopTimer()
		p, err := engine(o, dial(b, o, "me")).Plan(b.Context(), all...)
		require.NoError(b, err)
		require.True(b, p.Empty(), p)
		e.MaxPrune = 1
		_, err = e.Sync(b.Context())
		require.NoError(b, err)
		require.Equal(b, empty, o.String())
		b.StartTimer()
	}
}

func byHand(b *testing.B, o *ovstest.OVS) {
	vsctl := func(args ...string) {
		out, err := exec.Command("ovs-vsctl", append([]string{"--db=unix:" + o.Direct()}, args...)...).CombinedOutput()
		require.NoError(b, err, string(out))
	}
	for b.Loop() {
		vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
		for n := range manyPorts {
			name := fmt.Sprintf("vm%d", n)
			vsctl("add-port", "br0", name, fmt.Sprintf("tag=%d", 1+n), "--", "set", "interface", name, "type=internal")
		}
		b.StopTimer()
		vsctl("del-br", "br0")
		b.StartTimer()
	}
}
