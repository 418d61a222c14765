// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"go.fd.io/govpp/binapi/tapv2"
)

var (
	tapClass = &class{devType: "virtio", setMAC: true, linkAdmin: true, mtuRange: [2]uint16{0, 65535}}
	tunClass = &class{devType: "virtio", mtu: featureDisabled, linkAdmin: true, l3: true}
)

// WithoutVhostNet is a Linux without /dev/vhost-net: no TAP can be made. It is what the
// recordings are of; what else of TAPs there is, is as VPP's source has it.
func WithoutVhostNet() Option { return func(o *options) { o.noVhostNet = true } }

// WithHostNamespace makes a network namespace of Linux exist, for the other ends of TAPs.
// Without it, every one exists; with it, only those that were named.
func WithHostNamespace(name string) Option {
	return func(o *options) { o.namespaces = append(o.namespaces, name) }
}

// taps makes devices of Linux that it is the other end of.
type taps struct {
	v   *VPP
	all pool[*tapPort]
}

type tapPort struct {
	*iface
	q tapv2.TapCreateV3
}

func loadTapV2(v *VPP) {
	t := &taps{v: v}
	v.life.taps = t
	v.life.states = append(v.life.states, t.dump)
	Handle(v, t.create)
	Handle(v, t.delete)
	HandleDump(v, t.details)
}

func (t *taps) create(c *Call, q *tapv2.TapCreateV3) *tapv2.TapCreateV3Reply {
	index, retval := t.do(c, *q)
	return &tapv2.TapCreateV3Reply{Retval: retval, SwIfIndex: indexAt(index)}
}

// lastOfName is how long a name of a device Linux takes; it cuts what is longer.
const lastOfName = 15

func (t *taps) do(c *Call, q tapv2.TapCreateV3) (index uint32, retval int32) {
	tun := q.TapFlags&tapv2.TAP_API_FLAG_TUN != 0
	if q.ID == none {
		for q.ID = 0; t.has(q.ID); q.ID++ { // the lowest
		}
	}
	q.HostIfName, q.HostNamespace, q.HostBridge = given(q.HostIfNameSet, q.HostIfName), given(q.HostNamespaceSet, q.HostNamespace), given(q.HostBridgeSet, q.HostBridge)
	hosts, namespaces := t.v.options.hosts, t.v.options.namespaces
	switch {
	case t.has(q.ID):
		return none, invalidInterface2
	case q.ID > 8192:
		return none, unspecified
	case q.TapFlags&tapv2.TAP_API_FLAG_ATTACH != 0 && !q.HostIfNameSet:
		return none, syscallError3
	case q.HostNamespaceSet && q.HostNamespace == "": // a directory, which is none
		return none, syscallError3
	case q.HostNamespaceSet && namespaces != nil && !slices.Contains(namespaces, q.HostNamespace):
		return none, syscallError2
	case q.HostIfName == "lo", slices.Contains(hosts, q.HostIfName), !linuxTakes(cut(q.HostIfName, lastOfName)):
		return none, syscallError3
	case q.NumRxQueues > 256, q.NumTxQueues > 256:
		return none, c.NotImitated("more queues than Linux gives a device")
	case q.HostIfNameSet && t.device(q.HostNamespace, q.HostIfName):
		return none, c.NotImitated("two interfaces on one device of Linux")
	case t.v.options.noVhostNet:
		return none, syscallError1
	case len(q.HostIfName) > lastOfName:
		return none, c.NotImitated("a device name that Linux cuts")
	case !tun && q.HostBridgeSet && hosts != nil && !slices.Contains(hosts, q.HostBridge):
		return none, netlinkError
	case bits.OnesCount16(q.RxRingSz) > 1, bits.OnesCount16(q.TxRingSz) > 1:
		return none, initFailed
	}
	return t.make(q, tun), 0
}

// linuxTakes says whether Linux calls a device so. It goes by bytes, of which 0xa0 is a space, and
// puts a number for one %d.
func linuxTakes(name string) bool {
	path := strings.ContainsAny(name, "/:\t\n\v\f\r ") || strings.Contains(name, "\xa0") || name == "." || name == ".."
	return !path && !strings.Contains(strings.Replace(name, "%d", "", 1), "%")
}

