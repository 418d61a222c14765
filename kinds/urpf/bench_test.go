// SPDX-License-Identifier: Apache-2.0

package urpf_test

import (
	"testing"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	binding "go.fd.io/govpp/binapi/urpf"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/urpf"
)

// BenchmarkChecks makes a check on 500 interfaces and takes it away, by the engine and by hand.
func BenchmarkChecks(b *testing.B) {
	kindrig.Race(b, kindrig.OnLoopbacks(500, kinds, func(name string, i interface_types.InterfaceIndex) (desiredstate.Object, api.Message, api.Message) {
		set := func(m binding.UrpfMode) api.Message {
			return &binding.UrpfUpdateV2{SwIfIndex: i, IsInput: true, Mode: m, TableID: ^uint32(0)}
		}
		return urpf.Check{Interface: name}, set(binding.URPF_API_MODE_STRICT), set(binding.URPF_API_MODE_OFF)
	}))
}
