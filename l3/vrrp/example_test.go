// SPDX-License-Identifier: Apache-2.0

package vrrp_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// One of two routers of a network, which becomes master.
func Example() {
	ctx := context.Background()
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "node1")
	if err != nil {
		panic(err)
	}
	defer c.Close()
	events, err := vrrp.Watch(ctx, c)
	if err != nil {
		panic(err)
	}
	e := desiredstate.New(vppnet.Loopbacks(c), vppnet.LinkStates(c), l3.Addresses(c), vrrp.Routers(c))

	own := l3.Address{Interface: "lan", Prefix: netip.MustParsePrefix("10.0.0.2/24")} // the other one has 10.0.0.3
	router := vrrp.Router{
		Interface: "lan", ID: 7, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, // the hosts' gateway
		Priority: 200, Interval: 500 * time.Millisecond, Accept: true,
		After: []desiredstate.Key{vppnet.LinkKey("lan"), own.Key()},
	}
	plan, err := e.Plan(ctx, vppnet.Loopback{Name: "lan"}, vppnet.LinkState{Interface: "lan", Up: true}, own, router)
	if err != nil {
		panic(err)
	}
	fmt.Println(plan)
	if _, err := e.Apply(ctx, plan); err != nil {
		panic(err)
	}
	vpp.Elect("loop0", 7, false, true) // a VPP in memory hears of no other, so it is told
	for event := range events {
		fmt.Println(event.Old, "->", event.New)
		if event.New == vrrp.Master {
			break
		}
	}
	// Output:
	// + address/lan 10.0.0.2/24
	// + interface/lan (loopback)
	// + link/lan
	// + virtual-router/lan ipv4 7
	// 4 to create
	//
	// stopped -> backup
	// backup -> master
}
