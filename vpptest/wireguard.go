// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/wireguard"
)

// wgInstances is how many interfaces there can be.
const wgInstances = 16 * 1024

const alreadyExists = -116

var wgClass = &class{devType: "Wireguard Tunnel", mtu: featureDisabled, linkAdmin: true, l3: true}

// wgs is the wireguard plugin. What its peers say to each other it does not imitate.
type wgs struct {
	v      *VPP
	tuns   pool[*wgTunnel]
	peers  pool[wireguard.WireguardPeer]
	ports  map[uint16][]uint32 // places of tunnels, in VPP's order
	number map[uint32]bool
	stale  map[uint32]bool // indexes of tunnels that have gone, by which VPP finds them still
}

type wgTunnel struct {
	*iface
	place uint32
	wireguard.WireguardInterface
}

func loadWireguard(v *VPP) {
	s := &wgs{v: v, ports: make(map[uint16][]uint32), number: make(map[uint32]bool), stale: make(map[uint32]bool)}
	v.life.states = append(v.life.states, s.dump)
	for family := range 2 {
		arc := []string{"ip4-output", "ip6-output"}[family]
		v.life.features.follow(arc, []string{"wg4-output-tun", "wg6-output-tun"}[family], func(i *iface) bool { return s.has(i.index) > 0 })
	}
	Handle(v, s.create)
	Handle(v, s.delete)
	HandleDump(v, s.details)
	Handle(v, s.add)
	Handle(v, func(c *Call, q *wireguard.WireguardPeerRemove) *wireguard.WireguardPeerRemoveReply {
		if s.peers.at(q.PeerIndex) == nil {
			return &wireguard.WireguardPeerRemoveReply{Retval: noSuchEntry}
		}
		s.remove(q.PeerIndex)
		return &wireguard.WireguardPeerRemoveReply{}
	})
	HandleDump(v, func(_ *Call, q *wireguard.WireguardPeersDump) (out []*wireguard.WireguardPeersDetails) {
		s.peers.each(q.PeerIndex, func(i uint32, p *wireguard.WireguardPeer) {
			d := *p
			d.PeerIndex = i
			out = append(out, &wireguard.WireguardPeersDetails{Peer: d})
		})
		return out
	})
}

func (s *wgs) create(_ *Call, q *wireguard.WireguardInterfaceCreate) *wireguard.WireguardInterfaceCreateReply {
	r := &wireguard.WireguardInterfaceCreateReply{SwIfIndex: indexAt(none)}
	w := q.Interface
	if w.UserInstance == none {
		for w.UserInstance = 0; s.number[w.UserInstance]; w.UserInstance++ {
		}
	}
	if w.UserInstance >= wgInstances || s.number[w.UserInstance] {
		r.Retval = invalidRegistration
		return r
	}
	if q.GenerateKey {
		_, _ = rand.Read(w.PrivateKey)
	}
	key, err := ecdh.X25519().NewPrivateKey(w.PrivateKey)
	if err != nil {
		r.Retval = invalidRegistration
		return r
	}
	w.PublicKey = key.PublicKey().Bytes()
	t := &wgTunnel{WireguardInterface: w, iface: &iface{name: fmt.Sprintf("wg%d", w.UserInstance), class: wgClass, ready: true}}
	s.v.life.interfaces.add(t.iface)
	t.SwIfIndex = indexOf(t.iface)
	t.place, _ = s.tuns.put(none, t)
	s.toggled(t.SwIfIndex)
	s.number[w.UserInstance], s.ports[w.Port] = true, append(s.ports[w.Port], t.place)
	delete(s.stale, t.index)
	r.SwIfIndex = t.SwIfIndex
	return r
}

// of is the tunnel with an index, nil if there is none.
func (s *wgs) of(index interface_types.InterfaceIndex) (found *wgTunnel) {
	s.tuns.each(none, func(_ uint32, t **wgTunnel) {
		if (*t).SwIfIndex == index {
			found = *t
		}
	})
	return found
}

// has is how many peers an interface has.
func (s *wgs) has(index uint32) (n int) {
	s.peers.each(none, func(_ uint32, p *wireguard.WireguardPeer) {
		if uint32(p.SwIfIndex) == index {
			n++
		}
	})
	return n
}

