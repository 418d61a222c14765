// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/dhcp"
	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/ip_types"
)

// relays is the DHCP plugin, as far as it relays.
type relays struct {
	ips *ips
	all [2]map[uint32]*relay // by number of the table; IPv4, IPv6
}

type relay struct {
	source  netip.Addr
	at      uint32 // index of the table that requests come in by
	servers []relayServer
}

type relayServer struct {
	addr  netip.Addr
	table uint32
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
	is6 := server.Is6()
	all := s.all[family(is6)]
	r, to := all[q.RxVrfID], relayServer{server, q.ServerVrfID}
	n := -1
	if r != nil {
		n = slices.Index(r.servers, to)
	}
	switch {
	case q.IsAdd && n < 0:
		if r == nil {
			r = &relay{source: source, at: s.hold(is6, q.RxVrfID)}
			all[q.RxVrfID] = r
		}
		r.servers = append(r.servers, to)
		s.ips.lock(s.ips.table(is6, q.ServerVrfID))
	case !q.IsAdd && n >= 0: // the last one takes its place
		last := len(r.servers) - 1
		r.servers[n] = r.servers[last]
		r.servers = r.servers[:last]
		s.ips.unlock(s.ips.table(is6, q.ServerVrfID))
		if last == 0 {
			delete(all, q.RxVrfID)
			s.release(is6, q.RxVrfID)
		}
	}
	return new(dhcp.DHCPProxyConfigReply)
}

// hold keeps the table that requests come in by, and returns its index. For IPv4 it has
// VPP hear broadcasts; for IPv6 it is a multicast one.
func (s *relays) hold(is6 bool, id uint32) uint32 {
	if is6 {
		return s.ips.multicast.hold(id)
	}
	t := s.ips.table(false, id)
	s.ips.lock(t)
	s.ips.paths(t, broadcast, srcDHCP, []fib_types.FibPath{{Weight: 1, Type: fib_types.FIB_API_PATH_TYPE_LOCAL}})
	return t.index
}

func (s *relays) release(is6 bool, id uint32) {
	if is6 {
		s.ips.multicast.release(id)
		return
	}
	t := s.ips.table(false, id)
	s.ips.paths(t, broadcast, srcDHCP, nil)
	s.ips.unlock(t)
}

var broadcast = netip.MustParsePrefix("255.255.255.255/32")

func (s *relays) details(_ *Call, q *dhcp.DHCPProxyDump) (out []*dhcp.DHCPProxyDetails) {
	all := s.all[family(q.IsIP6)]
	ids := slices.SortedFunc(maps.Keys(all), func(a, b uint32) int { return cmp.Compare(all[a].at, all[b].at) })
	for _, id := range ids {
		d := &dhcp.DHCPProxyDetails{RxVrfID: id, IsIPv6: q.IsIP6, DHCPSrcAddress: nameless(all[id].source)}
		for _, to := range all[id].servers {
			d.Servers = append(d.Servers, dhcp.DHCPServer{ServerVrfID: to.table, DHCPServer: nameless(to.addr)})
		}
		out = append(out, d)
	}
	return out
}

// nameless is an address that does not say its family.
func nameless(a netip.Addr) ip_types.Address { return ip_types.Address{Un: wireAddr(a).Un} }

func (s *relays) dump(d *dump) {
	for _, all := range s.all {
		for _, id := range sortedKeys(all) {
			servers := slices.Clone(all[id].servers) // in an order that means nothing
			slices.SortFunc(servers, func(a, b relayServer) int { return a.addr.Compare(b.addr)*2 + int(a.table) - int(b.table) })
			d.line(fmt.Sprintf("dhcp-relay table %d from %v to %v", id, all[id].source, servers))
		}
	}
}
