// SPDX-License-Identifier: Apache-2.0

package ovs_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

// follow has a store followed, on whichever connection, until t ends.
func follow(t *testing.T, o *ovstest.OVS, s *desiredstate.Store, opts ...ovs.Option) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- ovs.Follow(ctx, o.Socket(), "me", func(ctx context.Context, c *ovs.Conn) error {
			e := engine(o, c)
			changes, err := c.Watch(ctx)
			if err != nil {
				return err
			}
			go func() {
				for range changes {
					e.Forget()
				}
			}()
			return e.Run(ctx, s, 0)
		}, opts...)
	}()
	t.Cleanup(func() { cancel(); require.ErrorIs(t, <-done, context.Canceled) })
}

// wanted is a store of a few objects.
func wanted(t *testing.T, o *ovstest.OVS) *desiredstate.Store {
	s := desiredstate.NewStore()
	all := []desiredstate.Object{bridge("br0"), internal("p1", "br0"), internal("p2", "br0")}
	if o.DPDK() {
		all = append(all, ovs.Port{Name: "vm1", Bridge: "br0", Type: ovs.VhostUserClient, Socket: sockets(o) + "/vm1", VLAN: 7})
	}
	require.NoError(t, s.Put(all...))
	s.Complete()
	return s
}

func converged(t *testing.T, s *desiredstate.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	require.NoError(t, s.Wait(ctx))
}

// Wherever the connection is lost, the next one finishes what was begun, once.
func TestLostConnection(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		empty := o.String()
		for _, done := range []bool{false, true} {
			for nth := 1; nth <= 4; nth++ {
				o.CutWrite(nth, done)
				s := wanted(t, o)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					_ = ovs.Follow(ctx, o.Socket(), "me", func(ctx context.Context, c *ovs.Conn) error {
						return engine(o, c).Run(ctx, s, 0)
					})
				}()
				converged(t, s)
				o.Heal()
				for k := range s.Statuses() {
					s.Delete(k)
				}
				converged(t, s)
				require.Equal(t, empty, o.String())
				cancel()
				<-ended
			}
		}
	})
}

// A call that the connection is lost under fails at once, and says that nobody knows what
// became of it.
func TestLostUnderACall(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		c := dial(t, o, "me")
		require.NoError(t, c.Err())
		o.CutWrite(1, true)
		began := time.Now()
		_, err := ovs.Bridges(c).Ensure(t.Context(), bridge("br0"))
		require.ErrorIs(t, err, ovs.ErrDisconnected)
		require.Less(t, time.Since(began), 5*time.Second)
		var e *ovs.Error
		require.ErrorAs(t, err, &e)
		require.True(t, e.Unknown)
		<-c.Done()
		require.ErrorIs(t, c.Err(), ovs.ErrDisconnected)
		_, err = ovs.Bridges(c).Ensure(t.Context(), bridge("br0"))
		require.ErrorIs(t, err, ovs.ErrDisconnected)
		_, err = c.Watch(t.Context())
		require.Error(t, err)

		c = dial(t, o, "me") // it was done
		require.Eventually(t, func() bool {
			p, err := engine(o, c).Plan(t.Context(), bridge("br0"))
			return err == nil && p.Empty()
		}, 10*time.Second, 10*time.Millisecond) // as soon as ovs-vswitchd has taken it up
	})
}

// A reply that never comes ends the wait for it, and nothing is done twice.
func TestLostReply(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		c := dial(t, o, "me", ovs.WithReplyTimeout(2*time.Second))
		o.LoseReply(1)
		_, err := ovs.Bridges(c).Ensure(t.Context(), bridge("br0"))
		require.ErrorIs(t, err, ovs.ErrTimeout)
		var e *ovs.Error
		require.ErrorAs(t, err, &e)
		require.True(t, e.Unknown)
		r, err := ovs.Bridges(c).Ensure(t.Context(), bridge("br0"))
		require.NoError(t, err)
		require.Zero(t, r.Changed())
	})
}

// While ovs-vswitchd is dead, nothing is said to be done that is not; when it lives again, it
// takes up what is there.
func TestSwitchDies(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		c := dial(t, o, "me", ovs.WithUptake(time.Second))
		e := engine(o, c)
		require.NoError(t, c.Alive(t.Context()))
		_, err := e.Ensure(t.Context(), bridge("br0"))
		require.NoError(t, err)
		o.StopSwitch()
		require.ErrorIs(t, c.Alive(t.Context()), ovs.ErrIdle)
		for range 2 {
			_, err = e.Ensure(t.Context(), internal("p1", "br0"))
			require.ErrorIs(t, err, ovs.ErrIdle)
		}
		p, err := e.Plan(t.Context(), bridge("br0"), internal("p1", "br0"))
		require.NoError(t, err)
		require.Contains(t, p.String(), "ovs-vswitchd does not have it")
		before := o.String()
		o.StartSwitch()
		e.Forget()
		_, err = e.Ensure(t.Context(), bridge("br0"), internal("p1", "br0"))
		require.NoError(t, err)
		require.Equal(t, before, o.String()) // it was not made twice
	})
}

// A removal of which nobody heard whether it was done is over when ovs-vswitchd has done it, for
// who tries again and for who comes next: not when the database says so.
func TestTheDatabaseIsNotTheSwitch(t *testing.T) {
	o := ovstest.New(t)
	listening(t, o)
	c := dial(t, o, "me", ovs.WithReplyTimeout(time.Second))
	e := engine(o, c)
	o.StopSwitch()
	o.LoseReply(1)
	_, err := e.Remove(t.Context(), vm1.Key())
	require.ErrorIs(t, err, ovs.ErrTimeout)
	require.NotContains(t, o.String(), "port name=vm1", "it is gone from the database")

	soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = e.Remove(soon, vm1.Key())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = engine(o, dial(t, o, "me")).Remove(soon, vm1.Key())
	require.ErrorIs(t, err, context.DeadlineExceeded)

	o.StartSwitch()
	_, err = e.Remove(t.Context(), vm1.Key())
	require.NoError(t, err)

	// With nobody to do anything, the database has to do.
	o.StopSwitch()
	o.LoseReply(1)
	c = dial(t, o, "me", ovs.WithReplyTimeout(time.Second), ovs.WithUptake(200*time.Millisecond))
	_, err = engine(o, c).Remove(t.Context(), ovs.BridgeKey("br0"))
	require.ErrorIs(t, err, ovs.ErrTimeout)
	_, err = engine(o, c).Remove(t.Context(), ovs.BridgeKey("br0"))
	require.NoError(t, err)
}
