// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A tenant's router: a gateway in its network, and a default route by two uplinks,
// of which the first takes three flows of four. One uplink fails.
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
	e := desiredstate.New(vppnet.Loopbacks(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.LinkStates(c),
		l3.Tables(c), l3.Memberships(c), l3.Addresses(c), l3.Routes(c))

	gateway := l3.Gateway{
		Name: "tenant-gw", Bridge: "net", Table: "tenant",
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")},
	}
	want := append(gateway.Objects(),
		l3.Table{Name: "tenant", NoIPv6: true},
		vppnet.BridgeDomain{Name: "net"},
		vppnet.Loopback{Name: "up1"}, // a real one would be a NIC's VLAN
		vppnet.Loopback{Name: "up2"},
	)
	way := func(n int, weight uint8) l3.Path {
		return l3.Path{Interface: fmt.Sprintf("up%d", n), NextHop: netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", n)), Weight: weight}
	}
	for _, paths := range [][]l3.Path{{way(1, 3), way(2, 1)}, {way(2, 1)}} {
		plan, err := e.Plan(ctx, append(want, l3.Route{Table: "tenant", Prefix: netip.MustParsePrefix("0.0.0.0/0"), Paths: paths})...)
		if err != nil {
			panic(err)
		}
		fmt.Println(plan)
		if _, err := e.Apply(ctx, plan); err != nil {
			panic(err)
		}
	}
	// Output:
	// + address/tenant-gw 10.0.0.1/24
	// + bridge-domain/net
	// + bridge-port/tenant-gw
	// + interface/tenant-gw (loopback)
	// + interface/up1 (loopback)
	// + interface/up2 (loopback)
	// + link/tenant-gw
	// + route/tenant 0.0.0.0/0
	// + table/tenant
	// + table-member/tenant-gw
	// 10 to create
	//
	// ~ route/tenant 0.0.0.0/0
	//       Paths[0]: 192.0.2.1 by up1, weight 3 -> (none)
	// 1 to update, 9 as wanted
}

// A machine that comes with another MAC, and does not say so, is found again within half a
// minute.
func ExampleNeighbourCaches() {
	ctx := context.Background()
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "example")
	if err != nil {
		panic(err)
	}
	defer c.Close()
	r, err := l3.NeighbourCaches(c).Ensure(ctx, l3.NeighbourCache{Age: 30 * time.Second}, l3.NeighbourCache{IPv6: true, Age: 30 * time.Second})
	if err != nil {
		panic(err)
	}
	for _, result := range r {
		fmt.Println(result.Key, result.Action)
	}
	// Output:
	// neighbour-cache/IPv4 +
	// neighbour-cache/IPv6 +
}
