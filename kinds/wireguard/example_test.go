// SPDX-License-Identifier: Apache-2.0

package wireguard_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/kinds/wireguard"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// An interface, and one peer that has 10.9.0.0/16 behind it.
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

	private := wireguard.NewPrivateKey() // to be kept
	public, err := wireguard.ParsePublicKey("8PXJ9f5M0dWmT2Fj3mS6tq8hNl4zS7uYw2KJvQ3rXkE=")
	if err != nil {
		panic(err)
	}
	wan := wireguard.Interface{Name: "wan", PrivateKey: private, Src: netip.MustParseAddr("192.0.2.1"), Port: 51820}
	engine := desiredstate.New(wireguard.Interfaces(c), wireguard.Peers(c), vppnet.LinkStates(c))
	plan, err := engine.Plan(ctx, wan,
		wireguard.Peer{
			Interface: "wan", PublicKey: public, Endpoint: netip.MustParseAddrPort("198.51.100.7:51820"),
			AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}, Keepalive: 25 * time.Second,
		},
		vppnet.LinkState{Interface: "wan", Up: true})
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	report, err := engine.Apply(ctx, plan)
	fmt.Println(report.Changed(), err)
	fmt.Println(wan.PrivateKey)

	// Output:
	// + interface/wan (wireguard)
	// + link/wan
	// + wireguard-peer/8PXJ9f5M0dWmT2Fj3mS6tq8hNl4zS7uYw2KJvQ3rXkE=
	// 3 to create
	// 3 <nil>
	// (secret)
}
