// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/dhcp"
	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/ip_types"
)

// relays is the DHCP plugin, as far as it relays. Its tables can end while it keeps them,
// and be others then.
type relays struct {
	ips *ips
	all [2]map[uint32]*relay // by index of the table that requests come in by; IPv4, IPv6
}

type relay struct {
	source  netip.Addr
	servers []relayServer
}

type relayServer struct {
	addr  netip.Addr
	table *fibTable
}

func loadDHCP(v *VPP) {
	s := &relays{ips: v.life.ips, all: [2]map[uint32]*relay{{}, {}}}
	v.life.states = append(v.life.states, s.dump)
	Handle(v, s.config)
	HandleDump(v, s.details)
}

func (s *relays) config(_ *Call, q *dhcp.DHCPProxyConfig) *dhcp.DHCPProxyConfigReply {
	server, source := addrOf(q.DHCPServer), addrOf(q.DHCPSrcAddress)
	switch {
	case q.DHCPServer.Af != q.DHCPSrcAddress.Af:
		return &dhcp.DHCPProxyConfigReply{Retval: invalidArgument}
	case server.IsUnspecified():
		return &dhcp.DHCPProxyConfigReply{Retval: invalidDestination}
	case source.IsUnspecified():
		return &dhcp.DHCPProxyConfigReply{Retval: invalidSource}
	}
	if server.Is6() {
		m := &s.ips.multicast[1]
		t := m.table(q.RxVrfID)
		m.lock(t)
		switch s.set(q, t.index, server, source) {
		case added:
			m.lock(t)
		case deleted:
			s.ips.unlockMulticast(true, t)
		}
		s.ips.unlockMulticast(true, t)
		return new(dhcp.DHCPProxyConfigReply)
	}
	t := s.ips.table(false, q.RxVrfID)
	s.ips.lock(t)
	switch s.set(q, t.index, server, source) {
	case added: // VPP comes to hear broadcasts
		s.ips.paths(t, broadcast, srcDHCP, []fib_types.FibPath{{Weight: 1, Type: fib_types.FIB_API_PATH_TYPE_LOCAL}})
		s.ips.lock(t)
	case deleted:
		s.ips.paths(t, broadcast, srcDHCP, nil)
		s.ips.unlock(t)
	}
	s.ips.unlock(t)
	return new(dhcp.DHCPProxyConfigReply)
}

// set adds or deletes a server, and says whether that added or deleted the relay.
func (s *relays) set(q *dhcp.DHCPProxyConfig, rx uint32, server, source netip.Addr) (done edge) {
	is6 := server.Is6()
	all := s.all[family(is6)]
	r, n := all[rx], -1
	if r != nil {
		to := relayServer{server, s.ips.pool[family(is6)].find(q.ServerVrfID)}
		n = slices.Index(r.servers, to)
	}
	switch {
	case q.IsAdd && n < 0:
		if r == nil {
			r, done = &relay{source: source}, added
			all[rx] = r
		}
		t := s.ips.table(is6, q.ServerVrfID)
		s.ips.lock(t)
		r.servers = append(r.servers, relayServer{server, t})
	case !q.IsAdd && n >= 0: // the last one takes its place
		s.ips.unlock(r.servers[n].table)
		last := len(r.servers) - 1
		r.servers[n] = r.servers[last]
		if r.servers = r.servers[:last]; last == 0 {
			delete(all, rx)
			done = deleted
		}
	}
	return done
}

var broadcast = netip.MustParsePrefix("255.255.255.255/32")

func (s *relays) details(_ *Call, q *dhcp.DHCPProxyDump) (out []*dhcp.DHCPProxyDetails) {
	all := s.all[family(q.IsIP6)]
	for _, rx := range sortedKeys(all) {
		d := &dhcp.DHCPProxyDetails{RxVrfID: s.id(q.IsIP6, rx), IsIPv6: q.IsIP6, DHCPSrcAddress: nameless(all[rx].source)}
		for _, to := range all[rx].servers {
			d.Servers = append(d.Servers, dhcp.DHCPServer{ServerVrfID: to.table.id, DHCPServer: nameless(to.addr)})
		}
		out = append(out, d)
	}
	return out
}

// id is the number of the table that requests come in by, or of what is in its place.
func (s *relays) id(is6 bool, rx uint32) uint32 {
	if is6 {
		return s.ips.multicast[1].slots[rx].id
	}
	return s.ips.pool[0].slots[rx].id
}

// nameless is an address that does not say its family.
func nameless(a netip.Addr) ip_types.Address { return ip_types.Address{Un: wireAddr(a).Un} }

func (s *relays) dump(d *dump) {
	for is6, all := range s.all {
		for _, rx := range sortedKeys(all) {
			var servers []string // in an order that means nothing
			for _, to := range all[rx].servers {
				servers = append(servers, fmt.Sprintf("%v in table %d", to.addr, to.table.id))
			}
			slices.Sort(servers)
			d.line(fmt.Sprintf("dhcp-relay table %d from %v to %v", s.id(is6 == 1, rx), all[rx].source, servers))
		}
	}
}
