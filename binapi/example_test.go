// SPDX-License-Identifier: Apache-2.0

package binapi_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/vppkit/vppkit/binapi"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// An agent goes on with what the connected VPP can do.
func ExampleCheck() {
	vpp, err := vpptest.Start(vpptest.WithoutPlugin("vhost"))
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

	kinds := []desiredstate.AnyKind{vppnet.BridgeDomains(c), vhost.Ports(c, "/run/vms")}
	report := binapi.Check(c, kinds...)
	fmt.Println(errors.Is(report.Err(), binapi.ErrIncompatible))
	for _, m := range report.Missing {
		if m.Name == "create_vhost_user_if_v2" {
			fmt.Println(m.Kinds, "for want of plugin", m.Plugin)
		}
	}
	engine := desiredstate.New(report.Available(kinds...)...)
	done, err := engine.Ensure(ctx, vppnet.BridgeDomain{Name: "blue"})
	fmt.Println(len(done), err)

	// Output:
	// true
	// [vhost-port] for want of plugin vhost
	// 1 <nil>
}
