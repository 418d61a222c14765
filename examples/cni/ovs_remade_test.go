// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

// A DEL goes on if the daemon, which has not heard of it, brings back the port that has just gone, on the bridge that is to go.
func TestPortIsBackBeforeItsBridgeGoes(t *testing.T) {
	o := ovstest.New(t)
	empty := o.String()
	connected := func() (plane, *desiredstate.Engine) {
		p, err := dialOVS(t.Context(), o.Socket())
		require.NoError(t, err)
		t.Cleanup(func() { _ = p.Close() })
		return p, desiredstate.New(p.kinds(nil, everything)...)
	}
	bridge := ovs.Bridge{Name: "br0", Datapath: ovs.Netdev}
	port := ovs.Port{Name: "net0.abc", Bridge: "br0", Type: ovs.VhostUser}
	_, daemon := connected()
	_, err := daemon.Ensure(t.Context(), bridge, port)
	require.NoError(t, err)

	p, e := connected()
	times := 2
	e.Observe = func(ev desiredstate.Event) {
		if ev.Type == desiredstate.Done && ev.Key == port.Key() && times > 0 {
			times--
			daemon.Forget()
			_, err := daemon.Ensure(t.Context(), bridge, port)
			assert.NoError(t, err)
		}
	}
	_, err = (&Engine{p, e}).remove(t.Context(), func(name string) bool { return name == port.Name })
	require.NoError(t, err)
	require.Zero(t, times)
	require.Equal(t, empty, o.String())
}
