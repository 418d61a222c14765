// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"fmt"
	"net/netip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
)

// A container's end of the wire is a slave that knows the secret.
func ExampleMemifs() {
	wire := vppnet.Memif{Name: "pod1", Socket: "/run/memif/pod1.sock", ID: 1, Secret: vppnet.NewSecret("between-us")}
	fmt.Println(wire.Secret)
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.MemifSockets(c, "/run/memif"), vppnet.Memifs(c), vppnet.LinkStates(c)}
	},
		vppnet.MemifSocket{Path: "/run/memif/pod1.sock"},
		wire,
		vppnet.LinkState{Interface: "pod1", Up: true},
	)

	// Output:
	// (secret)
	// + interface/pod1 (memif)
	// + link/pod1
	// + memif-socket//run/memif/pod1.sock
	// 3 to create
	// error: <nil>
}

// VPP's own socket is somebody else's, and has a number for a name.
func ExampleMemifSockets() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.MemifSockets(c, "/run/memif"), vppnet.Memifs(c)}
	},
		vppnet.MemifSocket{Path: "/run/memif/numbered.sock", ID: 7},
		vppnet.Memif{Name: "pod1", Socket: "/run/memif/numbered.sock"},
		vppnet.Memif{Name: "pod2", Socket: "vpp:0"},
	)

	// Output:
	// + interface/pod1 (memif)
	// + interface/pod2 (memif)
	// + memif-socket//run/memif/numbered.sock
	// 3 to create
	// error: <nil>
}

// A network that spans two hosts: a tunnel is a port of its bridge domain, in a group of its
// own, so that what comes in by a tunnel leaves by none.
func ExampleVXLANTunnels() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.VXLANTunnels(c), vppnet.LinkStates(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c)}
	},
		vppnet.VXLANTunnel{Name: "to-node2", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), VNI: 100},
		vppnet.LinkState{Interface: "to-node2", Up: true, After: []desiredstate.Key{vppnet.BridgePortKey("to-node2")}},
		vppnet.BridgeDomain{Name: "blue"},
		vppnet.BridgePort{Bridge: "blue", Interface: "to-node2", SplitHorizonGroup: 1},
	)

	// Output:
	// + bridge-domain/blue
	// + bridge-port/to-node2
	// + interface/to-node2 (vxlan-tunnel)
	// + link/to-node2
	// 4 to create
	// error: <nil>
}

// What a port receives and sends is copied to an analyser elsewhere: ERSPAN, session 7.
func ExampleMirrors() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), vppnet.GRETunnels(c), vppnet.LinkStates(c), vppnet.Mirrors(c)}
	},
		vppnet.Loopback{Name: "port"},
		vppnet.GRETunnel{Name: "analyser", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.9"), Type: vppnet.GREMirror, Session: 7},
		vppnet.LinkState{Interface: "analyser", Up: true},
		vppnet.Mirror{From: "port", To: "analyser"},
	)

	// Output:
	// + interface/analyser (gre-tunnel)
	// + interface/port (loopback)
	// + link/analyser
	// + mirror/port>analyser
	// 4 to create
	// error: <nil>
}

// A tunnel of frames is wired to a port, in both directions.
func ExampleGRETunnels() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), vppnet.GRETunnels(c), vppnet.CrossConnects(c)}
	},
		vppnet.Loopback{Name: "port"},
		vppnet.GRETunnel{Name: "far", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.9"), Type: vppnet.GREFrames},
		vppnet.CrossConnect{From: "port", To: "far"},
		vppnet.CrossConnect{From: "far", To: "port"},
	)

	// Output:
	// + bridge-port/far (cross-connect)
	// + bridge-port/port (cross-connect)
	// + interface/far (gre-tunnel)
	// + interface/port (loopback)
	// 4 to create
	// error: <nil>
}

// Two routers are in one network, though a bridge domain has one BVI: the second is in a
// bridge domain of its own, which a pipe joins to the other.
func ExamplePipes() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{
			vppnet.Loopbacks(c), vppnet.Pipes(c), vppnet.PipeEnds(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.LinkStates(c),
		}
	},
		vppnet.BridgeDomain{Name: "net"},
		vppnet.BridgeDomain{Name: "second"},
		vppnet.Loopback{Name: "router1"},
		vppnet.Loopback{Name: "router2"},
		vppnet.BridgePort{Bridge: "net", Interface: "router1", BVI: true},
		vppnet.BridgePort{Bridge: "second", Interface: "router2", BVI: true},
		vppnet.Pipe{Name: "pipe"},
		vppnet.PipeEnd{Name: "near", Pipe: "pipe"},
		vppnet.PipeEnd{Name: "far", Pipe: "pipe", Second: true},
		vppnet.BridgePort{Bridge: "net", Interface: "near"},
		vppnet.BridgePort{Bridge: "second", Interface: "far"},
		vppnet.LinkState{Interface: "pipe", Up: true},
		vppnet.LinkState{Interface: "near", Up: true, Parent: "pipe"},
		vppnet.LinkState{Interface: "far", Up: true, Parent: "pipe"},
	)

	// Output:
	// + bridge-domain/net
	// + bridge-domain/second
	// + bridge-port/far
	// + bridge-port/near
	// + bridge-port/router1
	// + bridge-port/router2
	// + interface/far (pipe-end)
	// + interface/near (pipe-end)
	// + interface/pipe (pipe)
	// + interface/router1 (loopback)
	// + interface/router2 (loopback)
	// + link/far
	// + link/near
	// + link/pipe
	// 14 to create
	// error: <nil>
}

// The other end is a port of a Linux bridge, as a hypervisor has it.
func ExampleTAPs() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.TAPs(c), vppnet.LinkStates(c)}
	},
		vppnet.TAP{Name: "vm1", GSO: true, Host: vppnet.TAPHost{Device: "tap-vm1", Bridge: "br-vm1", MTU: 1450}},
		vppnet.LinkState{Interface: "vm1", Up: true},
	)

	// Output:
	// + interface/vm1 (tap)
	// + link/vm1
	// 2 to create
	// error: <nil>
}
