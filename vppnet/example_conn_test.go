// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Every generated client works on a Conn. What a kind makes is tagged with the
// owner, and so is found again after a restart of this process.
func ExampleDial() {
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
	if _, err := vppnet.BridgeDomains(c).Ensure(ctx, vppnet.BridgeDomain{Name: "blue"}); err != nil {
		panic(err)
	}

	client := l2.NewServiceClient(c)
	bridges, err := vppnet.Collect[*l2.BridgeDomainDetails](client.BridgeDomainDump(ctx, &l2.BridgeDomainDump{BdID: ^uint32(0), SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	for _, b := range bridges {
		fmt.Println(b.BdTag, err)
	}
	_, err = client.BridgeDomainAddDelV2(ctx, &l2.BridgeDomainAddDelV2{BdID: 77})
	fmt.Println(err)
	fmt.Println(errors.Is(err, api.NO_SUCH_ENTRY))

	// Output:
	// node1/blue <nil>
	// bridge_domain_add_del_v2: VPPApiError: No such entry (-6)
	// true
}

// Bridge domains of ours and of others, read by number: few one by one, many together with all
// others.
func ExampleSweep() {
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
	blue, err := vppnet.BridgeDomains(c).Ensure(ctx, vppnet.BridgeDomain{Name: "blue"})
	if err != nil {
		panic(err)
	}

	bridges := vppnet.NewSweep(func(id uint32) api.Message {
		return &l2.BridgeDomainDump{BdID: id, SwIfIndex: ^interface_types.InterfaceIndex(0)}
	})
	found, err := vppnet.Swept[*l2.BridgeDomainDetails](bridges.Ask(ctx, c, blue[0].ID, 4711))
	if err != nil {
		panic(err)
	}
	for _, b := range found {
		fmt.Println(b.BdTag)
	}

	// Output:
	// node1/blue
}
