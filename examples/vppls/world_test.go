// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/kinds/dhcp"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/kinds/urpf"
	"github.com/vppkit/vppkit/kinds/wireguard"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/l3/nat66"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

var (
	prefix = netip.MustParsePrefix
	addr   = netip.MustParseAddr
)

// wants are some of what two owners have: of some kinds each, together of nearly all. The
// in-memory VPP has no tables of classifiers beside sets of MACs, which a VPP has.
func wants(dir string, memory bool) map[string][]desiredstate.Object {
	all := worldly(dir)
	for owner, objects := range all {
		all[owner] = slices.DeleteFunc(objects, func(o desiredstate.Object) bool {
			return memory && strings.HasPrefix(o.Key().Space, "macip")
		})
	}
	return all
}

func worldly(dir string) map[string][]desiredstate.Object {
	mac := func(n byte) vppnet.MAC { return vppnet.MAC{2, 0, 0, 0, 0, n} }
	bridged := []desiredstate.Key{vppnet.BridgePortKey("vm1")}
	loop := func(name string, n byte) vppnet.Loopback { return vppnet.Loopback{Name: name, MAC: mac(n)} }
	mine, theirs := gpe.MACEID(mac(90)), gpe.MACEID(mac(91))
	return map[string][]desiredstate.Object{
		"node1": {
			vhost.Port{Name: "vm1", Socket: dir + "/vm1.sock", Server: true, MAC: mac(1)},
			loop("uplink", 2), loop("probe", 3),
			vppnet.SubInterface{Name: "uplink.100", Parent: "uplink", Outer: 100, Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}},
			vppnet.BridgeDomain{Name: "net1", ID: 10},
			vppnet.BridgePort{Bridge: "net1", Interface: "vm1"},
			vppnet.BridgePort{Bridge: "net1", Interface: "uplink.100"},
			vppnet.FIBEntry{Bridge: "net1", Interface: "vm1", MAC: mac(50)},
			vppnet.LinkState{Interface: "uplink", Up: true},
			vppnet.LinkState{Interface: "vm1", Up: true, After: bridged},
			acl.Set{Name: "out", Rules: []acl.Rule{{Action: acl.PermitReflect, Family: acl.IPv4}}},
			acl.Binding{Interface: "vm1", Input: []string{"out"}, After: bridged},
			acl.MACIPSet{Name: "vm1", Rules: []acl.MACIPRule{{Action: acl.Permit, MAC: mac(50), Src: prefix("10.0.0.7/32")}}},
			acl.MACIPBinding{Interface: "vm1", Set: "vm1", After: bridged},
			acl.EtherTypes{Interface: "vm1", Input: []uint16{0x0806}},
			vppnet.Mirror{From: "vm1", To: "probe"},
			vppnet.Pipe{Name: "wire"},
			vppnet.PipeEnd{Name: "wire.a", Pipe: "wire"},
			gpe.Overlay{},
			gpe.VNI{ID: 100, Bridge: "net1"},
			gpe.LocatorSet{Name: "here", Locators: []gpe.Locator{{Interface: "uplink"}}},
			gpe.LocalEID{VNI: 100, EID: mine, LocatorSet: "here"},
			gpe.RemoteEID{VNI: 100, EID: theirs, Locators: []gpe.RemoteLocator{{Address: addr("198.51.100.2")}}},
			gpe.ARPEntry{Bridge: "net1", Address: addr("10.0.0.2"), MAC: theirs.MAC},
		},
		"node2": {
			loop("vm1", 11), loop("out", 12), loop("left", 13), loop("right", 14), loop("spare", 15), loop("edge", 16),
			l3.Table{Name: "red", ID: 7},
			l3.Membership{Interface: "vm1", Table: "red"},
			l3.Address{Interface: "vm1", Table: "red", Prefix: prefix("10.1.0.1/24")},
			l3.Address{Interface: "vm1", Table: "red", Prefix: prefix("2001:db8::1/64")},
			l3.Route{Table: "red", Prefix: prefix("10.9.0.0/16"), Paths: []l3.Path{{NextHop: addr("10.1.0.9"), Interface: "vm1"}}},
			l3.Route{Prefix: prefix("10.8.0.0/16")},
			l3.Neighbour{Interface: "vm1", IP: addr("10.1.0.9"), MAC: mac(60)},
			l3.NeighbourCache{Max: 1000},
			l3.RouterAdvertisement{Interface: "vm1", Address: prefix("2001:db8::1/64")},
			l3.ProxyARPRange{Table: "red", Low: addr("10.1.0.100"), High: addr("10.1.0.200")},
			l3.ProxyARP{Interface: "vm1"},
			l3.DHCPRelay{Table: "red", Source: addr("10.1.0.1"), Servers: []l3.DHCPServer{{Addr: addr("192.0.2.5")}}},
			l3.MSSClamp{Interface: "vm1", IPv4: l3.Clamp{MSS: 1360}},
			vrrp.Router{Interface: "vm1", Table: "red", ID: 5, Addresses: []netip.Addr{addr("10.1.0.254")}, Stopped: true},
			vppnet.LinkState{Interface: "vm1", Up: true},
			vppnet.LinkState{Interface: "out", Up: true},
			l3.Address{Interface: "out", Prefix: prefix("192.0.2.1/24")},
			l3.Unnumbered{Interface: "edge", Lender: "out"},
			vppnet.CrossConnect{From: "left", To: "right"},
			l3.CrossConnect{Interface: "spare", Paths: []l3.Path{{NextHop: addr("192.0.2.9"), Interface: "out"}}},
			vppnet.VXLANTunnel{Name: "vx", Src: addr("192.0.2.1"), Dst: addr("192.0.2.77"), VNI: 33},
			vppnet.GRETunnel{Name: "gre", Src: addr("192.0.2.1"), Dst: addr("192.0.2.78")},
			nat.Plugin{},
			nat.Interface{Interface: "vm1", Table: "red", Inside: true},
			nat.Interface{Interface: "out", Outside: true},
			nat.Address{Address: addr("203.0.113.1"), Table: "red"},
			nat.Mapping{Name: "fip", Table: "red", Local: addr("10.1.0.9"), External: addr("203.0.113.2")},
			l3.Table{Name: "blue", ID: 8},
			nat.Exit{Table: "blue", To: []string{"red"}},
			nat.Identity{Name: "self", Table: "red", Address: addr("10.1.0.8")},
			qos.Policer{Name: "gold", Rate: 10_000, Burst: 125_000, Conform: qos.Transmit},
			qos.Record{Interface: "left", Source: qos.IP},
			qos.Store{Interface: "spare", Value: 9},
			qos.Attachment{Interface: "left", Policer: "gold"},
			qos.EgressMap{ID: 9},
			qos.Mark{Interface: "right", Source: qos.IP, Map: 9},
			wireguard.Interface{
				Name: "wg", Src: addr("192.0.2.1"), Port: 51820,
				PrivateKey: vppnet.NewSecret("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="),
			},
			wireguard.Peer{Interface: "wg", PublicKey: wireguard.PublicKey{1}, AllowedIPs: []netip.Prefix{prefix("10.7.0.0/24")}},
			loop("auto", 17),
			dhcp.Client{Interface: "auto", Hostname: "auto"},
			acl.Set{Name: "detour", Rules: []acl.Rule{{Action: acl.Permit, Family: acl.IPv4}}},
			l3.PolicyRoute{Set: "detour", Paths: []l3.Path{{NextHop: addr("192.0.2.9"), Interface: "out"}}},
			l3.PolicyAttachment{Interface: "spare", Set: "detour"},
			classify.Table{Name: "from", Mask: classify.At(26, 255, 255, 255, 255), Sessions: 100},
			classify.Session{Table: "from", Match: classify.At(26, 10, 0, 0, 1)},
			classify.Input{Interface: "spare", Table: "from"},
			classify.Table{Name: "to", Header: true, Mask: classify.At(16, 255), Sessions: 100},
			classify.Output{Interface: "edge", Table: "to"},
			urpf.Check{Interface: "out", Loose: true},
			nat64.Interface{Interface: "spare"},
			nat64.Address{Address: addr("203.0.113.64")},
			nat64.Prefix{Prefix: prefix("64:ff9b::/96")},
			nat64.Mapping{Local: addr("fd00::64"), External: addr("203.0.113.65"), Protocol: nat64.TCP, LocalPort: 80, ExternalPort: 80},
			nat64.Timeouts{ICMP: 30 * time.Second},
			nat66.Interface{Interface: "out"},
			nat66.Mapping{Local: addr("fd00::66"), External: addr("2001:db8:66::66")},
			bond.Bond{Name: "trunk", Mode: bond.RoundRobin, ID: 4, MAC: mac(70)},
			vhost.Port{Name: "lane", Socket: dir + "/lane.sock", MAC: mac(72)},
			bond.Member{Bond: "trunk", Interface: "lane"},
			vppnet.MemifSocket{Path: dir + "/m.sock", ID: 3},
			vppnet.Memif{Name: "pod", Socket: dir + "/m.sock", ID: 1, MAC: mac(71)},
		},
	}
}

