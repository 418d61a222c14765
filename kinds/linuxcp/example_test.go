// SPDX-License-Identifier: Apache-2.0

package linuxcp_test

import (
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/linuxcp"
	"github.com/vppkit/vppkit/vppnet"
)

// A routing daemon in a network namespace sees an uplink and a VLAN of it.
func Example() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), vppnet.SubInterfaces(c), linuxcp.Pairs(c), linuxcp.Namespaces(c, new(vppnet.Memory))}
	},
		vppnet.Loopback{Name: "up"}, vppnet.SubInterface{Name: "up.100", Parent: "up", Outer: 100, Pairable: true}, // a real one would be a NIC
		linuxcp.Namespace{Name: "routing"},
		linuxcp.Pair{Interface: "up", Device: "eth0", Netns: "routing"},
		linuxcp.Pair{Interface: "up.100", Parent: "up", Device: "eth0.100", Netns: "routing"},
	)

	// Output:
	// + interface/up (loopback)
	// + interface/up.100 (sub-interface)
	// + linux-cp/up
	// + linux-cp/up.100
	// + linux-cp-namespace/linux-cp, unverified
	// 5 to create
	// error: <nil>
}
