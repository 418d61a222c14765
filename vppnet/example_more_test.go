// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"fmt"
	"time"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// An address that is always behind one port, and one that nobody may send to.
func ExampleFIBEntries() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.BridgeDomains(c), vppnet.Loopbacks(c), vppnet.BridgePorts(c), vppnet.FIBEntries(c)}
	},
		vppnet.BridgeDomain{Name: "net1", NoLearn: true},
		vppnet.Loopback{Name: "vm1"},
		vppnet.BridgePort{Bridge: "net1", Interface: "vm1"},
		vppnet.FIBEntry{Bridge: "net1", MAC: vppnet.MAC{2, 0, 0, 0, 0, 1}, Interface: "vm1"},
		vppnet.FIBEntry{Bridge: "net1", MAC: vppnet.MAC{2, 0, 0, 0, 0, 2}, Filter: true},
	)

	// Output:
	// + bridge-domain/net1
	// + bridge-port/vm1
	// + interface/vm1 (loopback)
	// + l2-fib/net1 02:00:00:00:00:01
	// + l2-fib/net1 02:00:00:00:00:02
	// 5 to create
	// error: <nil>
}

// VPP sends and receives by a device of Linux, such as one end of a veth pair.
func ExampleHostInterfaces() {
	devices := []vpptest.Option{vpptest.WithHostDevice("eth1")}
	kindrig.DryRunOn(devices, func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.HostInterfaces(c), vppnet.LinkStates(c)}
	},
		vppnet.HostInterface{Name: "host", Device: "eth1"},
		vppnet.LinkState{Interface: "host", Up: true},
	)

	// Output:
	// + interface/host (host-interface)
	// + link/host
	// 2 to create
	// error: <nil>
}

// All interfaces, whoever's they are, by name. Nothing is changed by an engine that only knows
// them.
func ExampleInterfaces() {
	ctx := context.Background()
	vpp, err := vpptest.Start(vpptest.WithInterface("GigabitEthernet0/8/0"))
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	for _, owner := range []string{"node2", "node1"} {
		c, err := vppnet.Dial(ctx, vpp.Socket(), owner)
		if err != nil {
			panic(err)
		}
		defer c.Close()
		if _, err := vppnet.Loopbacks(c).Ensure(ctx, vppnet.Loopback{Name: "lo"}); err != nil {
			panic(err)
		}
		if owner == "node1" {
			all, err := desiredstate.List[vppnet.Interface](ctx, desiredstate.New(vppnet.Interfaces(c)))
			for _, i := range all {
				fmt.Println(i.Spec.Name, "foreign:", i.Foreign)
			}
			fmt.Println(err)
		}
	}

	// Output:
	// vpp:local0 foreign: true
	// vpp:GigabitEthernet0/8/0 foreign: true
	// node2/lo foreign: true
	// lo foreign: false
	// <nil>
}

// What is wanted outlives each VPP: the next one gets it, too.
func ExampleFollow() {
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()

	store := desiredstate.NewStore()
	if err := store.Put(vppnet.BridgeDomain{Name: "net1"}, vppnet.BridgeDomain{Name: "net2"}); err != nil {
		panic(err)
	}
	store.Complete() // all is put in: what is ours and not wanted may go

	lives := 0
	err = vppnet.Follow(ctx, vpp.Socket(), "node1", func(ctx context.Context, c *vppnet.Conn) error {
		lives++
		ctx, enough := context.WithCancel(ctx)
		go func() { // the rest of a program, which waits for what it needs
			fmt.Println("life", lives, "has all:", store.Wait(ctx))
			if lives == 1 {
				_ = vpp.Restart() // as after a crash, it is empty
			} else {
				enough()
				stop()
			}
		}()
		return desiredstate.New(vppnet.BridgeDomains(c)).Run(ctx, store, time.Minute)
	})
	fmt.Println(err)

	// Output:
	// life 1 has all: <nil>
	// life 2 has all: <nil>
	// context canceled
}

