// SPDX-License-Identifier: Apache-2.0

package qos_test

import (
	"context"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A subscriber gets 10 Mbit/s; another rate changes in place.
func Example() {
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	ctx := context.Background()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "bng1")
	if err != nil {
		panic(err)
	}
	defer c.Close()

	var told vppnet.Memory // outlives connections
	engine := desiredstate.New(vppnet.Loopbacks(c), qos.Policers(c), qos.Attachments(c, &told))
	gold := qos.Policer{Name: "gold", Rate: 10_000, Burst: 125_000, Conform: qos.Transmit}
	_, err = engine.Ensure(ctx,
		vppnet.Loopback{Name: "subscriber"}, gold,
		qos.Attachment{Interface: "subscriber", Policer: "gold"},
		qos.Attachment{Interface: "subscriber", Policer: "gold", Output: true})
	fmt.Println(err)

	gold.Rate = 20_000
	report, err := engine.Ensure(ctx, gold)
	fmt.Println(report.Changed(), err)

	// Output:
	// <nil>
	// 1 <nil>
}

// The DSCP of packets that come in goes into the VLAN tag of those that go out.
func ExampleMarks() {
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	ctx := context.Background()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "pe1")
	if err != nil {
		panic(err)
	}
	defer c.Close()

	toVLAN := qos.EgressMap{ID: 7}
	for i := range toVLAN.IP {
		toVLAN.IP[i] = uint8(i) >> 5 // the class of a DSCP is a priority
	}
	ours := vppnet.Claims(func(number string) bool { return number == "7" })
	maps := qos.EgressMaps(c, ours)
	engine := desiredstate.New(vppnet.Loopbacks(c), qos.Records(c), maps, qos.Marks(c, maps))
	report, err := engine.Ensure(ctx,
		vppnet.Loopback{Name: "lan"}, vppnet.Loopback{Name: "wan"},
		qos.Record{Interface: "lan", Source: qos.IP}, toVLAN, qos.Mark{Interface: "wan", Source: qos.VLAN, Map: 7})
	fmt.Println(report.Changed(), err)

	// Output:
	// 5 <nil>
}
