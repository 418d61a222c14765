// SPDX-License-Identifier: Apache-2.0

package nat_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A router's NAT: its hosts share an address, and one of them has a floating IP,
// which then goes to another.
func Example() {
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
	const variant = nat.EndpointIndependent // so that connections outlive a failover
	e := desiredstate.New(vppnet.Loopbacks(c), nat.Plugins(c, variant), nat.Interfaces(c, variant),
		nat.Addresses(c, variant, netip.MustParsePrefix("203.0.113.0/24")), nat.Mappings(c, variant))

	for _, host := range []string{"192.168.1.11", "192.168.1.12"} {
		plan, err := e.Plan(ctx,
			vppnet.Loopback{Name: "tenant-gw"}, vppnet.Loopback{Name: "ext"}, // a real one would be a NIC's VLAN
			nat.Plugin{},
			nat.Interface{Interface: "tenant-gw", Inside: true},
			nat.Interface{Interface: "ext", Outside: true},
			nat.Address{Address: netip.MustParseAddr("203.0.113.101"), AnyTable: true},
			nat.Mapping{Name: "fip1", Local: netip.MustParseAddr(host), External: netip.MustParseAddr("203.0.113.102")},
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
