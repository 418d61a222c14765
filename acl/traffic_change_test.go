// SPDX-License-Identifier: Apache-2.0

//go:build linux

package acl_test

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// A session goes on while any sets permit it, and ends with the rule that started it: when the
// next packet comes from the side that began it.
func TestTrafficRulesChange(t *testing.T) {
	l := newLAN(t)
	fromA, toA := policy()
	l.sync(t, l.objects(fromA, toA, bound)...)
	webs := []datagram{flowOf(acl.IPv4, l.a, l.b, acl.TCP, 1001, 80), flowOf(acl.IPv6, l.a, l.b, acl.TCP, 1001, 80)}
	goesOn := func(why string) {
		t.Helper()
		for _, web := range webs {
			l.passes(t, web.back(), why+": an answer")
			l.passes(t, web, why)
			l.passes(t, web.back(), why+": another answer")
		}
	}
	for _, web := range webs {
		l.passes(t, web, "permitted")
	}
	mute := acl.Set{Name: "mute", Rules: []acl.Rule{{Family: acl.IPv4, Protocol: 99}}}
	other := bound
	other.Input, other.Output = []string{"from-a", "mute"}, []string{"mute", "to-a"}
	l.sync(t, l.objects(fromA, mute, toA, other)...)
	goesOn("one more set")
	more := fromA
	more.Rules = append(slices.Clone(fromA.Rules), acl.Rule{Action: acl.Permit, Family: acl.IPv4, Protocol: 99})
	l.sync(t, l.objects(more, mute, toA, other)...)
	goesOn("one more rule")
	l.sync(t, l.objects(fromA, mute, toA, bound)...)
	goesOn("one rule and one set less")

	none := acl.Set{Name: "from-a", Rules: []acl.Rule{keepalive()}}
	l.sync(t, l.objects(none, toA, bound)...)
	for _, web := range webs {
		l.fails(t, web, "its rule has gone")
		l.fails(t, web.back(), "and its session with it")
	}
	l.sync(t, l.objects(fromA, toA, bound)...)
	for _, web := range webs {
		l.passes(t, web, "permitted again")
		l.passes(t, web.back(), "its answer")
	}
	fromB := acl.Set{Name: "from-b", Rules: none.Rules}
	other = bound
	other.Input = []string{"from-b"}
	l.sync(t, l.objects(fromB, toA, other)...)
	for _, web := range webs {
		l.fails(t, web, "its set is not bound any more")
		l.fails(t, web.back(), "its session has gone")
	}
}

// Nothing that is denied passes at any moment, whatever is programmed meanwhile.
func TestTrafficWhileProgramming(t *testing.T) {
	l := newLAN(t)
	fromA, toA := policy()
	spoofed := flowOf(acl.IPv4, l.a, l.b, acl.UDP, 1000, 53)
	spoofed.src = netip.AddrFrom4([4]byte{10, 0, 0, 66})
	spoofed6 := flowOf(acl.IPv6, l.a, l.b, acl.UDP, 1000, 53)
	spoofed6.srcMAC = vppnet.MAC{2, 6, 6, 6, 6, 6}
	denied := []datagram{
		spoofed, spoofed6, flowOf(acl.IPv4, l.a, l.b, acl.UDP, 1, 9999), flowOf(acl.IPv6, l.a, l.b, acl.TCP, 1, 9999),
		flowOf(acl.IPv4, l.b, l.a, acl.TCP, 1, 9999), flowOf(acl.IPv6, l.b, l.a, acl.UDP, 1, 9999),
	}
	bad, sent := marks.Add(1), atomic.Int64{}
	var flood sync.WaitGroup
	var end atomic.Bool
	for _, d := range denied {
		frame := d.frame(bad)
		flood.Go(func() {
			for !end.Load() {
				d.from.send(frame)
				sent.Add(1)
				time.Sleep(200 * time.Microsecond)
			}
		})
	}
	check := func(what string) {
		t.Helper()
		require.Zero(t, l.a.count(bad)+l.b.count(bad), "%s: of %d frames that are denied some passed", what, sent.Load())
	}
	all := func(sets ...desiredstate.Object) []desiredstate.Object {
		return l.objects(append(sets, toA, l.antiSpoof(), bound, macipBound)...)
	}
	l.sync(t, all(fromA)...)
	l.passes(t, flowOf(acl.IPv4, l.a, l.b, acl.UDP, 1000, 53), "the filter is no wall")
	check("made")
	for i := range 20 {
		larger := fromA
		for n := range uint16(100 * i) {
			larger.Rules = append(larger.Rules, acl.Rule{Action: acl.PermitReflect, Family: acl.IPv6, Protocol: acl.UDP, DstPorts: acl.Between(n, n+uint16(i))})
		}
		l.sync(t, all(larger)...)
	}
	l.sync(t, all(fromA)...)
	check("rules changed")
	for i := range 20 {
		second, other := fromA, bound
		second.Name, other.Input = "second", []string{"second"}
		if i%2 == 0 {
			other.Input = []string{"second", "from-a"}
		}
		macips := l.antiSpoof()
		macips.Name = fmt.Sprint("macips", i)
		rebound := macipBound
		rebound.Set = macips.Name
		l.sync(t, l.objects(fromA, second, toA, macips, other, rebound)...)
	}
	l.sync(t, all(fromA)...)
	check("sets exchanged")
	for range 5 { // out of the bridge domain, and in again
		_, err := l.e.Remove(t.Context(), vppnet.LinkKey("a"), bound.Key(), macipBound.Key(), vppnet.BridgePortKey("a"))
		require.NoError(t, err)
		l.sync(t, all(fromA)...)
	}
	l.passes(t, flowOf(acl.IPv4, l.a, l.b, acl.UDP, 1000, 53), "the filter is no wall")
	check("bridged anew")
	l.sync(t)
	check("removed")
	end.Store(true)
	flood.Wait()
	t.Logf("%d frames that are denied, none passed", sent.Load())
	require.Greater(t, sent.Load(), int64(1000))
}
