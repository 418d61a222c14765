// SPDX-License-Identifier: Apache-2.0

package classify_test

import (
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/vppnet"
)

// Nothing is sent to one host.
func ExampleOutputs() {
	const destination = 16 // in an IPv4 header
	var told vppnet.Memory // one for the whole program
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), classify.Tables(c), classify.Sessions(c, nil), classify.Outputs(c, &told)}
	},
		vppnet.Loopback{Name: "lan"},
		classify.Table{Name: "shut", Header: true, Mask: classify.At(destination, 255, 255, 255, 255), Sessions: 100},
		classify.Session{Table: "shut", Match: classify.At(destination, 192, 0, 2, 9), Deny: true},
		classify.Output{Interface: "lan", Table: "shut"},
	)

	// Output:
	// + classify-output/lan IPv4, unverified
	// + classify-session/shut 16:c0000209
	// + classify-table/shut
	// + interface/lan (loopback)
	// 4 to create
	// error: <nil>
}
