// SPDX-License-Identifier: Apache-2.0

package nat_test

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	binding "go.fd.io/govpp/binapi/nat44_ed"
	"go.fd.io/govpp/binapi/nat_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

const manyFloating = 1000

// someFloating is the nth of many floating IPs. Changed, it is for another host.
func someFloating(n, changed int) nat.Mapping {
	return nat.Mapping{
		Name:     "fip-" + strconv.Itoa(n),
		Local:    netip.AddrFrom4([4]byte{10, byte(changed), byte(n >> 8), byte(n)}),
		External: netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}),
	}
}

func floatingMessage(m nat.Mapping, add bool) api.Message {
	return &binding.Nat44AddDelStaticMappingV2{
		IsAdd: add, Flags: nat_types.NAT_IS_ADDR_ONLY, LocalIPAddress: m.Local.As4(), ExternalIPAddress: m.External.As4(),
		ExternalSwIfIndex: ^interface_types.InterfaceIndex(0), Tag: "me/" + m.Name,
	}
}

// BenchmarkFloatingIPs makes, changes and looks at 1,000 floating IPs; "by hand" as
// in BenchmarkRoutes.
func BenchmarkFloatingIPs(b *testing.B) {
	b.Run("in memory", func(b *testing.B) { benchFloating(b, vpptest.New(b).Socket()) })
	b.Run("real", func(b *testing.B) { benchFloating(b, vpptest.Real(b).Socket()) })
}

func benchFloating(b *testing.B, socket string) {
	c := kindrig.Dial(b, socket, "me", vppnet.WithReplyTimeout(time.Minute))
	e := natEngine(c, nat.EndpointDependent)
	all := make([]desiredstate.Object, manyFloating)
	byHand := make([]api.Message, manyFloating)
	for n := range all {
		m := someFloating(n, 0)
		all[n], byHand[n] = m, floatingMessage(m, true)
	}
	ensure := func(want ...desiredstate.Object) {
		_, err := e.Ensure(b.Context(), want...)
		require.NoError(b, err)
	}
	ensure(nat.Plugin{})
	hand := kindrig.NewHand(b, socket)
	cold := func(b *testing.B, f func()) {
		for b.Loop() {
			f()
			b.StopTimer()
			e.Forget()
			_, err := e.Sync(b.Context(), nat.Plugin{})
			require.NoError(b, err)
			b.StartTimer()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/manyFloating, "ns/mapping")
	}
	b.Run("cold", func(b *testing.B) { cold(b, func() { ensure(all...) }) })
	b.Run("cold by hand", func(b *testing.B) { cold(b, func() { hand.Ask(b, byHand...) }) })
	ensure(all...)
	last := 0
	b.Run("one change", func(b *testing.B) {
		for b.Loop() {
			last = (last + 1) % 2
			ensure(someFloating(77, last))
		}
	})
	ensure(someFloating(77, 0))
	b.Run("one change by hand", func(b *testing.B) {
		for b.Loop() {
			m := someFloating(77, 0)
			hand.Ask(b, floatingMessage(m, false), floatingMessage(m, true))
		}
	})
	b.Run("converged", func(b *testing.B) {
		before := c.Stats().Sent
		for b.Loop() {
			ensure(all...)
		}
		require.Equal(b, before, c.Stats().Sent)
	})
	b.Run("reading", func(b *testing.B) {
		for b.Loop() {
			e.Forget()
			p, err := e.Plan(b.Context(), append(all, nat.Plugin{})...)
			require.NoError(b, err)
			require.Zero(b, len(p.Steps))
		}
	})
	b.Run("reading by hand", func(b *testing.B) {
		for b.Loop() {
			hand.Read(b, &binding.Nat44StaticMappingDump{}, new(binding.Nat44StaticMappingDetails), manyFloating)
		}
	})
}