func (s *wgs) delete(c *Call, q *wireguard.WireguardInterfaceDelete) *wireguard.WireguardInterfaceDeleteReply {
	r := &wireguard.WireguardInterfaceDeleteReply{}
	t, i := s.of(q.SwIfIndex), s.v.life.interfaces.at(q.SwIfIndex)
	switch {
	case i == nil:
		r.Retval = invalidInterface
		return r
	case t == nil && i.hw.class == wgClass && s.stale[i.index]:
		r.Retval = c.NotImitated("the end of a sub-interface that has the index of a WireGuard interface that has gone: VPP takes apart who has that one's place, and the interface below")
		return r
	case t == nil && i.hw.class == wgClass: // a sub-interface
		r.Retval = invalidInterface3
		return r
	case t == nil:
		r.Retval = invalidValue
		return r
	}
	at := slices.Index(s.ports[t.Port], t.place)
	if at > 0 {
		r.Retval = c.NotImitated("the end of one of two WireGuard interfaces with one port, not the first: VPP writes before its list")
		return r
	}
	if s.has(t.index) > 1 {
		r.Retval = c.NotImitated("the end of a WireGuard interface with several peers, whose places VPP frees in the order of a hash")
		return r
	}
	s.peers.each(none, func(i uint32, p *wireguard.WireguardPeer) {
		if p.SwIfIndex == q.SwIfIndex {
			s.remove(i)
		}
	})
	all := s.ports[t.Port]
	all[0] = all[len(all)-1]
	s.ports[t.Port] = all[:len(all)-1]
	delete(s.number, t.UserInstance)
	s.v.life.interfaces.delete(t.iface)
	s.tuns.delete(t.place)
	s.stale[t.index] = true
	return r
}

func (s *wgs) details(c *Call, q *wireguard.WireguardInterfaceDump) (out []*wireguard.WireguardInterfaceDetails) {
	if s.stale[uint32(q.SwIfIndex)] {
		c.NotImitated("a WireGuard interface that has gone: VPP still has its place")
		return nil
	}
	s.tuns.each(none, func(_ uint32, t **wgTunnel) {
		if q.SwIfIndex == none || q.SwIfIndex == (*t).SwIfIndex {
			d := (*t).WireguardInterface
			if !q.ShowPrivateKey {
				d.PrivateKey = make([]byte, 32)
			}
			out = append(out, &wireguard.WireguardInterfaceDetails{Interface: d})
		}
	})
	return out
}

func (s *wgs) add(c *Call, q *wireguard.WireguardPeerAdd) *wireguard.WireguardPeerAddReply {
	r := &wireguard.WireguardPeerAddReply{PeerIndex: none}
	p, taken := q.Peer, false
	s.peers.each(none, func(_ uint32, o *wireguard.WireguardPeer) { taken = taken || slices.Equal(o.PublicKey, p.PublicKey) })
	switch {
	case s.v.life.interfaces.at(p.SwIfIndex) == nil:
		r.Retval = invalidInterface
	case len(p.AllowedIps) == 0:
		r.Retval = invalidValue
	case s.of(p.SwIfIndex) == nil && s.stale[uint32(p.SwIfIndex)]:
		r.Retval = c.NotImitated("a peer on what has the index of a WireGuard interface that has gone: VPP still has its place")
	case s.of(p.SwIfIndex) == nil:
		r.Retval = invalidInterface
	case taken:
		r.Retval = alreadyExists
	default:
		p.Flags, p.PeerIndex = 0, 0
		p.Endpoint = eitherFamily(p.Endpoint)
		r.PeerIndex, _ = s.peers.put(none, p)
		s.toggled(p.SwIfIndex)
	}
	return r
}

// eitherFamily is an address that VPP keeps without its family, and takes for IPv4 if there are
// zeros before.
func eitherFamily(a ip_types.Address) ip_types.Address {
	long := as6(addrOf(a)).As16()
	if [12]byte(long[:12]) == [12]byte{} {
		return wireAddr(netip.AddrFrom4([4]byte(long[12:])))
	}
	return a
}

func (s *wgs) remove(index uint32) {
	on := s.peers.at(index).SwIfIndex
	s.peers.delete(index)
	s.toggled(on)
}

func (s *wgs) toggled(index interface_types.InterfaceIndex) {
	if i := s.v.life.interfaces.at(index); i != nil {
		for _, arc := range []string{"ip4-output", "ip6-output"} {
			s.v.life.features.toggled(arc, i)
		}
	}
}

func (s *wgs) dump(d *dump) {
	s.tuns.each(none, func(_ uint32, t **wgTunnel) {
		d.line(fmt.Sprintf("WireGuard %d from %v port %d by %x", (*t).index, addrOf((*t).SrcIP), (*t).Port, (*t).PublicKey))
	})
	s.peers.each(none, func(i uint32, p *wireguard.WireguardPeer) {
		d.line(fmt.Sprintf("  peer %d %x of %d at %v port %d", i, p.PublicKey, p.SwIfIndex, addrOf(p.Endpoint), p.Port), when(p.TableID != 0, "table %d", p.TableID),
			when(p.PersistentKeepalive != 0, "every %d s", p.PersistentKeepalive), fmt.Sprint(p.AllowedIps))
	})
}
