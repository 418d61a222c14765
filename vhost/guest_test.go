// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vhost_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Guests on ports of one bridge domain reach each other, whichever side made the
// sockets, and do so again when VPP was killed and programmed anew. They notice
// what becomes of their ports.
func TestGuests(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("they go with the test", guests)
	goleak.VerifyNone(t, before)
}

func guests(t *testing.T) {
	vpp, dir := vpptest.Real(t), sockets(t)
	a := netrig.Boot(t, "a", dir+"/a", true, "02:00:00:00:00:0a", "10.77.0.1/24", "fd00:77::1/64")
	b := netrig.Boot(t, "b", dir+"/b", false, "02:00:00:00:00:0b", "10.77.0.2/24", "fd00:77::2/64")
	want := []desiredstate.Object{
		vppnet.BridgeDomain{Name: "net"},
		vhost.Port{Name: "a", Socket: dir + "/a", Server: true},
		vhost.Port{Name: "b", Socket: dir + "/b"},
		vppnet.LinkState{Interface: "a", Up: true},
		vppnet.LinkState{Interface: "b", Up: true},
		vppnet.BridgePort{Bridge: "net", Interface: "a"},
		vppnet.BridgePort{Bridge: "net", Interface: "b"},
	}
	program := func() *desiredstate.Engine {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		e := desiredstate.New(vhost.Ports(c, dir), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.LinkStates(c))
		_, err := e.Sync(t.Context(), want...)
		require.NoError(t, err)
		return e
	}
	both := func() {
		a.Reaches(t, "10.77.0.2")
		b.Reaches(t, "10.77.0.1")
		a.Reaches(t, "fd00:77::2")
		a.Reaches(t, "10.77.0.2", "-s", "1472", "-M", "do") // as long as a frame may be
	}
	program()
	both()

	vpp.Kill()
	a.Misses(t, "10.77.0.2")
	require.NoError(t, vpp.Restart())
	a.Misses(t, "10.77.0.2") // VPP knows nothing
	booted := [2]int{a.Connections(), b.Connections()}
	e := program()
	a.WaitConnected(t, booted[0])
	b.WaitConnected(t, booted[1])
	both()

	port := want[len(want)-1]
	_, err := e.Remove(t.Context(), port.Key())
	require.NoError(t, err)
	a.Misses(t, "10.77.0.2")
	_, err = e.Ensure(t.Context(), port)
	require.NoError(t, err)
	both()
}
