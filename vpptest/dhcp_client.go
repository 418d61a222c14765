// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bytes"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/binapi/dhcp"
	"go.fd.io/govpp/binapi/interface_types"
)

// dhcpClients is the DHCP plugin, as far as it asks for addresses. Nobody answers, but by VPP.Lease.
type dhcpClients struct {
	v      *VPP
	all    pool[dhcp.DHCPClient]
	left   map[uint32]bool         // by place: its interface went, and it hears nothing at what has its index
	leases map[uint32]netip.Prefix // by place
}

func loadDHCPClients(v *VPP) {
	s := &dhcpClients{v: v, left: make(map[uint32]bool), leases: make(map[uint32]netip.Prefix)}
	v.life.asking = s
	v.life.states = append(v.life.states, s.dump)
	v.life.features.follow("ip4-unicast", "ip4-dhcp-client-detect", func(i *iface) bool {
		place, is := s.of(indexOf(i))
		return is && !s.left[place] && !s.leases[place].IsValid() // who has an address does not listen, until it is time to ask again
	})
	is := v.life.interfaces
	speak := func(i *iface) {
		for _, c := range is.all {
			if c != nil && c.hw == i.hw && s.dumb(c) {
				v.internal().NotImitated("an interface without a MAC comes up that asks by DHCP: VPP dies of it, when next it asks")
			}
		}
	}
	is.switched, is.linked = append(is.switched, speak), append(is.linked, speak)
	is.deleting = append(is.deleting, func(i *iface) {
		if place, has := s.of(indexOf(i)); has {
			s.left[place] = true
		}
	})
	Handle(v, s.config)
	HandleDump(v, func(*Call, *dhcp.DHCPClientDump) (out []*dhcp.DHCPClientDetails) {
		s.all.each(none, func(place uint32, c *dhcp.DHCPClient) {
			d := &dhcp.DHCPClientDetails{Client: *c, Lease: dhcp.DHCPLease{SwIfIndex: c.SwIfIndex, Hostname: c.Hostname}}
			if p, bound := s.leases[place]; bound {
				d.Lease.State, d.Lease.HostAddress, d.Lease.MaskWidth = dhcp.DHCP_CLIENT_STATE_API_BOUND, wireAddr(p.Addr()), uint8(p.Bits())
			}
			out = append(out, d)
		})
		return out
	})
}

// Lease is what happens on the wire: a server gives the DHCP client of the interface with this name an address, and
// a host name, if that is not "". One that has its address already, or hears nothing, gets none.
func (v *VPP) Lease(iface string, address netip.Prefix, hostname string) {
	v.Do(func() {
		s := v.life.asking
		if s == nil {
			return
		}
		s.all.each(none, func(place uint32, c *dhcp.DHCPClient) {
			on := v.life.interfaces.at(c.SwIfIndex)
			if on == nil || on.title() != iface || s.left[place] || s.leases[place].IsValid() {
				return
			}
			s.leases[place] = address
			if hostname != "" {
				c.Hostname = hostname[:min(63, len(hostname))]
			}
			v.life.ips.addAddress(on, address)
		})
	})
}

// of is the place of an interface's client.
func (s *dhcpClients) of(index interface_types.InterfaceIndex) (place uint32, is bool) {
	s.all.each(none, func(i uint32, c *dhcp.DHCPClient) {
		if c.SwIfIndex == index {
			place, is = i, true
		}
	})
	return place, is
}

// dumb says whether an interface has a client, and could send what that asks but for a MAC.
func (s *dhcpClients) dumb(i *iface) bool {
	_, asks := s.of(indexOf(i))
	return asks && i.hw.class.l3 && i.hw.link && i.hw.admin && i.admin
}

func (s *dhcpClients) config(c *Call, q *dhcp.DHCPClientConfig) *dhcp.DHCPClientConfigReply {
	place, is := s.of(q.Client.SwIfIndex)
	switch {
	case s.v.life.interfaces.at(q.Client.SwIfIndex) == nil:
		return &dhcp.DHCPClientConfigReply{Retval: invalidInterface}
	case q.IsAdd == is:
		return &dhcp.DHCPClientConfigReply{Retval: invalidValue}
	case !q.IsAdd:
		if p, bound := s.leases[place]; bound {
			s.v.life.ips.dropAddress(s.v.life.interfaces.at(q.Client.SwIfIndex), p)
		}
		s.all.delete(place)
		delete(s.left, place)
		delete(s.leases, place)
		return new(dhcp.DHCPClientConfigReply)
	}
	x := q.Client
	x.Hostname = x.Hostname[:min(63, len(x.Hostname))] // and as much of the identity
	text, _, _ := bytes.Cut(x.ID, []byte{0})
	text = text[:min(63, len(text))]
	x.ID = append(append(make([]byte, 0, 64), text...), make([]byte, 64-len(text))...)
	s.all.put(none, x)
	s.v.life.ips.reach(uint32(x.SwIfIndex)) // for who is asked, which is all
	if s.dumb(s.v.life.interfaces.at(x.SwIfIndex)) {
		c.NotImitated("a DHCP client of an interface without a MAC, which is up: VPP dies of it, when it asks")
	}
	return new(dhcp.DHCPClientConfigReply)
}

func (s *dhcpClients) dump(d *dump) {
	s.all.each(none, func(place uint32, c *dhcp.DHCPClient) {
		lease := ""
		if p, bound := s.leases[place]; bound {
			lease = " has " + p.String()
		}
		d.line(fmt.Sprintf("DHCP client on %d, %q, %q, DSCP %d%s", c.SwIfIndex, c.Hostname, bytes.TrimRight(c.ID, "\x00"), c.Dscp, lease), when(c.SetBroadcastFlag, "broadcast"), when(s.left[place], "left"))
	})
}
