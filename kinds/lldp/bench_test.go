// SPDX-License-Identifier: Apache-2.0

package lldp_test

import (
	"testing"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	binding "go.fd.io/govpp/binapi/lldp"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/lldp"
	"github.com/vppkit/vppkit/vppnet"
)

// BenchmarkPorts turns LLDP on on 500 interfaces, and off, by the engine and by hand.
func BenchmarkPorts(b *testing.B) {
	kinds := func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), lldp.Ports(c, new(vppnet.Memory))}
	}
	kindrig.Race(b, kindrig.OnLoopbacks(500, kinds, func(name string, i interface_types.InterfaceIndex) (desiredstate.Object, api.Message, api.Message) {
		return lldp.Port{Interface: name}, &binding.SwInterfaceSetLldp{SwIfIndex: i, Enable: true}, &binding.SwInterfaceSetLldp{SwIfIndex: i}
	}))
}