// given is text that may be there though it was not set.
func given(ok bool, text string) string {
	if !ok {
		return ""
	}
	return cut(text, 63)
}

func (t *taps) has(id uint32) (found bool) {
	t.all.each(none, func(_ uint32, p **tapPort) { found = found || (*p).q.ID == id })
	return found
}

func (t *taps) device(namespace, name string) (found bool) {
	t.all.each(none, func(_ uint32, p **tapPort) {
		found = found || (*p).q.HostIfName == name && (*p).q.HostNamespace == namespace
	})
	return found
}

func (t *taps) make(q tapv2.TapCreateV3, tun bool) uint32 {
	kind, i := "tap", &iface{class: tapClass, mac: q.MacAddress, ready: true, link: true}
	if q.UseRandomMac {
		i.mac = randomMAC()
	}
	if tun {
		kind, i.class = "tun", tunClass
		q.HostBridge = ""
	} else if q.HostMacAddr == (mac{}) || !q.HostMacAddrSet {
		q.HostMacAddr = randomMAC()
	}
	if !q.HostMtuSet {
		q.HostMtuSize = 0
	}
	i.name = fmt.Sprint(kind, q.ID)
	for n := 0; q.HostIfName == ""; n++ {
		if name := fmt.Sprint(kind, n); !t.device(q.HostNamespace, name) {
			q.HostIfName = name
		}
	}
	for _, ring := range []*uint16{&q.RxRingSz, &q.TxRingSz} {
		if *ring == 0 {
			*ring = 256
		}
	}
	t.v.life.interfaces.add(i)
	if tun {
		i.linkMTU = 1500
		if q.HostMtuSize != 0 {
			i.linkMTU = uint16(q.HostMtuSize)
		}
		i.mtu[0] = uint32(i.linkMTU)
	}
	i.tag = cut(q.Tag, 63)
	place, _ := t.all.put(none, &tapPort{i, q})
	i.instance = place
	t.v.life.interfaces.edge(i.index, linkUp)
	return i.index
}

// delete takes a sub-interface for its interface, as VPP does.
func (t *taps) delete(_ *Call, q *tapv2.TapDeleteV2) *tapv2.TapDeleteV2Reply {
	i := t.v.life.interfaces.at(q.SwIfIndex)
	if i == nil || i.hw.class != tapClass && i.hw.class != tunClass {
		return &tapv2.TapDeleteV2Reply{Retval: invalidInterface}
	}
	t.forget(i.hw)
	t.v.life.interfaces.delete(i.hw)
	return new(tapv2.TapDeleteV2Reply)
}

func (t *taps) forget(i *iface) { t.all.delete(i.instance) }

func (t *taps) details(_ *Call, q *tapv2.SwInterfaceTapV2Dump) (out []*tapv2.SwInterfaceTapV2Details) {
	t.all.each(none, func(_ uint32, x **tapPort) {
		p := *x
		if q.SwIfIndex != none && q.SwIfIndex != indexOf(p.iface) {
			return
		}
		d := &tapv2.SwInterfaceTapV2Details{
			SwIfIndex: p.index, ID: p.q.ID, TxRingSz: p.q.TxRingSz, RxRingSz: p.q.RxRingSz, HostMtuSize: p.q.HostMtuSize,
			HostMacAddr: p.q.HostMacAddr, TapFlags: p.q.TapFlags, DevName: p.name,
			HostIfName: p.q.HostIfName, HostNamespace: p.q.HostNamespace, HostBridge: p.q.HostBridge,
		}
		if p.q.HostIP4PrefixSet && p.q.HostIP4Prefix.Len > 0 {
			d.HostIP4Prefix = p.q.HostIP4Prefix
		}
		if p.q.HostIP6PrefixSet && p.q.HostIP6Prefix.Len > 0 {
			d.HostIP6Prefix = p.q.HostIP6Prefix
		}
		out = append(out, d)
	})
	return out
}

func (t *taps) dump(d *dump) {
	t.all.each(none, func(_ uint32, x **tapPort) {
		q := (*x).q
		if q.HostMacAddr[0] == 2 && q.HostMacAddr[1] == 0xfe {
			q.HostMacAddr = mac{} // made up
		}
		q.UseRandomMac = false
		d.line(fmt.Sprintf("tap %d %+v", (*x).index, q))
	})
}
