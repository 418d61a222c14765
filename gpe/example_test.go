// SPDX-License-Identifier: Apache-2.0

package gpe_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A network spans two VPPs: one MAC is here, one at the other end. Then the other one comes
// here, which is told before it is told that it has left there.
func Example() {
	vpp, err := vpptest.Start(vpptest.WithInterface("GigabitEthernet0/8/0"))
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

	nic := vppnet.Foreign("GigabitEthernet0/8/0")
	nics := vppnet.ClaimInterfaces(func(name string) bool { return name == nic })
	engine := desiredstate.New(
		gpe.Overlays(c), gpe.VNIs(c), gpe.LocatorSets(c), gpe.LocalEIDs(c), gpe.RemoteEIDs(c), gpe.ARPEntries(c),
		vppnet.BridgeDomains(c), vppnet.LinkStates(c, nics), l3.Addresses(c, nics))
	mine, theirs := gpe.MACEID(vppnet.MAC{2, 0, 0, 0, 0, 1}), gpe.MACEID(vppnet.MAC{2, 0, 0, 0, 0, 2})
	under := netip.MustParsePrefix("192.0.2.1/24")
	elsewhere := gpe.RemoteEID{VNI: 100, EID: theirs, Locators: []gpe.RemoteLocator{{Address: netip.MustParseAddr("198.51.100.2")}}}
	report, err := engine.Ensure(ctx,
		gpe.Overlay{},
		vppnet.LinkState{Interface: nic, Up: true},
		l3.Address{Interface: nic, Prefix: under},
		gpe.LocatorSet{Name: "uplink", Locators: []gpe.Locator{{Interface: nic}}, After: []desiredstate.Key{l3.AddressKey(nic, under)}},
		vppnet.BridgeDomain{Name: "net1"},
		gpe.VNI{ID: 100, Bridge: "net1"},
		gpe.LocalEID{VNI: 100, EID: mine, LocatorSet: "uplink"},
		elsewhere,
		gpe.ARPEntry{Bridge: "net1", Address: netip.MustParseAddr("10.0.0.2"), MAC: theirs.MAC},
	)
	fmt.Println(report.Changed(), err)

	here := gpe.LocalEID{VNI: 100, EID: theirs, LocatorSet: "uplink"}
	_, err = engine.Ensure(ctx, here)
	fmt.Println(err)
	_, err = engine.Remove(ctx, elsewhere.Key())
	fmt.Println(err)
	_, err = engine.Ensure(ctx, here)
	fmt.Println(err)

	// Output:
	// 9 <nil>
	// blocked gpe-local-eid/100-02:00:00:00:00:02: conflict: gpe-remote-eid/100-02:00:00:00:00:02 holds gpe-eid/100-02:00:00:00:00:02
	// <nil>
	// <nil>
}
