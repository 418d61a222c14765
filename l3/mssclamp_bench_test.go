// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"testing"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/mss_clamp"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// BenchmarkMSSClamps bounds what 500 interfaces announce, and no more, by the engine and by hand.
func BenchmarkMSSClamps(b *testing.B) {
	kinds := func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), l3.MSSClamps(c)}
	}
	kindrig.Race(b, kindrig.OnLoopbacks(500, kinds, func(name string, i interface_types.InterfaceIndex) (desiredstate.Object, api.Message, api.Message) {
		both := mss_clamp.MSS_CLAMP_DIR_RX | mss_clamp.MSS_CLAMP_DIR_TX
		return l3.MSSClamp{Interface: name, IPv4: l3.Clamp{MSS: 1400}},
			&mss_clamp.MssClampEnableDisable{SwIfIndex: i, IPv4Mss: 1400, IPv4Direction: both}, &mss_clamp.MssClampEnableDisable{SwIfIndex: i}
	}))
}
