// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/arp"
)

// proxyARP is the part of VPP that answers ARP for others.
type proxyARP struct {
	ips    *ips
	ranges []proxyRange // in order of coming
}

// A proxyRange belongs to a slot of the pool of tables, and outlives its table.
type proxyRange struct {
	table     *fibTable
	low, high netip.Addr
}

func loadProxyARP(v *VPP) {
	s := &proxyARP{ips: v.life.ips}
	v.life.states = append(v.life.states, s.dump)
	v.life.features.follow("arp", "arp-proxy", func(i *iface) bool { return s.ips.side(i.index).arp })
	Handle(v, s.addDel)
	HandleDump(v, s.all)
	Handle(v, s.enable)
	HandleDump(v, s.enabled)
}

func (s *proxyARP) addDel(_ *Call, q *arp.ProxyArpAddDel) *arp.ProxyArpAddDelReply {
	r := new(arp.ProxyArpAddDelReply)
	t := s.ips.pool[0].find(q.Proxy.TableID)
	if t == nil {
		r.Retval = noSuchFIB
		return r
	}
	p := proxyRange{t, netip.AddrFrom4(q.Proxy.Low), netip.AddrFrom4(q.Proxy.Hi)}
	n := slices.Index(s.ranges, p)
	switch {
	case q.IsAdd && n < 0:
		s.ranges = append(s.ranges, p)
	case !q.IsAdd && n < 0:
		r.Retval = noSuchEntry
	case !q.IsAdd:
		s.ranges = slices.Delete(s.ranges, n, n+1)
	}
	return r
}

func (s *proxyARP) all(_ *Call, _ *arp.ProxyArpDump) (out []*arp.ProxyArpDetails) {
	for _, p := range s.ranges {
		out = append(out, &arp.ProxyArpDetails{Proxy: arp.ProxyArp{TableID: p.table.id, Low: p.low.As4(), Hi: p.high.As4()}})
	}
	return out
}

func (s *proxyARP) enable(_ *Call, q *arp.ProxyArpIntfcEnableDisable) *arp.ProxyArpIntfcEnableDisableReply {
	r := new(arp.ProxyArpIntfcEnableDisableReply)
	if i := s.ips.v.life.interfaces.at(q.SwIfIndex); i == nil {
		r.Retval = invalidInterface
	} else if side := s.ips.side(i.index); side.arps != q.Enable {
		side.arps, side.arp = q.Enable, q.Enable
		s.ips.v.life.features.toggled("arp", i)
	}
	return r
}

func (s *proxyARP) enabled(_ *Call, _ *arp.ProxyArpIntfcDump) (out []*arp.ProxyArpIntfcDetails) {
	for _, index := range sortedKeys(s.ips.at) {
		if s.ips.at[index].arps {
			out = append(out, &arp.ProxyArpIntfcDetails{SwIfIndex: index})
		}
	}
	return out
}

func (s *proxyARP) dump(d *dump) {
	for _, p := range s.ranges {
		d.line(fmt.Sprintf("proxy-arp table %d %v to %v", p.table.id, p.low, p.high))
	}
	for _, index := range sortedKeys(s.ips.at) {
		if s.ips.at[index].arps {
			d.line(fmt.Sprintf("proxy-arp interface %d", index))
		}
	}
}
