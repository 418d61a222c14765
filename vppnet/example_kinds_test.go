// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A VLAN of a NIC becomes a bridge domain with a router's leg in it. The plan is
// the dry run; Sync would do the same at once.
func ExampleBridgePorts() {
	vpp, err := vpptest.Start(vpptest.WithInterface("GigabitEthernet0/8/0"))
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	ctx := context.Background()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "node1")
	if err != nil {
		panic(err)
	}
	defer c.Close()

	engine := desiredstate.New(
		vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c),
		vppnet.LinkStates(c, vppnet.ClaimInterfaces(func(name string) bool { return name == "vpp:GigabitEthernet0/8/0" })),
	)
	plan, err := engine.Plan(ctx,
		vppnet.LinkState{Interface: "vpp:GigabitEthernet0/8/0", Up: true},
		vppnet.SubInterface{Name: "blue-uplink", Parent: "vpp:GigabitEthernet0/8/0", Outer: 100, Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}},
		vppnet.LinkState{Interface: "blue-uplink", Parent: "vpp:GigabitEthernet0/8/0", Up: true},
		vppnet.Loopback{Name: "blue-gateway"},
		vppnet.BridgeDomain{Name: "blue"},
		vppnet.BridgePort{Bridge: "blue", Interface: "blue-uplink"},
		vppnet.BridgePort{Bridge: "blue", Interface: "blue-gateway", BVI: true},
	)
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	_, err = engine.Apply(ctx, plan)
	fmt.Println("error:", err)

	// Output:
	// + bridge-domain/blue
	// + bridge-port/blue-gateway
	// + bridge-port/blue-uplink
	// + interface/blue-gateway (loopback)
	// + interface/blue-uplink (sub-interface)
	// + link/blue-uplink
	// + link/vpp:GigabitEthernet0/8/0
	// 7 to create
	// error: <nil>
}
