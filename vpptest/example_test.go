// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"context"
	"fmt"
	"log"

	"go.fd.io/govpp"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/urpf"

	"github.com/vppkit/vppkit/vpptest"
)

// Any client can be pointed at it; String shows what the client has done.
func Example() {
	vpp, err := vpptest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer vpp.Close()

	conn, err := govpp.Connect(vpp.Socket())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Disconnect()
	_, err = l2.NewServiceClient(conn).BridgeDomainAddDelV2(context.Background(),
		&l2.BridgeDomainAddDelV2{BdID: 7, IsAdd: true, Flood: true, BdTag: "tenant/blue"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(vpp)
	fmt.Println(vpp.Writes(), "write")
	// Output:
	// interface 0 local0 local mtu 0 [0 0 0 0]
	// bridge-domain 7 BRIDGE_API_FLAG_FLOOD age 0 tag "tenant/blue"
	// 1 write
}

// The messages of a plugin that is not built in are taught with their bindings.
func ExampleHandle() {
	vpp, err := vpptest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer vpp.Close()
	vpptest.Handle(vpp, func(c *vpptest.Call, q *urpf.UrpfUpdateV2) *urpf.UrpfUpdateV2Reply {
		if _, ok := c.Interface(uint32(q.SwIfIndex)); !ok {
			return &urpf.UrpfUpdateV2Reply{Retval: -2}
		}
		return &urpf.UrpfUpdateV2Reply{}
	})

	conn, err := govpp.Connect(vpp.Socket())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Disconnect()
	_, err = urpf.NewServiceClient(conn).UrpfUpdateV2(context.Background(), &urpf.UrpfUpdateV2{SwIfIndex: 77})
	fmt.Println(err)
	// Output: VPPApiError: Invalid sw_if_index (-2)
}
