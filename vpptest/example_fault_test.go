// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"go.fd.io/govpp"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/vpptest"
)

// A unit test with faults: a client that gives up at the first refusal is found out. The Proxy
// could stand before a real VPP, too; in a test, NewProxy ends it with the test.
func ExampleStartProxy() {
	vpp, err := vpptest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer vpp.Close()
	proxy, err := vpptest.StartProxy(vpp.Socket())
	if err != nil {
		log.Fatal(err)
	}
	defer proxy.Close()

	conn, err := govpp.Connect(proxy.Socket())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Disconnect()
	add := func() error {
		_, err := l2.NewServiceClient(conn).BridgeDomainAddDelV2(context.Background(), &l2.BridgeDomainAddDelV2{BdID: 7, IsAdd: true})
		return err
	}

	proxy.Inject(vpptest.Fault{Message: "bridge_domain_add_del_v2", Kind: vpptest.Refuse, Retval: int32(api.TABLE_TOO_BIG)})
	fmt.Println("refused:", errors.Is(add(), api.TABLE_TOO_BIG))
	fmt.Println("the next time:", add())
	fmt.Println(proxy.Writes(), "requests")
	fmt.Print(vpp)

	// Output:
	// refused: true
	// the next time: <nil>
	// 2 requests
	// interface 0 local0 local mtu 0 [0 0 0 0]
	// bridge-domain 7 BRIDGE_API_FLAG_NONE age 0
}
