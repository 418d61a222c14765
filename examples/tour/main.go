// SPDX-License-Identifier: Apache-2.0

// Tour shows in a few seconds what vppkit does, on a VPP in memory: it plans and applies, repairs
// what somebody else breaks, survives the VPP, and takes away what is its own, and nothing else.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/pretty"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func main() {
	if err := tour(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

// wanted is a network with two VMs.
func wanted() []desiredstate.Object {
	out := []desiredstate.Object{vppnet.BridgeDomain{Name: "net1", ID: 7}}
	for _, vm := range []string{"vm1", "vm2"} {
		out = append(out,
			vhost.Port{Name: vm, Socket: "/run/vms/" + vm}, // only named: the in-memory VPP opens none
			vppnet.BridgePort{Bridge: "net1", Interface: vm},
			vppnet.LinkState{Interface: vm, Up: true, After: []desiredstate.Key{vppnet.BridgePortKey(vm)}})
	}
	return out
}

func dial(ctx context.Context, vpp *vpptest.VPP) (*vppnet.Conn, *desiredstate.Engine, error) {
	c, err := vppnet.Dial(ctx, vpp.Socket(), "tour")
	if err != nil {
		return nil, nil, err
	}
	return c, desiredstate.New(vppnet.BridgeDomains(c), vhost.Ports(c, "/run/vms"), vppnet.BridgePorts(c), vppnet.LinkStates(c)), nil
}

func tour(ctx context.Context, out io.Writer) error {
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	say := func(format string, args ...any) { fmt.Fprintf(out, "\n# "+format+"\n\n", args...) }
	vpp, err := vpptest.Start()
	if err != nil {
		return err
	}
	defer func() { _ = vpp.Close() }()
	c, e, err := dial(ctx, vpp)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()

	say("A network and two VMs are wanted. What would be done:")
	if err := apply(ctx, e, out, wanted()...); err != nil {
		return err
	}
	say("All is there now; a second run has nothing to do:")
	if err := apply(ctx, e, out, wanted()...); err != nil {
		return err
	}

	say("Somebody takes vm2 out of its network, by VPP's CLI as it were. It is seen, and mended:")
	if err := vandalize(ctx, c, e); err != nil {
		return err
	}
	e.Forget() // Run looks by itself, from time to time
	if err := apply(ctx, e, out, wanted()...); err != nil {
		return err
	}

	say("VPP crashes and starts again, empty. All of it is made anew:")
	if err := vpp.Restart(); err != nil {
		return err
	}
	again, e, err := dial(ctx, vpp)
	if err != nil {
		return err
	}
	defer func() { _ = again.Close() }()
	if err := apply(ctx, e, out, wanted()...); err != nil {
		return err
	}

	say("vm1 is wanted no more. What hung on it goes first:")
	less := wanted()
	return apply(ctx, e, out, append(less[:1:1], less[4:]...)...)
}

// apply shows a plan, and carries it out.
func apply(ctx context.Context, e *desiredstate.Engine, out io.Writer, want ...desiredstate.Object) error {
	plan, err := e.Plan(ctx, want...)
	if err != nil {
		return err
	}
	if err := pretty.Plan(out, plan); err != nil {
		return err
	}
	_, err = e.Apply(ctx, plan)
	return err
}

// vandalize does what the engine knows nothing of.
func vandalize(ctx context.Context, c *vppnet.Conn, e *desiredstate.Engine) error {
	vm, err := e.ID(vppnet.InterfaceKey("vm2"))
	if err != nil {
		return err
	}
	bridge, err := e.ID(vppnet.BridgeKey("net1"))
	if err != nil {
		return err
	}
	c.Uses(&l2.SwInterfaceSetL2Bridge{})
	_, err = l2.NewServiceClient(c).SwInterfaceSetL2Bridge(ctx, &l2.SwInterfaceSetL2Bridge{
		RxSwIfIndex: interface_types.InterfaceIndex(vm), BdID: bridge,
	})
	return err
}
