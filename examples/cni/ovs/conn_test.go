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
	"github.com/stretchr/testify/assert"
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
	c := dial(t, o, "me", ovs.WithReplyTimeout(100*time.Millisecond))
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
	c = dial(t, o, "me", ovs.WithReplyTimeout(100*time.Millisecond), ovs.WithUptake(200*time.Millisecond))
	_, err = engine(o, c).Remove(t.Context(), ovs.BridgeKey("br0"))
	require.ErrorIs(t, err, ovs.ErrTimeout)
	_, err = engine(o, c).Remove(t.Context(), ovs.BridgeKey("br0"))
	require.NoError(t, err)
}

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
