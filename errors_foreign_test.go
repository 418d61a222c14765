// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"net/netip"

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
	"github.com/vppkit/vppkit/kinds/urpf"
	"github.com/vppkit/vppkit/kinds/wireguard"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/l3/nat66"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
)

// foreign is what is not ours to change: how to claim or adopt it, or what to name instead.
func foreign() map[string]refusal {
	return map[string]refusal{
		"another's bridge domain, by number": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.BridgeDomains(c)) },
			objects(vppnet.BridgeDomain{Name: "mine", ID: 7}),
			[]string{"bridge-domain/other/net", "choose another"},
		},
		"a link that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.LinkStates(c)) },
			objects(vppnet.LinkState{Interface: "vpp:nic", Up: true}),
			[]string{"vpp:nic", "vppnet.ClaimInterfaces"},
		},
		"others' port in others' bridge": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.BridgePorts(c)) },
			objects(vppnet.BridgePort{Bridge: "other/net", Interface: "other/lo"}),
			[]string{"bridge-port/other/lo", "Engine.Adopt"},
		},
		"a static address in others' bridge": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.FIBEntries(c)) },
			objects(vppnet.FIBEntry{Bridge: "other/net", MAC: vppnet.MAC{2}, Filter: true}),
			[]string{"other/net", "name one of ours"},
		},
		"others' cross-connect": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.CrossConnects(c)) },
			objects(vppnet.CrossConnect{From: "vpp:nic", To: "other/lo"}),
			[]string{"Engine.Adopt"},
		},
		"others' mirror": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Mirrors(c)) },
			objects(vppnet.Mirror{From: "vpp:nic", To: "other/lo"}),
			[]string{"Engine.Adopt"},
		},
		"an end of others' pipe": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.PipeEnds(c)) },
			objects(vppnet.PipeEnd{Name: "end", Pipe: "other/wire"}),
			[]string{`"other/wire" contains a slash, which stands between an owner and a name`},
		},
		"a member of others' bond": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(bond.Members(c)) },
			objects(bond.Member{Bond: "other/trunk", Interface: "vpp:nic"}),
			[]string{"Engine.Adopt"},
		},
		"ethertypes of an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(acl.EtherTypeLists(c)) },
			objects(acl.EtherTypes{Interface: "vpp:nic", Input: []uint16{0x806}}),
			[]string{"vppnet.ClaimInterfaces"},
		},
		"an address on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Addresses(c)) },
			objects(l3.Address{Interface: "vpp:nic", Prefix: prefix("10.0.0.1/24")}),
			[]string{"vpp:nic", "vppnet.ClaimInterfaces"},
		},
		"others' interface in others' table": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Memberships(c)) },
			objects(l3.Membership{Interface: "vpp:nic", Table: "other/red"}),
			[]string{"vpp:nic", "name one of ours", "Engine.Adopt"},
		},
		"a route of the default table": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Routes(c)) },
			objects(l3.Route{Prefix: prefix("10.0.0.0/8")}),
			[]string{"route/10.0.0.0/8", "l3.RouteClaim"},
		},
		"an address of no pool of ours": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(nat.Plugins(c, nat.EndpointDependent), nat.Addresses(c, nat.EndpointDependent, prefix("192.0.2.0/24")))
			},
			objects(nat.Plugin{}, nat.Address{Address: addr("203.0.113.1"), AnyTable: true}),
			[]string{"203.0.113.1", "claimed prefixes [192.0.2.0/24]", "give the kind one that has it"},
		},
		"a number that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(qos.EgressMaps(c)) },
			objects(qos.EgressMap{ID: 9}),
			[]string{"egress map 9", "vppnet.Claims"},
		},
		"a VNI of others' bridge domain": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(gpe.Overlays(c), gpe.VNIs(c)) },
			objects(gpe.Overlay{}, gpe.VNI{ID: 9, Bridge: "other/net"}),
			[]string{"bridge-domain", "name one of ours", "vppnet.Claims"},
		},
		"a DHCP client of an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(dhcp.Clients(c)) },
			objects(dhcp.Client{Interface: "vpp:nic"}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"LLDP of an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(lldp.Ports(c, new(vppnet.Memory))) },
			objects(lldp.Port{Interface: "vpp:nic"}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"a twin in Linux of an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(linuxcp.Pairs(c)) },
			objects(linuxcp.Pair{Interface: "vpp:nic", Device: "twin"}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"peers of an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(wireguard.Peers(c)) },
			objects(wireguard.Peer{Interface: "vpp:nic", PublicKey: wireguard.PublicKey{9}, AllowedIPs: []netip.Prefix{prefix("10.0.0.0/8")}}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"a check of sources on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(urpf.Checks(c)) },
			objects(urpf.Check{Interface: "vpp:nic"}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"a queue of a device that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(uplink.Queues(c, new(uplink.Memory))) },
			objects(uplink.Queue{Interface: "vpp:nic"}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"a device that is not claimed, to be promiscuous": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(uplink.Promiscuouses(c, new(uplink.Memory))) },
			objects(uplink.Promiscuous{Interface: "vpp:nic"}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"a policer on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(qos.Policers(c), qos.Attachments(c, new(vppnet.Memory)))
			},
			objects(qos.Policer{Name: "gold", Rate: 1000, Burst: 1000, Conform: qos.Transmit}, qos.Attachment{Interface: "vpp:nic", Policer: "gold"}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"marks read on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(qos.Records(c)) },
			objects(qos.Record{Interface: "vpp:nic", Source: qos.IP}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"marks given on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(qos.Stores(c)) },
			objects(qos.Store{Interface: "vpp:nic", Value: 1}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"marks written on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				maps := qos.EgressMaps(c, vppnet.Claims(func(string) bool { return true }))
				return kinds(maps, qos.Marks(c, maps))
			},
			objects(qos.EgressMap{ID: 9}, qos.Mark{Interface: "vpp:nic", Source: qos.IP, Map: 9}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"a classifier on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(classify.Tables(c), classify.Inputs(c)) },
			objects(classify.Table{Name: "t", Mask: classify.At(26, 0xff)}, classify.Input{Interface: "vpp:nic", Table: "t"}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"what an interface sends, which is not claimed, by a classifier": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(classify.Tables(c), classify.Outputs(c, new(vppnet.Memory)))
			},
			objects(classify.Table{Name: "t", Mask: classify.At(12, 0xff)}, classify.Output{Interface: "vpp:nic", Table: "t"}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"others' set on an interface": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Loopbacks(c), acl.Bindings(c)) },
			objects(vppnet.Loopback{Name: "a"}, acl.Binding{Interface: "a", Input: []string{"other/web"}}),
			[]string{`"other/web" contains a slash, which stands between an owner and a name`},
		},
		"an overlay that others have on otherwise": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(gpe.Overlays(c)) },
			objects(gpe.Overlay{PETR: true}),
			[]string{"others have overlays on with", "take that, or have them turned off"},
		},
		"somebody in a VNI that is not there": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(vppnet.Loopbacks(c), gpe.Overlays(c), gpe.LocatorSets(c), gpe.VNIs(c), gpe.LocalEIDs(c))
			},
			objects(vppnet.Loopback{Name: "a"}, gpe.Overlay{}, gpe.LocatorSet{Name: "s", Locators: []gpe.Locator{{Interface: "a"}}},
				gpe.LocalEID{VNI: 9, EID: gpe.EID{MAC: vppnet.MAC{2}}, LocatorSet: "s"}),
			[]string{"missing dependency: gpe-vni/bridge-9"},
		},
		"a borrower that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Unnumbereds(c)) },
			objects(l3.Unnumbered{Interface: "vpp:nic", Lender: "other/lo"}),
			[]string{"vpp:nic", "put it into a table of ours, or claim it", "vppnet.ClaimInterfaces"},
		},
		"a neighbour on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Neighbours(c)) },
			objects(l3.Neighbour{Interface: "vpp:nic", IP: addr("10.0.0.1"), MAC: vppnet.MAC{2}}),
			[]string{"vpp:nic", "vppnet.ClaimInterfaces"},
		},
		"ARP answered on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.ProxyARPs(c)) },
			objects(l3.ProxyARP{Interface: "vpp:nic"}),
			[]string{"vpp:nic", "vppnet.ClaimInterfaces"},
		},
		"ARP answered in the default table": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.ProxyARPRanges(c)) },
			objects(l3.ProxyARPRange{Low: addr("10.0.0.1"), High: addr("10.0.0.9")}),
			[]string{"table number 0", "give ProxyARPRanges an l3.ClaimTables of it"},
		},
		"a DHCP relay of the default table": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.DHCPRelays(c)) },
			objects(l3.DHCPRelay{Source: addr("10.0.0.1"), Servers: []l3.DHCPServer{{Addr: addr("10.0.0.2")}}}),
			[]string{"table number 0", "give DHCPRelays an l3.ClaimTables of it"},
		},
		"MSS on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.MSSClamps(c)) },
			objects(l3.MSSClamp{Interface: "vpp:nic", IPv4: l3.Clamp{MSS: 1400}}),
			[]string{"vpp:nic", "vppnet.ClaimInterfaces"},
		},
		"what comes in by an interface that is not claimed, sent elsewhere": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.CrossConnects(c)) },
			objects(l3.CrossConnect{Interface: "vpp:nic", Paths: []l3.Path{{NextHop: addr("10.0.0.1"), Interface: "other/lo"}}}),
			[]string{"vpp:nic", "vppnet.ClaimInterfaces"},
		},
		"a policy on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				sets := acl.Sets(c)
				policies := l3.PolicyRoutes(c, sets)
				return kinds(vppnet.Loopbacks(c), sets, policies, l3.PolicyAttachments(c, policies))
			},
			objects(vppnet.Loopback{Name: "a"}, acl.Set{Name: "web"}, l3.PolicyRoute{Set: "web", Paths: []l3.Path{{NextHop: addr("10.0.0.1"), Interface: "a"}}},
				l3.PolicyAttachment{Interface: "vpp:nic", Set: "web"}),
			[]string{"vpp:nic", "vppnet.ClaimInterfaces"},
		},
		"a virtual router on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vrrp.Routers(c)) },
			objects(vrrp.Router{Interface: "vpp:nic", ID: 1, Addresses: []netip.Addr{addr("10.0.0.1")}}),
			[]string{"vpp:nic", "vppnet.ClaimInterfaces"},
		},
		"NAT44 on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(nat.Plugins(c, nat.EndpointDependent), nat.Interfaces(c, nat.EndpointDependent))
			},
			objects(nat.Plugin{}, nat.Interface{Interface: "vpp:nic", Inside: true}),
			[]string{"vpp:nic", "vppnet.ClaimInterfaces"},
		},
		"where the hosts of the default table leave": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Tables(c), nat.Exits(c)) },
			objects(l3.Table{Name: "out"}, nat.Exit{Table: "other/red", To: []string{"out"}}),
			[]string{"name one of ours"},
		},
		"NAT64 on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat64.Interfaces(c, nat64.Sizes{})) },
			objects(nat64.Interface{Interface: "vpp:nic", Inside: true}),
			[]string{"vpp:nic", "vppnet.ClaimInterfaces"},
		},
		"an address of NAT64 in no claimed prefix": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat64.Addresses(c, prefix("192.0.2.0/24"))) },
			objects(nat64.Address{Address: addr("203.0.113.1")}),
			[]string{"203.0.113.1", "claimed prefixes [192.0.2.0/24]", "give the kind one that has it"},
		},
		"where the hosts of the default table see the world of NAT64": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat64.Prefixes(c)) },
			objects(nat64.Prefix{Prefix: prefix("2001:db8::/96")}),
			[]string{"2001:db8::", "not for a table of ours", "give the kind one that has it"},
		},
		"NAT66 on an interface that is not claimed": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat66.Interfaces(c)) },
			objects(nat66.Interface{Interface: "vpp:nic"}),
			[]string{"vpp:nic is not claimed", "vppnet.ClaimInterfaces"},
		},
		"an address of NAT66 in no claimed prefix": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat66.Mappings(c, prefix("2001:db8::/64"))) },
			objects(nat66.Mapping{Local: addr("fd00::1"), External: addr("2001:db8:9::1")}),
			[]string{"2001:db8:9::1", "claimed prefixes [2001:db8::/64]", "give the kind one that has it"},
		},
	}
}
