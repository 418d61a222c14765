// SPDX-License-Identifier: Apache-2.0

package vhost_test

import (
	"context"
	"fmt"

	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A kind can be used by itself, without an engine of one's own.
func ExamplePorts() {
	vpp, err := vpptest.Start()
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

	ports := vhost.Ports(c, "/run/vms")
	port := vhost.Port{Name: "vm1", Socket: "/run/vms/vm1", Server: true}
	for range 2 {
		report, err := ports.Ensure(ctx, port)
		for _, r := range report {
			fmt.Println(r.Action, r.Key, "sw_if_index", r.ID, err)
		}
	}
	_, err = ports.Ensure(ctx, vhost.Port{Name: "vm2", Socket: "/etc/passwd", Server: true})
	fmt.Println(err)

	// Output:
	// + interface/vm1 sw_if_index 1 <nil>
	// = interface/vm1 sw_if_index 1 <nil>
	// blocked interface/vm2: invalid: socket /etc/passwd is not in /run/vms
}
