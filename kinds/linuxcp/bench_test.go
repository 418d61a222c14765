// SPDX-License-Identifier: Apache-2.0

package linuxcp_test

import (
	"testing"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/lcp"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/linuxcp"
)

// BenchmarkPairs makes the twins of 500 interfaces and takes them away, by the engine and by hand.
func BenchmarkPairs(b *testing.B) {
	kindrig.Race(b, kindrig.OnLoopbacks(500, kinds, func(name string, i interface_types.InterfaceIndex) (desiredstate.Object, api.Message, api.Message) {
		return linuxcp.Pair{Interface: name, Device: "twin-" + name}, &lcp.LcpItfPairAddDelV3{IsAdd: true, SwIfIndex: i, HostIfName: "twin-" + name}, &lcp.LcpItfPairAddDelV3{SwIfIndex: i}
	}))
}
