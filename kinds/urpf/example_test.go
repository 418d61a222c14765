// SPDX-License-Identifier: Apache-2.0

package urpf_test

import (
	"context"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/kinds/urpf"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A customer sends only from addresses that are routed to them.
func Example() {
	vpp, err := vpptest.Start()
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

	engine := desiredstate.New(vppnet.Loopbacks(c), urpf.Checks(c))
	report, err := engine.Ensure(ctx,
		vppnet.Loopback{Name: "customer"},
		urpf.Check{Interface: "customer"},
		urpf.Check{Interface: "customer", IPv6: true, Loose: true})
	fmt.Println(report.Changed(), err)

	// Output:
	// 3 <nil>
}
