// SPDX-License-Identifier: Apache-2.0

package uplink_test

import (
	"context"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/kinds/uplink"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// The machine's own device takes all frames, and its first queue is read when there are any.
func Example() {
	vpp, err := vpptest.Start(vpptest.WithInterface("GigabitEthernet0/8/0"))
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	ctx := context.Background()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "edge1")
	if err != nil {
		panic(err)
	}
	defer c.Close()

	nic := vppnet.Foreign("GigabitEthernet0/8/0")
	claim := vppnet.ClaimInterfaces(func(name string) bool { return name == nic })
	var memory uplink.Memory // as long as the program lives
	engine := desiredstate.New(uplink.Queues(c, &memory, claim), uplink.Promiscuouses(c, &memory, claim))
	plan, err := engine.Plan(ctx, uplink.Queue{Interface: nic, Mode: uplink.Interrupt, Thread: uplink.MainThread}, uplink.Promiscuous{Interface: nic})
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	report, err := engine.Apply(ctx, plan)
	fmt.Println(report.Changed(), err)

	// Output:
	// + promiscuous/vpp:GigabitEthernet0/8/0, unverified
	// + rx-queue/vpp:GigabitEthernet0/8/0 0, unverified
	// 2 to create
	// 2 <nil>
}
