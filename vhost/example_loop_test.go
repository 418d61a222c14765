// SPDX-License-Identifier: Apache-2.0

package vhost_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A loop of one's own over kept kinds, one call after the other: each kind knows what the
// others on the Conn have done, and takes nothing of it apart unasked.
func Example_loop() {
	ctx := context.Background()
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "mine")
	if err != nil {
		panic(err)
	}
	defer c.Close()

	bridges, ports := vppnet.BridgeDomains(c), vhost.Ports(c, "/run/vms")
	bridgePorts, links := vppnet.BridgePorts(c), vppnet.LinkStates(c)
	for i := range 100 {
		vm := fmt.Sprint("vm", i)
		_, bridge := bridges.Ensure(ctx, vppnet.BridgeDomain{Name: "net"})
		_, port := ports.Ensure(ctx, vhost.Port{Name: vm, Socket: "/run/vms/" + vm})
		_, member := bridgePorts.Ensure(ctx, vppnet.BridgePort{Bridge: "net", Interface: vm})
		_, link := links.Ensure(ctx, vppnet.LinkState{Interface: vm, Up: true})
		if err := errors.Join(bridge, port, member, link); err != nil {
			panic(err)
		}
	}

	// Another socket is another interface. It is in its bridge domain, and up, all the same.
	report, err := ports.Ensure(ctx, vhost.Port{Name: "vm7", Socket: "/run/vms/seven"})
	for _, r := range report {
		fmt.Println(r.Action, r.Key)
	}
	fmt.Println(err)
	_, err = ports.Remove(ctx, vhost.Port{Name: "vm7"})
	fmt.Println(err)

	everything := desiredstate.New(bridges, ports, bridgePorts, links)
	plan, err := everything.PlanRemove(ctx, vppnet.InterfaceKey("vm7"), vppnet.BridgePortKey("vm7"), vppnet.LinkKey("vm7"))
	fmt.Print(plan)
	if err != nil {
		fmt.Println(err)
	}

	// Output:
	// ± bridge-port/vm7
	// ± interface/vm7
	// ± link/vm7
	// <nil>
	// blocked interface/vm7: in use by bridge-port/vm7, link/vm7
	// - bridge-port/vm7
	// - interface/vm7 (vhost-port)
	// - link/vm7
	// 3 to delete
}
