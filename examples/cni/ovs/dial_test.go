// SPDX-License-Identifier: Apache-2.0

package ovs_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

// A server that says nothing holds nobody up.
func TestHungServer(t *testing.T) {
	o := ovstest.New(t)
	c := dial(t, o, "me", ovs.WithReplyTimeout(100*time.Millisecond))
	o.Hang(true)
	many := make(chan error, 20)
	for range cap(many) {
		go func() { _, err := ovs.Bridges(c).Ensure(t.Context(), bridge("br0")); many <- err }()
	}
	for range cap(many) {
		require.ErrorIs(t, <-many, ovs.ErrTimeout)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := ovs.Bridges(c).Ensure(ctx, bridge("br0"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	o.Hang(false)
	require.Eventually(t, func() bool { _, err := ovs.Bridges(c).Ensure(t.Context(), bridge("br0")); return err == nil }, 10*time.Second, time.Millisecond)
	o.Hang(true)
	began := time.Now()
	require.NoError(t, c.Close())
	require.Less(t, time.Since(began), 5*time.Second)
	_, err = ovs.Bridges(c).Ensure(t.Context(), bridge("br1"))
	require.ErrorIs(t, err, ovs.ErrClosed)
}

func TestDial(t *testing.T) {
	o := ovstest.New(t)
	for _, owner := range []string{"", "a/b", "a b", strings.Repeat("x", 32)} {
		_, err := ovs.Dial(t.Context(), o.Socket(), owner)
		require.ErrorContains(t, err, "owner", owner)
	}
	_, err := ovs.Dial(t.Context(), o.Socket(), "me", ovs.WithUptake(0))
	require.Error(t, err)

	waits := func(socket, why string, reply time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := ovs.Dial(ctx, socket, "me", ovs.WithReplyTimeout(reply), ovs.WithReport(func(err error, _ time.Duration) {
			if strings.Contains(err.Error(), why) {
				cancel()
			}
		}))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, why)
	}
	waits(o.Socket()+"-not", "no such file", time.Second)
	mute := filepath.Join(o.Dir(), "mute.sock")
	l, err := net.Listen("unix", mute)
	require.NoError(t, err)
	defer l.Close()
	waits(mute, "deadline", 50*time.Millisecond)
	o.Transact(ovsdb.Operation{Op: "delete", Table: "Open_vSwitch", Where: []ovsdb.Condition{ovsdb.NewCondition("cur_cfg", ">=", 0)}})
	waits(o.Socket(), `run "ovs-vsctl init"`, 10*time.Second)
}

func TestFollowEnds(t *testing.T) {
	o := ovstest.New(t)
	calls := 0
	failed := errors.New("not this time")
	var told error
	err := ovs.Follow(t.Context(), o.Socket(), "me", func(context.Context, *ovs.Conn) error {
		if calls++; calls == 1 {
			return failed
		}
		return nil
	}, ovs.WithReport(func(err error, _ time.Duration) { told = err }))
	require.NoError(t, err)
	require.Equal(t, 2, calls)
	require.ErrorIs(t, told, failed)
	require.Error(t, ovs.Follow(t.Context(), o.Socket(), "no/owner", nil))
}
