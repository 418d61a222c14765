// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"strings"

	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"

	binding "go.fd.io/govpp/binapi/acl"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// The filters of a fleet are what the agent makes of security groups: the ports of a
// network share the sets of one group, of ten rules, and all ports two sets more;
// each port has its binding, a MACIP set of its own, and the binding of that.

const rulesEach = 10

// group is that of a network.
func (f fleet) group(network int) acl.SecurityGroup {
	any4 := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	g := acl.SecurityGroup{Name: f.gid(network), Egress: []acl.GroupRule{{Family: acl.IPv4, Remote: any4}}}
	for n := range rulesEach {
		g.Ingress = append(g.Ingress, acl.GroupRule{Family: acl.IPv4, Protocol: acl.TCP, Remote: any4, Ports: acl.Only(f.tcp(n))})
	}
	return g
}

func (f fleet) gid(network int) string {
	return fmt.Sprintf("%08x-5c00-4ac2-a1a1-3b6a6d0c0002", network)
}
func (f fleet) tcp(rule int) uint16 { return uint16(1000 + 2*rule) } // no two are neighbours
func (f fleet) ip(port int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(port >> 16), byte(port >> 8), byte(port)})
}

// groupValue is a group's key in etcd, for the agent.
func (f fleet) groupValue() string {
	rule := func(protocol int, port uint16) string {
		return fmt.Sprintf(`{"is_ipv6":0,"remote_ip_addr":"0.0.0.0","ip_prefix_len":0,"remote_group_id":null,`+
			`"protocol":%d,"port_min":%d,"port_max":%d}`, protocol, port, port)
	}
	var ingress []string
	for n := range rulesEach {
		ingress = append(ingress, rule(int(acl.TCP), f.tcp(n)))
	}
	return `{"ingress_rules":[` + strings.Join(ingress, ",") + `],"egress_rules":[` + rule(0, 0) + `]}`
}

// sets are what ports share, those of all before those of each network.
func (f fleet) sets() (out []acl.Set) {
	if !f.filtered {
		return nil
	}
	to, from := acl.SpoofSets()
	out = append(out, to, from)
	for n := range f.networks() {
		to, from, err := f.group(n).Sets(nil)
		if err != nil {
			panic(err) // its rules are the same whatever the flags
		}
		out = append(out, to, from)
	}
	return out
}

// security is what a port has for itself.
func (f fleet) security(port int) (sources acl.MACIPSet, rest []desiredstate.Object) {
	mac, err := vppnet.ParseMAC(vmMAC)
	if err != nil {
		panic(err)
	}
	name := f.iface(port)
	all, err := acl.PortSecurity{
		Interface: name, MAC: mac, Addrs: []netip.Addr{f.ip(port)}, Groups: []string{f.gid(f.network(port))},
		After: []desiredstate.Key{vppnet.BridgePortKey(name)},
	}.Objects()
	if err != nil {
		panic(err)
	}
	for _, o := range all {
		switch o := o.(type) {
		case acl.Set: // all ports'
		case acl.MACIPSet:
			sources = o
		default:
			rest = append(rest, o)
		}
	}
	return sources, rest
}

// The same by hand.

// filters are VPP's numbers of sets.
type filters struct {
	sets   []binding.ACLAddReplaceReply      // as in fleet.sets
	macips []binding.MacipACLAddReplaceReply // by port
}

func (x *filters) createSets(f fleet) (asks []ask) {
	for n, s := range f.sets() {
		m := &binding.ACLAddReplace{ACLIndex: ^uint32(0), Tag: owner + "/" + s.Name, Count: uint32(len(s.Rules))}
		for _, r := range s.Rules {
			m.R = append(m.R, wireRule(r))
		}
		asks = append(asks, ask{m, &x.sets[n]})
	}
	return asks
}

func (x *filters) createSources(f fleet, port int) ask {
	sources, _ := f.security(port)
	m := &binding.MacipACLAddReplace{ACLIndex: ^uint32(0), Tag: owner + "/" + sources.Name, Count: uint32(len(sources.Rules))}
	for _, r := range sources.Rules {
		mask := ethernet_types.MacAddress{255, 255, 255, 255, 255, 255}
		m.R = append(m.R, acl_types.MacipACLRule{
			IsPermit: acl_types.ACL_ACTION_API_PERMIT, SrcMac: ethernet_types.MacAddress(r.MAC), SrcMacMask: mask, SrcPrefix: wirePrefix(r.Family, r.Src),
		})
	}
	return ask{m, &x.macips[port]}
}

const arp = 0x0806

// bind puts a port behind its filters.
func (x *filters) bind(f fleet, index interface_types.InterfaceIndex, port int) []ask {
	group := 2 + 2*f.network(port)
	return []ask{
		{request: &binding.ACLInterfaceSetEtypeWhitelist{SwIfIndex: index, Count: 2, NInput: 1, Whitelist: []uint16{arp, arp}}},
		{request: &binding.ACLInterfaceSetACLList{SwIfIndex: index, Count: 4, NInput: 2, Acls: []uint32{
			x.sets[1].ACLIndex, x.sets[group+1].ACLIndex, x.sets[0].ACLIndex, x.sets[group].ACLIndex,
		}}},
		{request: &binding.MacipACLInterfaceAddDel{IsAdd: true, SwIfIndex: index, ACLIndex: x.macips[port].ACLIndex}},
	}
}

func (x *filters) unbind(index interface_types.InterfaceIndex, port int) []ask {
	return []ask{
		{request: &binding.ACLInterfaceSetACLList{SwIfIndex: index}},
		{request: &binding.ACLInterfaceSetEtypeWhitelist{SwIfIndex: index}},
		{request: &binding.MacipACLInterfaceAddDel{SwIfIndex: index, ACLIndex: x.macips[port].ACLIndex}},
		{request: &binding.MacipACLDel{ACLIndex: x.macips[port].ACLIndex}},
	}
}

func (x *filters) removeSets() (asks []ask) {
	for _, s := range x.sets {
		asks = append(asks, ask{request: &binding.ACLDel{ACLIndex: s.ACLIndex}})
	}
	return asks
}

func wireRule(r acl.Rule) acl_types.ACLRule {
	out := acl_types.ACLRule{
		IsPermit: acl_types.ACLAction(r.Action), Proto: ip_types.IPProto(r.Protocol),
		SrcPrefix: wirePrefix(r.Family, r.Src), DstPrefix: wirePrefix(r.Family, r.Dst),
	}
	first, second, most := r.SrcPorts, r.DstPorts, uint16(65535)
	if r.Protocol == acl.ICMP || r.Protocol == acl.ICMPv6 {
		first, second, most = r.ICMPTypes, r.ICMPCodes, 255
	}
	out.SrcportOrIcmptypeFirst, out.SrcportOrIcmptypeLast = first.Bounds(most)
	out.DstportOrIcmpcodeFirst, out.DstportOrIcmpcodeLast = second.Bounds(most)
	return out
}

func wirePrefix(family acl.Family, p netip.Prefix) (out ip_types.Prefix) {
	if p.IsValid() {
		return routePrefix(p)
	}
	if family == acl.IPv6 {
		out.Address.Af = ip_types.ADDRESS_IP6
	}
	return out
}
