// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
)

// Of what is not IP only ARP passes, in both directions.
func ExampleEtherTypeLists() {
	const arp = 0x0806
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), acl.EtherTypeLists(c)}
	},
		vppnet.Loopback{Name: "vm1"},
		acl.EtherTypes{Interface: "vm1", Input: []uint16{arp}, Output: []uint16{arp}},
	)

	// Output:
	// + acl-ethertypes/vm1
	// + interface/vm1 (loopback)
	// 2 to create
	// error: <nil>
}
