// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/bond"
	"go.fd.io/govpp/binapi/feature"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/span"
)

// usage is all the ways in which we can see that an interface is in use, beyond what the
// list of interfaces shows.
var usage = uses{
	each: []func(interface_types.InterfaceIndex) api.Message{
		func(i interface_types.InterfaceIndex) api.Message { return &ip.IPAddressDump{SwIfIndex: i} },
		func(i interface_types.InterfaceIndex) api.Message {
			return &ip.IPAddressDump{SwIfIndex: i, IsIPv6: true}
		},
		func(i interface_types.InterfaceIndex) api.Message { return &ip.IPUnnumberedDump{SwIfIndex: i} },
		func(i interface_types.InterfaceIndex) api.Message { return &acl.ACLInterfaceListDump{SwIfIndex: i} },
		func(i interface_types.InterfaceIndex) api.Message {
			return &acl.MacipACLInterfaceListDump{SwIfIndex: i}
		},
	},
	all: []api.Message{
		&l2.BridgeDomainDump{BdID: ^uint32(0), SwIfIndex: allInterfaces},
		&l2.L2XconnectDump{},
		&span.SwInterfaceSpanDump{},
		&span.SwInterfaceSpanDump{IsL2: true},
		&bond.SwBondInterfaceDump{SwIfIndex: allInterfaces},
		&interfaces.SwInterfaceDump{SwIfIndex: allInterfaces},
	},
}

// features are those that others put on an interface and that nothing else tells of, by
// the arc that they are on. The first of each arc is its end, which is never on.
var features = map[string][]string{
	"device-input": {"ethernet-input", bondInput},
	"ip4-unicast": {
		"ip4-lookup", "nat44-ed-in2out", "nat44-ed-out2in", "nat-pre-in2out", "nat-pre-out2in", "nat44-ei-in2out", "nat44-ei-out2in",
		"nat44-ei-classify", "ip4-inacl", "ip4-policer-classify", "abf-input-ip4", "ip4-rx-urpf-loose", "ip4-rx-urpf-strict",
		"ip4-dhcp-client-detect", "l3xc-input-ip4", "nat64-out2in",
	},
	"ip6-unicast": {"ip6-lookup", "ip6-inacl", "ip6-policer-classify", "abf-input-ip6", "ip6-rx-urpf-loose", "ip6-rx-urpf-strict", "l3xc-input-ip6", "nat64-in2out"},
	"ip4-output":  {"interface-output", "nat44-ed-in2out-output", "nat44-ei-in2out-output", "ip4-outacl"},
	"ip6-output":  {"interface-output", "ip6-outacl"},
	"arp":         {"error-drop", "arp-proxy"},
}

// bondInput is on for the members of bonds.
const bondInput = "bond-input"

type uses struct {
	each []func(interface_types.InterfaceIndex) api.Message
	all  []api.Message
}

// messages are what asking takes.
func (u uses) messages(c *Conn) []string {
	all := append([]api.Message{
		&interfaces.SwInterfaceGetTable{}, &feature.FeatureIsEnabled{}, &memclnt.ControlPing{},
	}, u.all...)
	for _, m := range u.each {
		all = append(all, m(0))
	}
	return c.Uses(u.known(c, all)...)
}

// known are those of the messages that this VPP has: a plugin may be missing. Without a
// VPP, those that every VPP has.
func (u uses) known(c *Conn, all []api.Message) []api.Message {
	return slices.DeleteFunc(all, func(m api.Message) bool {
		name := m.GetMessageName()
		if c == nil {
			return strings.HasPrefix(name, "acl_") || strings.HasPrefix(name, "macip_")
		}
		return !c.Has(name + "_" + m.GetCrcString())
	})
}

