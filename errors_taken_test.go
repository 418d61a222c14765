// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// taken is what something else is in the way of: what, and what gives way.
func taken() map[string]refusal {
	return map[string]refusal{
		"two subnets that overlap": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Loopbacks(c), l3.Addresses(c)) },
			objects(vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"},
				l3.Address{Interface: "a", Prefix: prefix("10.0.0.1/16")}, l3.Address{Interface: "b", Prefix: prefix("10.0.9.1/24")}),
			[]string{"overlaps 10.0.", "take another, or remove that"},
		},
		"one address twice": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.Loopbacks(c), l3.Addresses(c)) },
			objects(vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"},
				l3.Address{Interface: "a", Prefix: prefix("10.0.0.1/24")}, l3.Address{Interface: "b", Prefix: prefix("10.0.0.1/24")}),
			[]string{"conflict", "address/a 10.0.0.1/24", "10.0.0.1"},
		},
		"something without a kind": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.BridgeDomains(c)) },
			objects(vppnet.Loopback{Name: "a"}),
			[]string{"vppnet.Loopback", "give the engine the kind"},
		},
		"something that lacks something": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vppnet.BridgePorts(c)) },
			objects(vppnet.BridgePort{Bridge: "net", Interface: "vm1"}),
			[]string{"missing dependency: bridge-domain/net, interface/vm1"},
		},
		"a bridge port that is a bond's member": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(vppnet.Loopbacks(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), bond.Bonds(c), bond.Members(c))
			},
			objects(vppnet.Loopback{Name: "a"}, vppnet.BridgeDomain{Name: "net"}, vppnet.BridgePort{Bridge: "net", Interface: "a"},
				bond.Bond{Name: "b", Mode: bond.XOR}, bond.Member{Bond: "b", Interface: "a"}),
			[]string{"conflict", "bond-member/a", "want one of the two"},
		},
		"sources that are checked where a table filters": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(vppnet.Loopbacks(c), acl.MACIPSets(c), acl.MACIPBindings(c), classify.Tables(c), classify.Inputs(c))
			},
			objects(vppnet.Loopback{Name: "a"}, classify.Table{Name: "t"}, classify.Input{Interface: "a", Table: "t"},
				acl.MACIPSet{Name: "s", Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv4}}}, acl.MACIPBinding{Interface: "a", Set: "s"}),
			[]string{"conflict", "interface-filter/a", "want one of the two"},
		},
		"one VLAN twice": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(vppnet.Loopbacks(c), vppnet.SubInterfaces(c))
			},
			objects(vppnet.Loopback{Name: "a"}, vppnet.SubInterface{Name: "x", Parent: "a", Outer: 5}, vppnet.SubInterface{Name: "y", Parent: "a", Outer: 5}),
			[]string{"conflict", "interface/x", "vlan"},
		},
		"what is in one place, and elsewhere": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(vppnet.Loopbacks(c), vppnet.BridgeDomains(c), gpe.Overlays(c), gpe.LocatorSets(c), gpe.VNIs(c), gpe.LocalEIDs(c), gpe.RemoteEIDs(c))
			},
			objects(vppnet.Loopback{Name: "a"}, vppnet.BridgeDomain{Name: "net"}, gpe.Overlay{}, gpe.VNI{ID: 9, Bridge: "net"},
				gpe.LocatorSet{Name: "s", Locators: []gpe.Locator{{Interface: "a"}}},
				gpe.LocalEID{VNI: 9, EID: gpe.EID{MAC: vppnet.MAC{2}}, LocatorSet: "s"},
				gpe.RemoteEID{VNI: 9, EID: gpe.EID{MAC: vppnet.MAC{2}}}),
			[]string{"conflict", "local-eid/", "remote-eid/"},
		},
		"another of others' tables": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Tables(c)) },
			objects(l3.Table{Name: "blue", ID: 7}),
			[]string{"table/other/red", "choose another"},
		},
	}
}
