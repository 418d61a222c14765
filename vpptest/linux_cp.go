// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"slices"
	"strings"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/lcp"
	"go.fd.io/govpp/binapi/tapv2"
)

// firstPairTAP is the lowest number of a TAP that a pair makes.
const firstPairTAP = 4096

// lcps is the linux-cp plugin. What there is of pairs is as VPP's source has it: the recordings are of a
// Linux on which none can be made.
type lcps struct {
	v         *VPP
	namespace string // the default
	pairs     pool[lcpPair]
	devices   uint32 // that Linux has numbered
}

type lcpPair struct {
	phy, host   *iface
	name, netns string
	tun         bool
	device      uint32 // Linux' number of it
}

func loadLCP(v *VPP) {
	l := &lcps{v: v}
	v.life.states = append(v.life.states, l.dump)
	i := v.life.interfaces
	i.deleting = append(i.deleting, func(i *iface) {
		if at, p := l.of(i); p != nil {
			l.delete(at)
		}
	})
	Handle(v, l.addDel)
	Handle(v, l.setNamespace)
	Handle(v, func(c *Call, _ *lcp.LcpDefaultNsGet) *lcp.LcpDefaultNsGetReply {
		if l.namespace == "" {
			c.NotImitated("the namespace of linux-cp where there is none: VPP answers with what lies in its memory")
		}
		return &lcp.LcpDefaultNsGetReply{Netns: l.namespace}
	})
	HandleGet(v, l.get)
}

func (l *lcps) setNamespace(_ *Call, q *lcp.LcpDefaultNsSet) *lcp.LcpDefaultNsSetReply {
	l.namespace = cut(q.Netns, 31)
	return new(lcp.LcpDefaultNsSetReply)
}

// of is the pair of an interface.
func (l *lcps) of(i *iface) (at uint32, p *lcpPair) {
	l.pairs.each(none, func(n uint32, x *lcpPair) {
		if x.phy == i {
			at, p = n, x
		}
	})
	return at, p
}

func (l *lcps) addDel(c *Call, q *lcp.LcpItfPairAddDelV3) *lcp.LcpItfPairAddDelV3Reply {
	r := &lcp.LcpItfPairAddDelV3Reply{HostSwIfIndex: indexAt(none), VifIndex: none}
	i := l.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		r.Retval = invalidInterface
		return r
	}
	at, have := l.of(i)
	switch {
	case q.IsAdd && have != nil:
		r.Retval = valueExists
	case q.IsAdd:
		p := lcpPair{phy: i, name: cut(q.HostIfName, 15), netns: cut(q.Netns, 31), tun: q.HostIfType == lcp.LCP_API_ITF_HOST_TUN}
		if r.Retval = l.add(c, &p); r.Retval == 0 {
			l.pairs.put(none, p)
			l.v.life.ips.reach(i.index) // whoever is there
			l.v.life.interfaces.setAdmin(p.host, true)
			r.HostSwIfIndex, r.VifIndex = indexOf(p.host), p.device
		}
	case have == nil:
		r.Retval = invalidInterface
	default:
		l.delete(at)
	}
	return r
}

