// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A port lets out what it sends as itself, and answers; from outside one port
// is open. Its link comes up behind that.
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
		acl.Sets(c), acl.Bindings(c), acl.MACIPSets(c), acl.MACIPBindings(c))

	bridged := []desiredstate.Key{vppnet.BridgePortKey("vm1")}
	addr := netip.MustParseAddr("10.0.0.7")
	want := func(port uint16) []desiredstate.Object {
		return []desiredstate.Object{
			vppnet.Loopback{Name: "vm1"},
			vppnet.BridgeDomain{Name: "net"},
			vppnet.BridgePort{Bridge: "net", Interface: "vm1"},
			acl.Set{Name: "out", Rules: []acl.Rule{{Action: acl.PermitReflect, Family: acl.IPv4}}},
			acl.Set{Name: "web", Rules: []acl.Rule{
				{Action: acl.PermitReflect, Family: acl.IPv4, Protocol: acl.TCP, DstPorts: acl.Only(port)},
			}},
			acl.Binding{Interface: "vm1", Input: []string{"out"}, Output: []string{"web"}, After: bridged},
			acl.MACIPSet{Name: "vm1", Rules: []acl.MACIPRule{
				{Action: acl.Permit, MAC: vppnet.MAC{2, 0, 0, 0, 0, 7}, Src: netip.PrefixFrom(addr, 32)},
			}},
			acl.MACIPBinding{Interface: "vm1", Set: "vm1", After: bridged},
			vppnet.LinkState{Interface: "vm1", Up: true, After: append(bridged, acl.BindingKey("vm1"), acl.MACIPBindingKey("vm1"))},
		}
	}
	for _, port := range []uint16{80, 443} {
		plan, err := e.Plan(ctx, want(port)...)
		if err != nil {
			panic(err)
		}
		fmt.Println(plan)
		if _, err := e.Apply(ctx, plan); err != nil {
			panic(err)
		}
	}
	// Output:
	// + acl/out
	// + acl/web
	// + acl-binding/vm1
	// + bridge-domain/net
	// + bridge-port/vm1
	// + interface/vm1 (loopback)
	// + link/vm1
	// + macip-acl/vm1
	// + macip-binding/vm1
	// 9 to create
	//
	// ~ acl/web, disturbs sessions
	//       Rules[0]: permit+reflect ip4 tcp from any to any port 80 -> permit+reflect ip4 tcp from any to any port 443
	// 1 to update, 8 as wanted
}
