// SPDX-License-Identifier: Apache-2.0

package ovs_test

import (
	"context"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

func Example() {
	there, err := ovstest.Start() // or ovs.Socket, the real one's
	if err != nil {
		panic(err)
	}
	defer there.Close()
	ctx := context.Background()
	c, err := ovs.Dial(ctx, there.Socket(), "node1")
	if err != nil {
		panic(err)
	}
	defer c.Close()

	engine := desiredstate.New(ovs.Bridges(c), ovs.Ports(c, "/run/vms"))
	wanted := []desiredstate.Object{
		ovs.Bridge{Name: "br0", Datapath: ovs.Netdev},
		ovs.Port{Name: "vm1", Bridge: "br0", Type: ovs.VhostUserClient, Socket: "/run/vms/vm1.sock", VLAN: 100},
		ovs.Port{Name: "vm2", Bridge: "br0", Type: ovs.VhostUser},
	}
	plan, err := engine.Plan(ctx, wanted...)
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	_, err = engine.Apply(ctx, plan)
	fmt.Println("error:", err)

	wanted[1] = ovs.Port{Name: "vm1", Bridge: "br0", Type: ovs.VhostUserClient, Socket: "/run/vms/vm1.sock", VLAN: 200}
	if plan, err = engine.Plan(ctx, wanted...); err != nil {
		panic(err)
	}
	fmt.Print(plan)
	_, err = engine.Remove(ctx, ovs.BridgeKey("br0"))
	fmt.Println("error:", err)

	// Output:
	// + ovs-bridge/br0
	// + ovs-port/vm1
	// + ovs-port/vm2
	// 3 to create
	// error: <nil>
	// ~ ovs-port/vm1, disturbs its traffic
	//       VLAN: 100 -> 200
	// 1 to update, 2 as wanted
	// error: blocked ovs-bridge/br0: in use by ovs-port/vm1, ovs-port/vm2
}