// of says what each of these interfaces is used for; "" if nothing is seen.
func (u uses) of(ctx context.Context, c *Conn, ids ...uint32) (map[uint32]string, error) {
	var requests []api.Message
	for _, id := range ids {
		for _, m := range u.each {
			requests = append(requests, m(interface_types.InterfaceIndex(id)))
		}
	}
	answers, err := Ask(ctx, c, u.known(c, append(requests, u.all...))...)
	if err != nil {
		return nil, err
	}
	used, pipes := map[uint32]string{}, map[uint32]uint32{}
	for _, m := range answers {
		switch d := m.(type) {
		case *ip.IPAddressDetails:
			used[uint32(d.SwIfIndex)] = "it has an address"
		case *ip.IPUnnumberedDetails:
			used[uint32(d.SwIfIndex)], used[uint32(d.IPSwIfIndex)] = "it is unnumbered", "it lends its address"
		case *acl.ACLInterfaceListDetails:
			if len(d.Acls) > 0 {
				used[uint32(d.SwIfIndex)] = "it has ACLs"
			}
		case *acl.MacipACLInterfaceListDetails:
			if len(d.Acls) > 0 && d.Acls[0] != ^uint32(0) {
				used[uint32(d.SwIfIndex)] = "it has a MACIP ACL"
			}
		case *l2.BridgeDomainDetails:
			for _, p := range d.SwIfDetails {
				used[uint32(p.SwIfIndex)] = "it is in a bridge domain"
			}
		case *l2.L2XconnectDetails:
			used[uint32(d.RxSwIfIndex)], used[uint32(d.TxSwIfIndex)] = "it is cross-connected", "it is cross-connected"
		case *span.SwInterfaceSpanDetails:
			used[uint32(d.SwIfIndexFrom)], used[uint32(d.SwIfIndexTo)] = "it is mirrored", "something is mirrored to it"
		case *bond.SwBondInterfaceDetails:
			if d.Members > 0 {
				used[uint32(d.SwIfIndex)] = "it has members"
			}
		case *interfaces.SwInterfaceDetails:
			switch {
			case d.SupSwIfIndex == uint32(d.SwIfIndex):
			case d.Type == interface_types.IF_API_TYPE_PIPE: // which every pipe has
				if pipes[uint32(d.SwIfIndex)] = d.SupSwIfIndex; strings.TrimRight(d.Tag, "\x00") != "" {
					used[d.SupSwIfIndex] = "an end of it has a tag"
				}
			default:
				used[d.SupSwIfIndex] = "it has sub-interfaces"
			}
		}
	}
	for end, pipe := range pipes {
		if used[end] != "" {
			used[pipe] = "an end of it is used: " + used[end]
		}
	}
	for _, id := range ids {
		if used[id] == "" {
			if used[id], err = u.deeply(ctx, c, interface_types.InterfaceIndex(id)); err != nil {
				return nil, err
			}
		}
	}
	return used, nil
}

// deeply asks what VPP answers without naming the interface again.
func (u uses) deeply(ctx context.Context, c *Conn, id interface_types.InterfaceIndex) (string, error) {
	tables, err := AskEach[*interfaces.SwInterfaceGetTableReply](ctx, c,
		&interfaces.SwInterfaceGetTable{SwIfIndex: id}, &interfaces.SwInterfaceGetTable{SwIfIndex: id, IsIPv6: true})
	if err != nil {
		return "", err
	}
	for _, t := range tables {
		if t.VrfID != 0 {
			return fmt.Sprintf("it is in table %d", t.VrfID), nil
		}
	}
	// VPP says of a feature that it lacks that it is on, everywhere: on local0 too, where
	// none ever is. Of an interface beyond all that anything was ever set for in an arc it
	// says that all of the arc's features are on: its end too.
	for _, arc := range slices.Sorted(maps.Keys(features)) {
		var requests []api.Message
		for _, f := range features[arc] {
			requests = append(requests, &feature.FeatureIsEnabled{ArcName: arc, FeatureName: f, SwIfIndex: id},
				&feature.FeatureIsEnabled{ArcName: arc, FeatureName: f})
		}
		if len(u.known(c, requests)) == 0 {
			continue
		}
		on, err := AskEach[*feature.FeatureIsEnabledReply](ctx, c, requests...)
		if err != nil {
			return "", err
		}
		for i := 2; i < len(on) && !on[0].IsEnabled; i += 2 {
			if r := on[i]; r.Retval == 0 && r.IsEnabled && !on[i+1].IsEnabled {
				name := requests[i].(*feature.FeatureIsEnabled).FeatureName
				if name == bondInput {
					return InBond, nil
				}
				return "it has the feature " + name, nil
			}
		}
	}
	return "", nil
}
