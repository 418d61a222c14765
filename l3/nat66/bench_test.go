// SPDX-License-Identifier: Apache-2.0

package nat66_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/nat66"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3/nat66"
	"github.com/vppkit/vppkit/vpptest"
)

const many = 2000

// BenchmarkMappings makes mappings and takes them away, by the engine and by hand.
func BenchmarkMappings(b *testing.B) {
	var want []desiredstate.Object
	var add, del []api.Message
	local, external := addr("fd00::1"), addr("2001:db8:1::1")
	for range many {
		want = append(want, nat66.Mapping{Local: local, External: external})
		add = append(add, &binding.Nat66AddDelStaticMapping{IsAdd: true, LocalIPAddress: local.As16(), ExternalIPAddress: external.As16()})
		del = append(del, &binding.Nat66AddDelStaticMapping{LocalIPAddress: local.As16(), ExternalIPAddress: external.As16()})
		local, external = local.Next(), external.Next()
	}
	each := func(b *testing.B) { b.ReportMetric(float64(b.Elapsed())/float64(b.N)/(2*many), "ns/object") }
	b.Run("engine", func(b *testing.B) {
		e := kindrig.Engine(nat66.Mappings(kindrig.Dial(b, vpptest.New(b).Socket(), "me"), netip.MustParsePrefix("2001:db8:1::/64")))
		for b.Loop() {
			for _, w := range [][]desiredstate.Object{want, nil} {
				r, err := e.Sync(b.Context(), w...)
				require.NoError(b, err)
				require.Equal(b, many, r.Changed())
			}
		}
		each(b)
	})
	b.Run("hand", func(b *testing.B) {
		h := kindrig.NewHand(b, vpptest.New(b).Socket())
		h.Ask(b, &binding.Nat66PluginEnableDisable{Enable: true})
		for b.Loop() {
			h.Ask(b, add...)
			h.Ask(b, del...)
		}
		each(b)
	})
}
