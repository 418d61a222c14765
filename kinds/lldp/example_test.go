// SPDX-License-Identifier: Apache-2.0

package lldp_test

import (
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/lldp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// The switch that the machine's own device is connected to learns who is there.
func Example() {
	nic := vppnet.Foreign("GigabitEthernet0/8/0")
	claim := vppnet.ClaimInterfaces(func(name string) bool { return name == nic })
	var memory vppnet.Memory // as long as the program lives
	kindrig.DryRunOn([]vpptest.Option{vpptest.WithInterface("GigabitEthernet0/8/0")}, func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.LinkStates(c, claim), lldp.AllSettings(c, &memory), lldp.Ports(c, &memory, claim)}
	}, vppnet.LinkState{Interface: nic, Up: true}, lldp.Settings{SystemName: "edge1", Interval: 10 * time.Second}, lldp.Port{Interface: nic, Description: "uplink"})

	// Output:
	// + link/vpp:GigabitEthernet0/8/0
	// + lldp/vpp:GigabitEthernet0/8/0, unverified
	// + lldp-settings/lldp, unverified
	// 3 to create
	// error: <nil>
}