// Two components of a program share a connection and divide a kind between them by names:
// neither removes what is the other's, and each may refer to it.
func ExampleConn_Target() {
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

	component := func(prefix string) *desiredstate.Engine {
		bridges := vppnet.BridgeDomains(c)
		bridges.Claims = func(k desiredstate.Key) bool { return k.Name[:1] == prefix }
		e := desiredstate.New(bridges)
		e.MaxPrune = 1 // so that nothing at all can be wanted
		return e
	}
	a, b := component("a"), component("b")
	for _, step := range []struct {
		who  *desiredstate.Engine
		want []desiredstate.Object
	}{
		{a, []desiredstate.Object{vppnet.BridgeDomain{Name: "a1"}}},
		{b, []desiredstate.Object{vppnet.BridgeDomain{Name: "b1"}}},
		{a, nil},
		{a, []desiredstate.Object{vppnet.BridgeDomain{Name: "b2"}}},
	} {
		r, err := step.who.Sync(ctx, step.want...)
		for _, x := range r {
			fmt.Print(x.Action, " ", x.Key, "; ")
		}
		fmt.Println(err)
	}

	// Output:
	// + bridge-domain/a1; <nil>
	// + bridge-domain/b1; <nil>
	// - bridge-domain/a1; <nil>
	// ? bridge-domain/b2; blocked bridge-domain/b2: not ours: it is another component's; its kind claims others here
}

// promiscuity is an option of an interface that VPP shows nobody.
type promiscuity struct{ Interface string }

func (p promiscuity) Key() desiredstate.Key {
	return desiredstate.Key{Space: "promiscuity", Name: p.Interface}
}

func (p promiscuity) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(p.Interface)}
}

func (p promiscuity) Validate() error { return vppnet.CheckRef("interface", p.Interface) }

// promiscuities is a kind of one's own that VPP cannot be asked about: it is applied once in the
// life of each VPP. To be told twice does no harm.
func promiscuities(c *vppnet.Conn, m *vppnet.Memory) *desiredstate.Kind[promiscuity] {
	client := interfaces.NewServiceClient(c)
	set := func(ctx context.Context, id uint32, on bool) error {
		_, err := client.SwInterfaceSetPromisc(ctx, &interfaces.SwInterfaceSetPromisc{
			SwIfIndex: interface_types.InterfaceIndex(id), PromiscOn: on,
		})
		return err
	}
	return vppnet.Remembered(c, m, &desiredstate.Kind[promiscuity]{
		Name:     "promiscuity",
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c)},
		Messages: c.Uses(&interfaces.SwInterfaceSetPromisc{}),
		Create: func(ctx context.Context, v *desiredstate.View, p promiscuity) (uint32, error) {
			id, err := v.ID(vppnet.InterfaceKey(p.Interface))
			if err != nil {
				return 0, err
			}
			return id, set(ctx, id, true)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[promiscuity]) error {
			return vppnet.Gone(set(ctx, have.ID, false), api.INVALID_SW_IF_INDEX)
		},
	})
}

// What no dump shows is remembered as long as the program lives, and said to be unverified.
func ExampleRemembered() {
	ctx := context.Background()
	vpp, err := vpptest.Start(vpptest.WithInterface("GigabitEthernet0/8/0"))
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	vpptest.Handle(vpp, func(*vpptest.Call, *interfaces.SwInterfaceSetPromisc) *interfaces.SwInterfaceSetPromiscReply {
		return &interfaces.SwInterfaceSetPromiscReply{}
	})
	c, err := vppnet.Dial(ctx, vpp.Socket(), "node1")
	if err != nil {
		panic(err)
	}
	defer c.Close()

	var told vppnet.Memory // one for the whole program
	engine := desiredstate.New(promiscuities(c, &told))
	for range 2 {
		plan, err := engine.PlanEnsure(ctx, promiscuity{Interface: "vpp:GigabitEthernet0/8/0"})
		if err != nil {
			panic(err)
		}
		fmt.Print(plan)
		if _, err := engine.Apply(ctx, plan); err != nil {
			panic(err)
		}
	}

	// Output:
	// + promiscuity/vpp:GigabitEthernet0/8/0, unverified
	// 1 to create
	// 1 as wanted
}
