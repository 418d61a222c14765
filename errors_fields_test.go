// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/kinds/dhcp"
	"github.com/vppkit/vppkit/kinds/linuxcp"
	"github.com/vppkit/vppkit/kinds/lldp"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/kinds/uplink"
	"github.com/vppkit/vppkit/kinds/wireguard"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

// fields are specs that say nothing, or too much: which field, and what is wanted.
func fields() map[string]refusal {
	return map[string]refusal{
		"a name that is too long, in bytes": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Loopbacks(c)) },
			objects(vppnet.Loopback{Name: strings.Repeat("a", 61)}),
			[]string{"name", "61 bytes", "at most 60", "VPP's tag"},
		},
		"a name with a letter that has two bytes": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Loopbacks(c)) },
			objects(vppnet.Loopback{Name: "ü"}),
			[]string{`name "ü" contains 'ü'`, "want letters"},
		},
		"a socket outside": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vhost.Ports(c, "/run/vms", "/run/more")) },
			objects(vhost.Port{Name: "vm1", Socket: "/tmp/vm1"}),
			[]string{"socket /tmp/vm1", "/run/vms or /run/more"},
		},
		"a socket, and no directory for any": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vhost.Ports(c)) },
			objects(vhost.Port{Name: "vm1", Socket: "/tmp/vm1"}),
			[]string{"socket /tmp/vm1", "was given no directory"},
		},
		"a socket that is too long, in bytes": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vhost.Ports(c, "/run")) },
			objects(vhost.Port{Name: "vm1", Socket: "/run/" + strings.Repeat("a", 103)}),
			[]string{"socket", "108 bytes", "at most 107"},
		},
		"a prefix with host bits": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Routes(c)) },
			objects(l3.Route{Prefix: prefix("10.0.0.1/8")}),
			[]string{"10.0.0.1/8 has host bits", "want 10.0.0.0/8"},
		},
		"an interface, which is found": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Interfaces(c)) },
			objects(vppnet.Interface{Name: "eth0"}),
			[]string{"want one of a kind that makes it"},
		},
		"a device with a name that Linux does not take": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.HostInterfaces(c)) },
			objects(vppnet.HostInterface{Name: "up", Device: "a device with spaces"}),
			[]string{`device "a device with spaces"`, "want 1 to 15"},
		},
		"a memif's socket outside": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.MemifSockets(c, "/run/memif")) },
			objects(vppnet.MemifSocket{Path: "/tmp/memif"}),
			[]string{"socket /tmp/memif is not in /run/memif"},
		},
		"a secret with a space": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Memifs(c)) },
			objects(vppnet.Memif{Name: "m", Socket: "/run/memif/s", Secret: vppnet.NewSecret("two words")}),
			[]string{"secret has bytes that are not printable ASCII, or spaces"},
		},
		"a tunnel to itself of another family": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.VXLANTunnels(c)) },
			objects(vppnet.VXLANTunnel{Name: "t", Src: addr("10.0.0.1"), Dst: addr("fd00::1")}),
			[]string{"from 10.0.0.1 to fd00::1: want two addresses of one family"},
		},
		"a session of what is no mirror": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.GRETunnels(c)) },
			objects(vppnet.GRETunnel{Name: "t", Src: addr("10.0.0.1"), Dst: addr("10.0.0.2"), Session: 7}),
			[]string{"only GREMirror has sessions"},
		},
		"a ring that is no power of two": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.TAPs(c)) },
			objects(vppnet.TAP{Name: "t", RxRing: 100}),
			[]string{"ring of 100 entries, want a power of two"},
		},
		"a pipe with a name of VPP's": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Pipes(c)) },
			objects(vppnet.Pipe{Name: "vpp:pipe0"}),
			[]string{`"vpp:" stands before VPP's name for what is not ours`},
		},
		"a bond without a mode": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(bond.Bonds(c)) },
			objects(bond.Bond{Name: "b"}),
			[]string{"mode", "want one of", "round-robin"},
		},
		"ports of what has none": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(acl.Sets(c)) },
			objects(acl.Set{Name: "web", Rules: []acl.Rule{{Family: acl.IPv4, Protocol: acl.ICMP, DstPorts: acl.Only(80)}}}),
			[]string{"rule 0", "VPP sees ports of TCP and UDP only"},
		},
		"no sources": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(acl.MACIPSets(c)) },
			objects(acl.MACIPSet{Name: "vm1"}),
			[]string{"0 rules, want 1 to"},
		},
		"sources by a set without a name": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Loopbacks(c), acl.MACIPBindings(c)) },
			objects(vppnet.Loopback{Name: "a"}, acl.MACIPBinding{Interface: "a"}),
			[]string{"set: name is empty"},
		},
		"an overlay's locators, without any": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(gpe.LocatorSets(c)) },
			objects(gpe.LocatorSet{Name: "s"}),
			[]string{"no locators"},
		},
		"a VNI that is too large": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(gpe.VNIs(c)) },
			objects(gpe.VNI{ID: 1 << 24, Bridge: "net"}),
			[]string{"VNI 16777216, want 1 to 16777215"},
		},
		"somebody elsewhere who is a MAC and a prefix": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(gpe.RemoteEIDs(c)) },
			objects(gpe.RemoteEID{VNI: 9, EID: gpe.EID{MAC: vppnet.MAC{2}, Prefix: prefix("10.0.0.0/8")}}),
			[]string{"EID has a MAC, 02:00:00:00:00:00, and a prefix, 10.0.0.0/8: want one"},
		},
		"ARP for an address of many": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(gpe.ARPEntries(c)) },
			objects(gpe.ARPEntry{Bridge: "net", Address: addr("224.0.0.1"), MAC: vppnet.MAC{2}}),
			[]string{`address "224.0.0.1", want a unicast one`},
		},
		"a policer by which nothing passes": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(qos.Policers(c)) },
			objects(qos.Policer{Name: "gold", Rate: 1000, Burst: 1000}),
			[]string{"is dropped: say what passes, as in Conform: Transmit"},
		},
		"a classifier's table with a mask that is too long": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(classify.Tables(c)) },
			objects(classify.Table{Name: "t", Mask: classify.At(0, slices.Repeat([]byte{1}, 96)...)}),
			[]string{"the mask has bits in 6 times 16 bytes, want at most 5"},
		},
		"a match beyond its mask": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(classify.Tables(c), classify.Sessions(c, qos.Policers(c)))
			},
			objects(classify.Table{Name: "t", Mask: classify.At(26, 0xff)}, classify.Session{Table: "t", Match: classify.At(26, 1, 2)}),
			[]string{"the match", "has bits that the mask", "of table t has not"},
		},
		"a DHCP client on what has no MAC": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.VXLANTunnels(c), dhcp.Clients(c)) },
			objects(vppnet.VXLANTunnel{Name: "t", Src: addr("10.0.0.1"), Dst: addr("10.0.0.2"), Payload: vppnet.Packets4}, dhcp.Client{Interface: "t"}),
			[]string{"has no MAC, so no frame can be sent by it: name one that is Ethernet"},
		},
		"LLDP with an address of the other family": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(lldp.Ports(c, new(vppnet.Memory))) },
			objects(lldp.Port{Interface: "a", IPv4: addr("fd00::1")}),
			[]string{"field IPv4: fd00::1 is not IPv4"},
		},
		"LLDP of a sub-interface": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(vppnet.Loopbacks(c), vppnet.SubInterfaces(c), lldp.Ports(c, new(vppnet.Memory)))
			},
			objects(vppnet.Loopback{Name: "a"}, vppnet.SubInterface{Name: "x", Parent: "a", Outer: 5}, lldp.Port{Interface: "x"}),
			[]string{"interface x is a sub-interface: LLDP is of its device: name its parent"},
		},
		"LLDP too rarely": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(lldp.AllSettings(c, new(vppnet.Memory))) },
			objects(lldp.Settings{Interval: 90 * time.Minute}),
			[]string{"interval 1h30m0s: want whole seconds, at most an hour"},
		},
		"a twin in Linux that VPP cannot make": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Loopbacks(c), linuxcp.Pairs(c)) },
			objects(vppnet.Loopback{Name: "a"}, linuxcp.Pair{Interface: "a", Device: "twin"}),
			[]string{"this Linux has no /dev/vhost-net, which twins need (modprobe vhost_net)"},
		},
		"a network namespace without a name": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(linuxcp.Namespaces(c, new(vppnet.Memory))) },
			objects(linuxcp.Namespace{}),
			[]string{"no name: leave the Namespace out for VPP's own"},
		},
		"a private key that is none": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(wireguard.Interfaces(c)) },
			objects(wireguard.Interface{Name: "wg", PrivateKey: vppnet.NewSecret("hunter2"), Src: addr("10.0.0.1"), Port: 51820}),
			[]string{"private key: want 32 bytes in base64"},
		},
		"a peer behind what is no WireGuard": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Loopbacks(c), wireguard.Peers(c)) },
			objects(vppnet.Loopback{Name: "a"}, wireguard.Peer{Interface: "a", PublicKey: wireguard.PublicKey{9}, AllowedIPs: []netip.Prefix{prefix("10.0.0.0/8")}}),
			[]string{"a is no WireGuard interface: name one that wireguard.Interfaces makes"},
		},
		"a peer with host bits": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(wireguard.Peers(c)) },
			objects(wireguard.Peer{Interface: "wg", PublicKey: wireguard.PublicKey{9}, AllowedIPs: []netip.Prefix{prefix("10.0.0.1/8")}}),
			[]string{"allowed prefix 10.0.0.1/8: want prefixes without host bits, each once"},
		},
		"a queue on a thread that there is not": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(uplink.Queues(c, new(uplink.Memory), vppnet.ClaimInterfaces(func(string) bool { return true })))
			},
			objects(uplink.Queue{Interface: "vpp:nic", Number: 9}),
			[]string{"interface vpp:nic has no queue 9: it has"},
		},
	}
}
