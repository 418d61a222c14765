// SPDX-License-Identifier: Apache-2.0

package kindrig

import (
	"context"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// DryRun is what Examples of kinds have in common: it prints what an engine of these kinds would
// do to a VPP in memory, does it, and prints whether that went well.
func DryRun(kinds func(*vppnet.Conn) []desiredstate.AnyKind, want ...desiredstate.Object) {
	DryRunOn(nil, kinds, want...)
}

// DryRunOn is DryRun on a VPP that was started with options.
func DryRunOn(options []vpptest.Option, kinds func(*vppnet.Conn) []desiredstate.AnyKind, want ...desiredstate.Object) {
	vpp, err := vpptest.Start(options...)
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
	engine := desiredstate.New(kinds(c)...)
	plan, err := engine.Plan(ctx, want...)
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	_, err = engine.Apply(ctx, plan)
	fmt.Println("error:", err)
}
