// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"slices"
	"strings"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Objects are what VPP shall hold for the port: the port itself, and its
// network on this host, which it shares with the other ports of the network.
func (p Port) Objects() []desiredstate.Object {
	objs, _ := p.bridged().Objects() // who made the port has noted what is left out
	net := append(p.Net.objects(), p.here(p.mac)...)
	return append(append(net, p.end()), objs...)
}

// Shared are the keys of the sets of the port's groups, which are not the port's.
func (p Port) Shared() []desiredstate.Key {
	var keys []desiredstate.Key
	for _, g := range p.Groups {
		keys = append(keys, acl.SetKey(acl.ToSet(g)), acl.SetKey(acl.FromSet(g)))
	}
	return keys
}

// whole lists what any interface must have before it may be up.
func whole(name string) []desiredstate.Key {
	return []desiredstate.Key{vppnet.BridgePortKey(name)}
}

// UplinkObjects are what VPP shall hold for a physical network, with or without
// ports on it.
func (s Site) UplinkObjects(physnet string) []desiredstate.Object {
	uplink := s.Physnets[physnet]
	return append(s.members(uplink), s.up(physnet))
}

// IsUplink says whether an interface is the site's to bring up.
func (s Site) IsUplink(name string) bool {
	for physnet := range s.Physnets {
		if s.uplink(physnet) == name {
			return true
		}
	}
	for _, b := range s.Bonds {
		if vpp, ok := strings.CutPrefix(name, vppnet.Foreign("")); ok && slices.Contains(b.Members, vpp) {
			return true
		}
	}
	return false
}

// up is the link of a physical network's interface.
func (s Site) up(physnet string) vppnet.LinkState {
	return vppnet.LinkState{Interface: s.uplink(physnet), Up: true, MTU: s.MTU[physnet]}
}

// Interface names the port's interface. One with filters and one without are two:
// a port that is to have filters from now on loses the interface that is up without,
// and gets another, which comes up when it has them.
func (p Port) Interface() string {
	name := "port-"
	switch {
	case p.VLAN != 0:
		name = "subport-"
	case p.TAP:
		name = "tap-"
	}
	if p.Filtered {
		name = "secured-" + strings.TrimPrefix(name, "port-")
	}
	return name + p.UUID
}

// OfPort are the keys of all that a port can have had for itself alone, by its UUID.
func OfPort(id string) (keys []desiredstate.Key) {
	for _, name := range []string{"port-" + id, "secured-" + id, "tap-" + id} {
		keys = append(keys, vppnet.InterfaceKey(name), vppnet.BridgePortKey(name), vppnet.LinkKey(name))
	}
	name := "secured-" + id
	return append(keys, acl.BindingKey(name), acl.MACIPBindingKey(name), acl.MACIPKey(name), acl.EtherTypesKey(name))
}

// Handles finds VPP's numbers of what the port is made of.
func (p Port) Handles(s *desiredstate.Store) Handles {
	id := func(k desiredstate.Key) uint32 {
		status, _ := s.Status(k)
		return status.ID
	}
	h := Handles{Interface: id(vppnet.InterfaceKey(p.Interface())), Bridge: id(vppnet.BridgeKey(p.Network()))}
	if m := p.member(); m != "" {
		h.Uplink = id(vppnet.LinkKey(m)) // a LinkState has its interface's number
	}
	return h
}
