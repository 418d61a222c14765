// SPDX-License-Identifier: Apache-2.0

package ovs_test

import (
	"context"
	"testing"
	"time"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

// What others take away or change is noticed without a resync.
func TestWatch(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		s := wanted(t, o)
		follow(t, o, s)
		converged(t, s)
		good := o.String()
		named := func(name string) []ovsdb.Condition {
			return []ovsdb.Condition{ovsdb.NewCondition("name", ovsdb.ConditionEqual, name)}
		}
		o.Transact(ovsdb.Operation{Op: "update", Table: "Port", Where: named("p1"), Row: ovsdb.Row{"tag": 99}})
		require.Eventually(t, func() bool { return o.String() == good }, 10*time.Second, 10*time.Millisecond)
		port := o.Transact(ovsdb.Operation{Op: "select", Table: "Port", Where: named("p2")})[0].Rows[0]["_uuid"]
		o.Transact(ovsdb.Operation{Op: "mutate", Table: "Bridge", Where: named("br0"), Mutations: []ovsdb.Mutation{{Column: "ports", Mutator: "delete", Value: port}}})
		require.Eventually(t, func() bool { return o.String() == good }, 10*time.Second, 10*time.Millisecond)

		// And then there is peace.
		time.Sleep(300 * time.Millisecond)
		writes := o.Writes()
		time.Sleep(300 * time.Millisecond)
		require.Equal(t, writes, o.Writes())
	})
}

// Watchers end with their ctx, and with the Conn.
func TestWatchEnds(t *testing.T) {
	o := ovstest.New(t)
	c := dial(t, o, "me")
	ctx, cancel := context.WithCancel(t.Context())
	a, err := c.Watch(ctx)
	require.NoError(t, err)
	b, err := c.Watch(t.Context())
	require.NoError(t, err)
	_, err = ovs.Bridges(c).Ensure(t.Context(), bridge("br0"))
	require.NoError(t, err)
	<-a
	<-b
	cancel()
	ends := func(w <-chan struct{}) {
		require.Eventually(t, func() bool {
			select {
			case _, open := <-w:
				return !open
			default:
				return false
			}
		}, 10*time.Second, time.Millisecond)
	}
	ends(a)
	require.NoError(t, c.Close())
	ends(b)
	require.ErrorIs(t, c.Err(), ovs.ErrClosed)
}
