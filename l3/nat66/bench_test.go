// SPDX-License-Identifier: Apache-2.0

package nat66_test

import (
	"testing"

	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/nat66"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3/nat66"
	"github.com/vppkit/vppkit/vppnet"
)

// BenchmarkMappings makes 2,000 mappings and takes them away, by the engine and by hand.
func BenchmarkMappings(b *testing.B) {
	x := kindrig.Contest{
		Kinds:  func(c *vppnet.Conn) []desiredstate.AnyKind { return []desiredstate.AnyKind{nat66.Mappings(c, ours)} },
		Before: []api.Message{&binding.Nat66PluginEnableDisable{Enable: true}},
	}
	local, external := addr("fd00::1"), ours.Addr()
	for range 2000 {
		local, external = local.Next(), external.Next()
		x.Want = append(x.Want, nat66.Mapping{Local: local, External: external})
		for _, add := range []bool{true, false} {
			q := &binding.Nat66AddDelStaticMapping{IsAdd: add, LocalIPAddress: local.As16(), ExternalIPAddress: external.As16()}
			if add {
				x.Add = append(x.Add, q)
			} else {
				x.Del = append(x.Del, q)
			}
		}
	}
	kindrig.Race(b, x)
}