// add makes the other end, a TAP, or a VLAN of the parent's.
func (l *lcps) add(c *Call, p *lcpPair) int32 {
	foreign := func(r rune) bool {
		return !strings.ContainsRune("-_%@:.", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	if strings.ContainsFunc(p.name, foreign) || p.phy.hw.class.l3 && !p.tun {
		return invalidArgument
	}
	if p.netns == "" {
		p.netns = l.namespace
	}
	l.devices++
	p.device = l.devices
	if p.phy.sub == nil {
		return l.tap(c, p)
	}
	if !p.phy.sub.pipe && !p.phy.sub.has(interface_types.SUB_IF_API_FLAG_EXACT_MATCH) {
		return invalidArgument
	}
	_, parent := l.of(p.phy.sup)
	switch {
	case parent == nil:
		return invalidInterface
	case p.phy.sub.inner != 0 && !slices.ContainsFunc(l.all(), func(x *lcpPair) bool { return x.under(p) }):
		return invalidArgument
	}
	retval, host := l.v.life.interfaces.createSubif(parent.host, parent.host, *p.phy.sub, invalidArgument)
	if retval != 0 {
		return invalidArgument
	}
	p.host = l.v.life.interfaces.at(host)
	return 0
}

func (l *lcps) all() (all []*lcpPair) {
	l.pairs.each(none, func(_ uint32, x *lcpPair) { all = append(all, x) })
	return all
}

// under says whether the device of a pair of two tags is a VLAN of this one's.
func (p *lcpPair) under(two *lcpPair) bool {
	const dot1ad = interface_types.SUB_IF_API_FLAG_DOT1AD
	o, i := p.phy.sub, two.phy.sub
	return o != nil && i != nil && p.phy.hw == two.phy.hw && o.inner == 0 && i.inner != 0 && o.outer == i.outer && o.has(dot1ad) == i.has(dot1ad)
}

// tap makes the other end in VPP, whose other end is the device.
func (l *lcps) tap(c *Call, p *lcpPair) int32 {
	q := tapv2.TapCreateV3{
		ID: firstPairTAP, UseRandomMac: true, NumRxQueues: 1, NumTxQueues: 1, RxRingSz: 256, TxRingSz: 256,
		HostIfNameSet: true, HostIfName: p.name, HostNamespaceSet: p.netns != "", HostNamespace: p.netns, HostMacAddrSet: true, HostMacAddr: p.phy.mac,
	}
	if q.HostMtuSize = p.phy.mtu[0]; q.HostMtuSize != 0 {
		q.HostMtuSet = true
	}
	if p.tun {
		q.TapFlags = tapv2.TAP_API_FLAG_TUN
	}
	for l.v.life.taps.has(q.ID) {
		q.ID++
	}
	index, retval := l.v.life.taps.do(c, q)
	if retval == 0 {
		p.host = l.v.life.interfaces.at(indexAt(index))
	}
	return retval
}

// delete ends a pair, and its end in VPP, whose sub-interfaces no other pair must have.
func (l *lcps) delete(at uint32) {
	p := *l.pairs.at(at)
	l.pairs.delete(at)
	l.pairs.each(none, func(_ uint32, x *lcpPair) {
		if x.host.sub != nil && x.host.sup == p.host {
			l.v.internal().NotImitated("a pair that goes before those of its sub-interfaces: what they have in VPP goes along, and they stay")
		}
		if p.under(x) {
			l.v.internal().NotImitated("a pair that goes before one of two tags that is made on it: its device of Linux goes along, and it stays")
		}
	})
	if p.host.sub == nil {
		l.v.life.taps.forget(p.host)
	}
	l.v.life.interfaces.delete(p.host)
}

func (l *lcps) get(_ *Call, q *lcp.LcpItfPairGet) (out []*lcp.LcpItfPairDetails, r *lcp.LcpItfPairGetReply) {
	all, retval, cursor := l.pairs.from(q.Cursor)
	for _, p := range all {
		d := &lcp.LcpItfPairDetails{PhySwIfIndex: indexOf(p.phy), HostSwIfIndex: indexOf(p.host), VifIndex: p.device, HostIfName: p.name, Netns: p.netns}
		if p.tun && len(p.name) < 15 { // else the end of the name is where the type was
			d.HostIfType = lcp.LCP_API_ITF_HOST_TUN
		}
		out = append(out, d)
	}
	return out, &lcp.LcpItfPairGetReply{Retval: retval, Cursor: cursor}
}

func (l *lcps) dump(d *dump) {
	l.pairs.each(none, func(_ uint32, p *lcpPair) {
		d.line(fmt.Sprintf("linux-cp pairs interface %d with %s, by %d", p.phy.index, p.name, p.host.index), when(p.netns != "", "in %s", p.netns), when(p.tun, "TUN"))
	})
	if l.namespace != "" {
		d.line("linux-cp's namespace is", l.namespace)
	}
}
