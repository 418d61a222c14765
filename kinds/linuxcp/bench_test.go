// SPDX-License-Identifier: Apache-2.0

package linuxcp_test

import (
	"fmt"
	"testing"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/lcp"

	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/linuxcp"
	"github.com/vppkit/vppkit/vppnet"
)

// BenchmarkPairs makes the twins of 500 interfaces and takes them away, by the engine and by hand.
func BenchmarkPairs(b *testing.B) {
	x := kindrig.Contest{Kinds: kinds}
	for n := range 500 {
		name, device := fmt.Sprint("lo", n), fmt.Sprint("twin", n)
		x.Base = append(x.Base, vppnet.Loopback{Name: name})
		x.Before = append(x.Before, &interfaces.CreateLoopback{})
		x.Want = append(x.Want, linuxcp.Pair{Interface: name, Device: device})
		for _, add := range []bool{true, false} {
			var q api.Message = &lcp.LcpItfPairAddDelV3{IsAdd: add, SwIfIndex: interface_types.InterfaceIndex(n + 1), HostIfName: device}
			if add {
				x.Add = append(x.Add, q)
			} else {
				x.Del = append(x.Del, q)
			}
		}
	}
	kindrig.Race(b, x)
}
