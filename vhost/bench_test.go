// SPDX-License-Identifier: Apache-2.0

package vhost_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// BenchmarkConverged reads all of an in-memory VPP anew, which shares the
// machine, and finds nothing to do.
func BenchmarkConverged(b *testing.B) {
	const ports = 1000
	vpp := vpptest.New(b)
	c, err := vppnet.Dial(b.Context(), vpp.Socket(), "me")
	require.NoError(b, err)
	b.Cleanup(func() { _ = c.Close() })
	dir := b.TempDir()
	var wants []desiredstate.Object
	for i := range ports {
		name := fmt.Sprint("vm", i)
		if i%10 == 0 {
			wants = append(wants, vppnet.BridgeDomain{Name: fmt.Sprint("net", i/10)})
		}
		wants = append(wants,
			vhost.Port{Name: name, Socket: dir + "/" + name},
			vppnet.BridgePort{Bridge: fmt.Sprint("net", i/10), Interface: name},
			vppnet.LinkState{Interface: name, Up: true, After: []desiredstate.Key{vppnet.BridgePortKey(name)}},
		)
	}
	e := desiredstate.New(vppnet.LinkStates(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.SubInterfaces(c), vhost.Ports(c, dir))
	_, err = e.Sync(b.Context(), wants...)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		e.Forget()
		r, err := e.Sync(b.Context(), wants...)
		if err != nil || r.Changed() != 0 {
			b.Fatal(r.Changed(), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(len(wants)), "ns/object")
}
