// SPDX-License-Identifier: Apache-2.0

package nat64_test

import (
	"testing"

	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/nat64"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/vppnet"
)

// BenchmarkMappings makes 2,000 mappings and takes them away, by the engine and by hand.
func BenchmarkMappings(b *testing.B) {
	x := kindrig.Contest{
		Kinds: func(c *vppnet.Conn) []desiredstate.AnyKind {
			return []desiredstate.AnyKind{nat64.Mappings(c, nat64.Sizes{}, ours)}
		},
		Before: []api.Message{&binding.Nat64PluginEnableDisable{Enable: true}},
	}
	local := addr("fd00::1")
	for port := range uint16(2000) {
		local = local.Next()
		x.Want = append(x.Want, nat64.Mapping{Local: local, External: ours.Addr(), Protocol: nat64.TCP, LocalPort: 80, ExternalPort: port + 1})
		for _, add := range []bool{true, false} {
			q := &binding.Nat64AddDelStaticBib{IsAdd: add, IAddr: local.As16(), OAddr: ours.Addr().As4(), IPort: 80, OPort: port + 1, Proto: 6}
			if add {
				x.Add = append(x.Add, q)
			} else {
				x.Del = append(x.Del, q)
			}
		}
	}
	kindrig.Race(b, x)
}
