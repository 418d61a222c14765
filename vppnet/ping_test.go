// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Packets go where the objects say: through a bridge domain while both its ports
// are there, and nowhere when one is not. VPP has a network namespace of its own,
// and so has each of the two hosts; nothing reaches any other.
func TestPingAcrossBridgeDomain(t *testing.T) {
	vpp := netrig.New(t, "vpp")
	a := netrig.Host(t, "a", vpp, "to-a", "10.77.0.1/24")
	b := netrig.Host(t, "b", vpp, "to-b", "10.77.0.2/24")
	c := dialVPP(t, vpptest.Real(t, vpptest.InNetNS(string(vpp))).Socket())
	e := layer2(c)

	port := vppnet.BridgePort{Bridge: "net", Interface: "b"}
	want := []desiredstate.Object{
		vppnet.BridgeDomain{Name: "net"},
		vppnet.HostInterface{Name: "a", Device: "to-a"},
		vppnet.HostInterface{Name: "b", Device: "to-b"},
		vppnet.LinkState{Interface: "a", Up: true},
		vppnet.LinkState{Interface: "b", Up: true},
		vppnet.BridgePort{Bridge: "net", Interface: "a"},
		port,
	}
	a.Misses(t, "10.77.0.2")
	_, err := e.Ensure(t.Context(), want...)
	require.NoError(t, err)
	a.Reaches(t, "10.77.0.2")
	b.Reaches(t, "10.77.0.1")

	_, err = e.Remove(t.Context(), port.Key())
	require.NoError(t, err)
	a.Misses(t, "10.77.0.2")

	_, err = e.Ensure(t.Context(), port)
	require.NoError(t, err)
	a.Reaches(t, "10.77.0.2")

	converge(t, c, want...)
	converge(t, c)
	a.Misses(t, "10.77.0.2")
}
