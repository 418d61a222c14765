// SPDX-License-Identifier: Apache-2.0

package uplink_test

import (
	"fmt"
	"testing"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/uplink"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// BenchmarkPromiscuouses has 500 devices take all frames, and only theirs, by the engine and by hand.
func BenchmarkPromiscuouses(b *testing.B) {
	x := kindrig.Contest{Kinds: func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{uplink.Promiscuouses(c, new(uplink.Memory), vppnet.ClaimInterfaces(func(string) bool { return true }))}
	}}
	for n := range 500 {
		name, set := fmt.Sprint("Gigabit", n), func(on bool) api.Message {
			return &interfaces.SwInterfaceSetPromisc{SwIfIndex: interface_types.InterfaceIndex(n + 1), PromiscOn: on}
		}
		x.VPP = append(x.VPP, vpptest.WithInterface(name))
		x.Want = append(x.Want, uplink.Promiscuous{Interface: vppnet.Foreign(name)})
		x.Add, x.Del = append(x.Add, set(true)), append(x.Del, set(false))
	}
	kindrig.Race(b, x)
}
