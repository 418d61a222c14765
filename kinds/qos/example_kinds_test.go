// SPDX-License-Identifier: Apache-2.0

package qos_test

import (
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/vppnet"
)

// All that comes in here is noted as of class 5, whatever it says itself.
func ExampleStores() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), qos.Stores(c)}
	},
		vppnet.Loopback{Name: "voice"},
		qos.Store{Interface: "voice", Value: 5},
	)

	// Output:
	// + interface/voice (loopback)
	// + qos-store/voice
	// 2 to create
	// error: <nil>
}
