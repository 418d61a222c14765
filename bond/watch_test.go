// SPDX-License-Identifier: Apache-2.0

package bond_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Who watches hears of what is there, of each change, and of the end.
func TestWatch(t *testing.T) {
	vpp := vpptest.New(t)
	c := kindrig.Dial(t, vpp.Socket(), "me")
	e := desiredstate.New(kinds(c)...)
	_, err := e.Ensure(t.Context(),
		bond.Bond{Name: "up", Mode: bond.LACP}, vppnet.Loopback{Name: "lo"}, bond.Member{Bond: "up", Interface: "lo"},
		bond.Bond{Name: "plain", Mode: bond.XOR}, vppnet.Loopback{Name: "lo2"}, bond.Member{Bond: "plain", Interface: "lo2"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	events, err := bond.Watch(ctx, c, 10*time.Millisecond)
	require.NoError(t, err)
	next := func() bond.Event {
		t.Helper()
		select {
		case event, ok := <-events:
			require.True(t, ok)
			return event
		case <-time.After(10 * time.Second):
			require.Fail(t, "no event")
			return bond.Event{}
		}
	}
	plain := next()
	require.Equal(t, bond.Event{New: bond.State{Bond: "plain", Interface: "lo2", Index: plain.New.Index}}, plain)
	up := next()
	require.Equal(t, "lo", up.New.Interface)
	require.Equal(t, bond.Activity|bond.ShortTimeout|bond.Aggregation|bond.Defaulted|bond.Expired, up.New.Actor.State)
	require.True(t, up.New.Partner.System.IsZero())

	_, err = e.Ensure(t.Context(), vppnet.LinkState{Interface: "lo2", Up: true})
	require.NoError(t, err)
	change := next()
	require.Equal(t, plain.New, change.Old)
	require.True(t, change.New.Active)

	_, err = e.Ensure(t.Context(), vppnet.LinkState{Interface: "lo", Up: true})
	require.NoError(t, err)
	vpp.Partner("loop0", true) // lo or lo2, whoever came first
	vpp.Partner("loop1", true)
	change = next()
	require.Equal(t, up.New, change.Old)
	require.True(t, change.New.Active)
	require.Equal(t, bond.Synchronization|bond.Collecting|bond.Distributing, change.New.Partner.State&^(bond.Activity|bond.ShortTimeout|bond.Aggregation))
	vpp.Partner("loop0", false)
	vpp.Partner("loop1", false)
	require.False(t, next().New.Active)

	_, err = e.Remove(t.Context(), bond.MemberKey("lo"))
	require.NoError(t, err)
	gone := next()
	require.Equal(t, "lo", gone.Old.Interface)
	require.Zero(t, gone.New)
	cancel()
	_, ok := <-events
	require.False(t, ok)

	events, err = bond.Watch(t.Context(), c, time.Hour)
	require.NoError(t, err)
	next()
	vpp.Kill()
	_, ok = <-events
	require.False(t, ok, "VPP is gone")
}
