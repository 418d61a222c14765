// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bond_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Two VPPs are joined by two wires, of which LACP makes one bond. Hosts behind them
// reach each other; a wire that is cut, or a member that is taken out, costs no more
// than the protocol says; and who watches is told.
func TestLACP(t *testing.T) {
	a, b := newEnd(t, "a"), newEnd(t, "b")
	for i := range wires {
		netrig.Veth(t, a.vpp, wire(i), b.vpp, wire(i))
	}
	left := netrig.Host(t, "left", a.vpp, "host", "10.9.0.1/24")
	netrig.Host(t, "right", b.vpp, "host", "10.9.0.2/24")
	a.start(t)
	b.start(t)
	began := time.Now()
	const works = bond.Aggregation | bond.Synchronization | bond.Collecting | bond.Distributing
	inUse := func(s map[string]bond.State) bool { // and the other end has said so
		for i := range wires {
			if w := s[wire(i)]; !w.Active || w.Partner.State&works != works {
				return false
			}
		}
		return true
	}
	a.until(t, "both wires are in use", inUse)
	b.until(t, "both wires are in use", inUse)
	t.Logf("LACP agreed on both wires in %v", time.Since(began).Round(10*time.Millisecond))
	for i := range wires {
		s := a.now[wire(i)]
		require.Equal(t, "up", s.Bond)
		require.Equal(t, works, s.Actor.State&works, s.Actor.State)
		require.Equal(t, works, s.Partner.State&works, s.Partner.State)
		require.Equal(t, b.c.MAC("up"), s.Partner.System)
		require.Equal(t, a.c.MAC("up"), s.Actor.System)
	}
	left.Reaches(t, "10.9.0.2")

	lossOf := func(what string, most int, do func()) {
		t.Helper()
		stop := left.Pings(t, "10.9.0.2")
		do()
		answers, lost := stop()
		t.Logf("%s: %d of %d lost, which is %d ms", what, lost, answers+lost, 50*lost)
		require.LessOrEqual(t, lost, most, what)
	}
	// A member that is taken out: this end stops at once, the other one when it misses this one.
	for i := range wires {
		lossOf("member "+wire(i)+" is taken out", 20*5, func() {
			_, err := a.e.Remove(t.Context(), bond.MemberKey(wire(i)))
			require.NoError(t, err)
			a.until(t, "it is a member no more", func(s map[string]bond.State) bool { _, there := s[wire(i)]; return !there })
			b.until(t, "the other end has noticed", func(s map[string]bond.State) bool { return !s[wire(i)].Active })
		})
		lossOf("member "+wire(i)+" is back", 2, func() {
			_, err := a.e.Ensure(t.Context(), bond.Member{Bond: "up", Interface: wire(i)})
			require.NoError(t, err)
			a.until(t, "both wires are in use", func(s map[string]bond.State) bool { return s[wire(i)].Active })
			b.until(t, "both wires are in use", func(s map[string]bond.State) bool { return s[wire(i)].Active })
		})
	}
	// One of the two carries the pings. Nobody tells VPP that a wire is cut: it has to miss
	// the other end, for three seconds.
	for i := range wires {
		lossOf("wire "+wire(i)+" is cut", 20*6, func() {
			a.vpp.IP(t, "link", "set", "dev", wire(i), "down")
			a.until(t, "one wire is in use", func(s map[string]bond.State) bool { return !s[wire(i)].Active })
			b.until(t, "one wire is in use", func(s map[string]bond.State) bool { return !s[wire(i)].Active })
			require.True(t, a.now[wire(1-i)].Active)
			left.Reaches(t, "10.9.0.2")
		})
		if i == wires-1 {
			break
		}
		// VPP asks who is there every 30 seconds only.
		lossOf("wire "+wire(i)+" is mended", 2, func() {
			a.vpp.IP(t, "link", "set", "dev", wire(i), "up")
			a.until(t, "both wires are in use", func(s map[string]bond.State) bool { return s[wire(i)].Active })
			b.until(t, "both wires are in use", func(s map[string]bond.State) bool { return s[wire(i)].Active })
		})
	}
}

const wires = 2

func wire(i int) string { return fmt.Sprint("wire", i) }

// An end is a VPP with one end of a bond.
type end struct {
	name   string
	vpp    netrig.NetNS
	c      *vppnet.Conn
	e      *desiredstate.Engine
	events <-chan bond.Event
	now    map[string]bond.State
}

func newEnd(t *testing.T, name string) *end {
	return &end{name: name, vpp: netrig.New(t, name), now: map[string]bond.State{}}
}

func (e *end) start(t *testing.T) {
	e.c = kindrig.Dial(t, vpptest.Real(t, vpptest.InNetNS(string(e.vpp))).Socket(), e.name)
	e.e = desiredstate.New(kinds(e.c)...)
	want := []desiredstate.Object{
		bond.Bond{Name: "up", Mode: bond.LACP, Balance: bond.L34},
		vppnet.LinkState{Interface: "up", Up: true},
		vppnet.HostInterface{Name: "host", Device: "host"},
		vppnet.LinkState{Interface: "host", Up: true},
		vppnet.BridgeDomain{Name: "net"},
		vppnet.BridgePort{Bridge: "net", Interface: "host"},
		vppnet.BridgePort{Bridge: "net", Interface: "up"},
	}
	for i := range wires {
		want = append(want, vppnet.HostInterface{Name: wire(i), Device: wire(i)}, vppnet.LinkState{Interface: wire(i), Up: true}, bond.Member{Bond: "up", Interface: wire(i)})
	}
	_, err := e.e.Sync(t.Context(), want...)
	require.NoError(t, err)
	e.events, err = bond.Watch(t.Context(), e.c, 50*time.Millisecond)
	require.NoError(t, err)
}

// until follows the events until the members are as said.
func (e *end) until(t *testing.T, what string, done func(map[string]bond.State) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !done(e.now) {
		select {
		case event := <-e.events:
			if event.New == (bond.State{}) {
				delete(e.now, event.Old.Interface)
				continue
			}
			e.now[event.New.Interface] = event.New
		case <-ctx.Done():
			require.Fail(t, what, "%s: %+v", e.name, e.now)
		}
	}
}
