// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"slices"
	"strings"

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
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

// everything claims whatever can be claimed: who only reads may look at all. An overlay's own
// interfaces are VPP's, and nobody puts anything on them.
var everything = vppnet.Claims(func(name string) bool {
	return !strings.HasPrefix(name, vppnet.Foreign("l2_lisp_gpe")) && !strings.HasPrefix(name, vppnet.Foreign("lisp_gpe"))
})

// kinds are all kinds of vppkit.
func kinds(c *vppnet.Conn, variant nat.Variant) []desiredstate.AnyKind {
	tables := l3.Tables(c)
	return slices.Concat([]desiredstate.AnyKind{
		vppnet.Loopbacks(c), vppnet.HostInterfaces(c), vppnet.TAPs(c), vppnet.SubInterfaces(c), vhost.Ports(c), bond.Bonds(c),
		bond.Members(c), vppnet.MemifSockets(c), vppnet.Memifs(c), vppnet.VXLANTunnels(c, tables), vppnet.GRETunnels(c, tables),
		vppnet.Pipes(c), vppnet.PipeEnds(c),
		vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.FIBEntries(c), vppnet.CrossConnects(c), vppnet.Mirrors(c),
		acl.Sets(c), acl.Bindings(c), acl.MACIPSets(c), acl.MACIPBindings(c), tables, l3.NeighbourCaches(c),
		gpe.Overlays(c), gpe.LocatorSets(c), gpe.LocalEIDs(c), gpe.RemoteEIDs(c), gpe.ARPEntries(c), qos.Policers(c),
		classify.Tables(c), classify.Sessions(c, qos.Policers(c)), wireguard.Interfaces(c), l3.PolicyRoutes(c, acl.Sets(c)),
	}, claimed(c), translation(c, variant), twins(c))
}

// claimed are the kinds that would not show what is on others' interfaces and tables, if they
// did not claim it. Whose their objects are, these say.
func claimed(c *vppnet.Conn) []desiredstate.AnyKind {
	maps := qos.EgressMaps(c, everything)
	return []desiredstate.AnyKind{
		vppnet.LinkStates(c, everything), acl.EtherTypeLists(c, everything), l3.Memberships(c, everything),
		l3.Addresses(c, everything), l3.Unnumbereds(c, everything), l3.Neighbours(c, everything),
		l3.Routes(c, func(string, netip.Prefix) bool { return true }),
		l3.RouterAdvertisements(c, everything), l3.ProxyARPRanges(c, everything), l3.ProxyARPs(c, everything),
		l3.DHCPRelays(c, everything), l3.CrossConnects(c, everything), l3.MSSClamps(c, everything),
		vrrp.Routers(c, everything), gpe.VNIs(c, everything), maps, qos.Marks(c, maps, everything),
		qos.Attachments(c, new(vppnet.Memory), everything), qos.Records(c, everything), qos.Stores(c, everything),
		urpf.Checks(c, everything), classify.Inputs(c, everything), classify.Outputs(c, new(vppnet.Memory), everything),
		dhcp.Clients(c, everything), wireguard.Peers(c, everything), l3.PolicyAttachments(c, l3.PolicyRoutes(c, acl.Sets(c)), everything),
		uplink.Queues(c, new(uplink.Memory), everything), uplink.Promiscuouses(c, new(uplink.Memory), everything), // which only who told VPP knows
		lldp.Ports(c, new(vppnet.Memory), everything), lldp.AllSettings(c, new(vppnet.Memory)), // likewise
	}
}

// twins are of a plugin that VPP does not load by itself.
func twins(c *vppnet.Conn) []desiredstate.AnyKind {
	pairs := linuxcp.Pairs(c, everything)
	if c != nil && !c.Has(pairs.Uses()[0]) {
		return nil
	}
	return []desiredstate.AnyKind{pairs, linuxcp.Namespaces(c, new(vppnet.Memory))} // which only who told VPP knows
}

// translation is NAT44, which is one of two plugins', NAT64 and NAT66.
func translation(c *vppnet.Conn, variant nat.Variant) []desiredstate.AnyKind {
	every4, every6 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	out := []desiredstate.AnyKind{
		nat.Plugins(c, variant), nat.Interfaces(c, variant, everything), nat.Mappings(c, variant), nat.Identities(c, variant),
		nat.Addresses(c, variant, every4),
		nat64.Interfaces(c, nat64.Sizes{}, everything), nat64.Addresses(c, every4), nat64.Prefixes(c, every6), nat64.Mappings(c, nat64.Sizes{}, every4), nat64.AllTimeouts(c),
		nat66.Interfaces(c, everything), nat66.Mappings(c, every6),
	}
	if variant == nat.EndpointDependent {
		out = append(out, nat.Exits(c))
	}
	return out
}

// byDeps are the kinds whose objects are whose they hang on.
var byDeps = func() map[string]bool {
	out := map[string]bool{}
	for _, k := range slices.Concat(claimed(nil), translation(nil, nat.EndpointDependent), twins(nil)) {
		out[k.KindName()] = true
	}
	return out
}()

// named are the spaces in whose names an owner's name may stand; all others' are made of
// these, and of numbers, prefixes and the like.
var named = map[string]bool{
	vppnet.InterfaceKey("").Space: true, vppnet.BridgeKey("").Space: true, vppnet.MemifSocketKey("").Space: true,
	acl.SetKey("").Space: true, acl.MACIPKey("").Space: true, l3.TableKey("").Space: true, gpe.LocatorSetKey("").Space: true,
	nat.MappingKey("").Space: true, nat.IdentityKey("").Space: true, qos.PolicerKey("").Space: true,
	classify.TableKey("").Space: true,
}

// kindNames lists the kinds, and that of interfaces, which are found and not made.
func kindNames() []string {
	names := []string{interfaceKind}
	for _, k := range kinds(nil, nat.EndpointDependent) {
		names = append(names, k.KindName())
	}
	slices.Sort(names)
	return names
}
