// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/fib_types"
	binding "go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

const manyRoutes = 10_000

// someRoute is the nth of many: to a prefix of its own, by two of eight next hops.
func someRoute(n, changed int) l3.Route {
	hop := func(n int) l3.Path {
		return l3.Path{Interface: "up", NextHop: netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + n%8)})}
	}
	return l3.Route{
		Table: "red", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(n >> 8), byte(n), 0}), 24),
		Paths: []l3.Path{hop(n + changed), hop(n + changed + 3)},
	}
}

// BenchmarkRoutes makes, changes and reads 10,000 routes. "by hand" is a client
// written for nothing but that: it sends the same messages in one go, made
// beforehand, and reads the replies; it knows what is there, and checks nothing else.
func BenchmarkRoutes(b *testing.B) {
	b.Run("in memory", func(b *testing.B) { benchRoutes(b, vpptest.New(b).Socket()) })
	b.Run("real", func(b *testing.B) { benchRoutes(b, vpptest.Real(b).Socket()) })
}

func benchRoutes(b *testing.B, socket string) {
	c := kindrig.Dial(b, socket, "me", vppnet.WithReplyTimeout(time.Minute))
	e := engine(c)
	base := []desiredstate.Object{
		l3.Table{Name: "red", ID: 70, NoIPv6: true},
		vppnet.Loopback{Name: "up"},
		l3.Membership{Interface: "up", Table: "red", NoIPv6: true},
		l3.Address{Interface: "up", Prefix: netip.MustParsePrefix("10.0.0.1/24"), Table: "red"},
		vppnet.LinkState{Interface: "up", Up: true},
	}
	report, err := e.Sync(b.Context(), base...)
	require.NoError(b, err)
	up, _ := report.Of(vppnet.InterfaceKey("up"))
	all := make([]desiredstate.Object, manyRoutes)
	byHand := make([]api.Message, manyRoutes)
	for n := range all {
		r := someRoute(n, 0)
		all[n] = r
		m := &binding.IPRouteAddDelV2{IsAdd: true, Route: binding.IPRouteV2{TableID: 70, Prefix: wire(r.Prefix)}}
		for _, p := range r.Paths {
			path := fib_types.FibPath{SwIfIndex: up.ID, Weight: 1}
			path.Nh.Address.SetIP4(p.NextHop.As4())
			m.Route.Paths = append(m.Route.Paths, path)
		}
		byHand[n] = m
	}
	hand := kindrig.NewHand(b, socket)
	clean := func() {
		e.Forget()
		_, err := e.Sync(b.Context(), base...)
		require.NoError(b, err)
	}
	cold := func(b *testing.B, f func()) {
		for b.Loop() {
			f()
			b.StopTimer()
			clean()
			b.StartTimer()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/manyRoutes, "ns/route")
	}
	ensure := func(want ...desiredstate.Object) {
		_, err := e.Ensure(b.Context(), want...)
		require.NoError(b, err)
	}
	b.Run("cold", func(b *testing.B) { cold(b, func() { ensure(all...) }) })
	b.Run("cold by hand", func(b *testing.B) { cold(b, func() { hand.Ask(b, byHand...) }) })
	ensure(all...)
	changing := func(b *testing.B, f func(n int)) {
		for n := 1; b.Loop(); n++ {
			f(n)
		}
	}
	b.Run("one change", func(b *testing.B) { changing(b, func(n int) { ensure(someRoute(77, n)) }) })
	b.Run("one change by hand", func(b *testing.B) { changing(b, func(n int) { hand.Ask(b, byHand[n%2*8:][:1]...) }) })
	ensure(someRoute(77, 0))
	b.Run("converged", func(b *testing.B) { changing(b, func(int) { ensure(all...) }) })
	b.Run("reading", func(b *testing.B) {
		want := append(append([]desiredstate.Object{}, base...), all...)
		before := c.Stats().Sent
		for b.Loop() {
			e.Forget()
			p, err := e.Plan(b.Context(), want...)
			require.NoError(b, err)
			require.Empty(b, p.Steps)
		}
		b.ReportMetric(float64(c.Stats().Sent-before)/float64(b.N), "messages/op")
	})
	b.Run("reading by hand", func(b *testing.B) {
		for b.Loop() {
			hand.Read(b, &binding.IPRouteV2Dump{Src: 8, Table: binding.IPTable{TableID: 70}}, new(binding.IPRouteV2Details), manyRoutes)
		}
	})
}

func wire(p netip.Prefix) (out ip_types.Prefix) {
	out.Len = uint8(p.Bits())
	out.Address.Un.SetIP4(p.Addr().As4())
	return out
}
