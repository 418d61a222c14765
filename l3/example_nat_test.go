// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A router's NAT: its hosts share an address, and one of them has a floating IP,
// which then goes to another.
func ExampleNATMappings() {
	ctx := context.Background()
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "node1")
	if err != nil {
		panic(err)
	}
	defer c.Close()
	const variant = l3.EndpointIndependent // so that connections outlive a failover
	e := desiredstate.New(vppnet.Loopbacks(c), l3.NATs(c, variant), l3.NATInterfaces(c, variant),
		l3.NATAddresses(c, variant, netip.MustParsePrefix("203.0.113.0/24")), l3.NATMappings(c, variant))

	for _, host := range []string{"192.168.1.11", "192.168.1.12"} {
		plan, err := e.Plan(ctx,
			vppnet.Loopback{Name: "tenant-gw"}, vppnet.Loopback{Name: "ext"}, // a real one would be a NIC's VLAN
			l3.NAT{},
			l3.NATInterface{Interface: "tenant-gw", Inside: true},
			l3.NATInterface{Interface: "ext", Outside: true},
			l3.NATAddress{Address: netip.MustParseAddr("203.0.113.101"), AnyTable: true},
			l3.NATMapping{Name: "fip1", Local: netip.MustParseAddr(host), External: netip.MustParseAddr("203.0.113.102")},
		)
		if err != nil {
			panic(err)
		}
		fmt.Println(plan)
		if _, err := e.Apply(ctx, plan); err != nil {
			panic(err)
		}
	}
	// Output:
	// + interface/ext (loopback)
	// + interface/tenant-gw (loopback)
	// + nat/nat44
	// + nat-address/203.0.113.101
	// + nat-interface/ext
	// + nat-interface/tenant-gw
	// + nat-mapping/fip1
	// 7 to create
	//
	// ± nat-mapping/fip1, disturbs sessions
	//       Local: 192.168.1.11 -> 192.168.1.12
	// 1 to replace, 6 as wanted
}
