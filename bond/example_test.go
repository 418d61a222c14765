// SPDX-License-Identifier: Apache-2.0

package bond_test

import (
	"context"
	"fmt"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Two NICs of the machine become one uplink.
func Example() {
	vpp, err := vpptest.Start(vpptest.WithInterface("GigabitEthernet0/8/0"), vpptest.WithInterface("GigabitEthernet0/9/0"))
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

	nic8, nic9 := vppnet.Foreign("GigabitEthernet0/8/0"), vppnet.Foreign("GigabitEthernet0/9/0")
	nics := vppnet.ClaimInterfaces(func(name string) bool { return name == nic8 || name == nic9 })
	engine := desiredstate.New(bond.Bonds(c), bond.Members(c), vppnet.LinkStates(c, nics), vppnet.SubInterfaces(c))
	_, err = engine.Ensure(ctx,
		bond.Bond{Name: "uplink", Mode: bond.LACP, Balance: bond.L34},
		bond.Member{Bond: "uplink", Interface: nic8},
		bond.Member{Bond: "uplink", Interface: nic9},
		vppnet.LinkState{Interface: nic8, Up: true},
		vppnet.LinkState{Interface: nic9, Up: true},
		vppnet.LinkState{Interface: "uplink", Up: true},
	)
	fmt.Println(err)
	_, err = engine.Ensure(ctx, vppnet.SubInterface{Name: "vlan7", Parent: nic8, Outer: 7})
	fmt.Println(err)

	vpp.Partner("GigabitEthernet0/8/0", true) // the switch speaks LACP on one of the wires
	states, err := bond.States(ctx, c)
	for _, s := range states {
		fmt.Println(s.Bond, s.Interface, "active:", s.Active, s.Partner.State)
	}
	fmt.Println(err)

	// Output:
	// <nil>
	// blocked interface/vlan7: conflict: bond-member/vpp:GigabitEthernet0/8/0 holds interface-use/vpp:GigabitEthernet0/8/0
	// uplink vpp:GigabitEthernet0/8/0 active: true activity,short-timeout,aggregation,synchronization,collecting,distributing
	// uplink vpp:GigabitEthernet0/9/0 active: false short-timeout
	// <nil>
}
