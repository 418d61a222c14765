// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What VPP has of two bridge domains, in one round trip. Of hundreds, all that VPP has would be
// read, where that costs it less.
func ExampleNewSweep() {
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
	if _, err := vppnet.BridgeDomains(c).Ensure(ctx, vppnet.BridgeDomain{Name: "one", ID: 1}, vppnet.BridgeDomain{Name: "two", ID: 2}); err != nil {
		panic(err)
	}

	sweep := vppnet.NewSweep(func(id uint32) api.Message {
		return &l2.BridgeDomainDump{BdID: id, SwIfIndex: interface_types.InterfaceIndex(vppnet.Everything)}
	})
	found, err := vppnet.Swept[*l2.BridgeDomainDetails](sweep.Ask(ctx, c, 1, 2, 3))
	for _, b := range found {
		fmt.Println(b.BdID, b.BdTag)
	}
	fmt.Println(err)

	// Output:
	// 1 node1/one
	// 2 node1/two
	// <nil>
}