// populate makes all that is wanted, and something that is nobody's.
func populate(t *testing.T, socket, dir string, memory bool, more ...desiredstate.Object) {
	t.Helper()
	for _, owner := range []string{"node1", "node2"} {
		objects := wants(dir, memory)[owner]
		if owner == "node2" {
			objects = append(objects, more...)
		}
		c, err := vppnet.Dial(t.Context(), socket, owner)
		require.NoError(t, err)
		all := slices.DeleteFunc(kinds(c, nat.EndpointDependent), func(k desiredstate.AnyKind) bool {
			return k.KindName() == "vhost-port" || k.KindName() == "memif-socket" // who writes says where
		})
		e := desiredstate.New(append(all, vhost.Ports(c, dir), vppnet.MemifSockets(c, dir))...)
		e.Parallel = 1 // so that all have the same numbers each time
		_, err = e.Ensure(t.Context(), objects...)
		require.NoError(t, err)
		c.Close()
	}
	c, err := vppnet.Dial(t.Context(), socket, "someone")
	require.NoError(t, err)
	defer c.Close()
	c.Uses(&interfaces.CreateLoopback{}, &l2.BridgeDomainAddDelV2{}, &l2.SwInterfaceSetL2Bridge{})
	loop, err := interfaces.NewServiceClient(c).CreateLoopback(t.Context(), &interfaces.CreateLoopback{})
	require.NoError(t, err)
	_, err = l2.NewServiceClient(c).BridgeDomainAddDelV2(t.Context(), &l2.BridgeDomainAddDelV2{BdID: 55, IsAdd: true, Learn: true, Forward: true, Flood: true, UuFlood: true})
	require.NoError(t, err)
	_, err = l2.NewServiceClient(c).SwInterfaceSetL2Bridge(t.Context(), &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: loop.SwIfIndex, BdID: 55, Enable: true})
	require.NoError(t, err)
}
