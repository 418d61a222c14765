// SPDX-License-Identifier: Apache-2.0

package classify_test

import (
	"context"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What a subscriber sends from his address is measured, and nobody sends from any other.
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

	const source = 26 // where IPv4 has it, behind an Ethernet header
	mask := classify.At(source, 255, 255, 255, 255)
	engine := desiredstate.New(vppnet.Loopbacks(c), qos.Policers(c),
		classify.Tables(c), classify.Sessions(c, qos.Policers(c)), classify.Inputs(c))
	plan, err := engine.Plan(ctx,
		vppnet.Loopback{Name: "access"},
		qos.Policer{Name: "basic", Rate: 10_000, Burst: 100_000, Conform: qos.Transmit},
		classify.Table{Name: "rates", Mask: mask, Sessions: 1000},
		classify.Session{Table: "rates", Match: classify.At(source, 10, 0, 0, 1), Policer: "basic"},
		classify.Input{Interface: "access", Use: classify.Police, Table: "rates"},
		classify.Table{Name: "known", Mask: mask, Sessions: 1000, Deny: true},
		classify.Session{Table: "known", Match: classify.At(source, 10, 0, 0, 1)},
		classify.Input{Interface: "access", Table: "known"})
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	report, err := engine.Apply(ctx, plan)
	fmt.Println(report.Changed(), err)

	// Output:
	// + classify-input/access filter IPv4
	// + classify-input/access police IPv4
	// + classify-session/known 26:0a000001
	// + classify-session/rates 26:0a000001
	// + classify-table/known
	// + classify-table/rates
	// + interface/access (loopback)
	// + policer/basic
	// 8 to create
	// 8 <nil>
}
