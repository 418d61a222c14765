// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"slices"

	"go.fd.io/govpp/binapi/af_packet"
)

var (
	// Linux gets 44 bytes more than VPP was asked for, and takes 68 to 65535.
	hostClass   = &class{devType: "af-packet", setMAC: true, linkAdmin: true, mtuRange: [2]uint16{24, 65535 - 44}}
	hostL3Class = &class{devType: "af-packet", mtu: featureDisabled, linkAdmin: true, l3: true}
)

// hosts is the af_packet plugin: interfaces on top of those of Linux.
type hosts struct {
	v     *VPP
	all   []*iface // by instance; nil is free
	free  []int
	names map[string]*iface // by Linux device
}

func loadAfPacket(v *VPP) {
	h := &hosts{v: v, names: make(map[string]*iface)}
	Handle(v, h.create)
	Handle(v, h.delete)
	HandleDump(v, h.details)
}

func (h *hosts) create(c *Call, q *af_packet.AfPacketCreateV3) *af_packet.AfPacketCreateV3Reply {
	const room = 31 // it is more by a little, and who is near it dies now and then
	switch device := q.HostIfName; {
	case q.Mode != af_packet.AF_PACKET_API_MODE_ETHERNET && q.Mode != af_packet.AF_PACKET_API_MODE_IP:
		return &af_packet.AfPacketCreateV3Reply{Retval: invalidValue, SwIfIndex: indexAt(none)}
	case len(device) > room:
		return &af_packet.AfPacketCreateV3Reply{Retval: c.NotImitated("a device name that VPP writes beyond its place")}
	}
	device := q.HostIfName
	if i := h.names[device]; i != nil {
		return &af_packet.AfPacketCreateV3Reply{Retval: interfaceExists, SwIfIndex: indexOf(i)}
	}
	if known := h.v.options.hosts; device == "" || len(device) > 15 || known != nil && !slices.Contains(known, device) {
		return &af_packet.AfPacketCreateV3Reply{Retval: invalidInterface2, SwIfIndex: 0}
	}
	if q.RxFrameSize|q.TxFrameSize|q.RxFramesPerBlock|q.TxFramesPerBlock != 0 || q.NumRxQueues > 1 || q.NumTxQueues > 1 {
		return &af_packet.AfPacketCreateV3Reply{Retval: c.NotImitated("rings of another size or number, which Linux can refuse")}
	}
	n := len(h.all)
	if f := len(h.free); f > 0 {
		n, h.free = h.free[f-1], h.free[:f-1]
	} else {
		h.all = append(h.all, nil)
	}
	i := &iface{name: "host-" + device, class: hostClass, instance: uint32(n), link: true, ready: true}
	i.mac = q.HwAddr
	if q.UseRandomHwAddr {
		i.mac = randomMAC()
	}
	if q.Mode == af_packet.AF_PACKET_API_MODE_IP {
		i.mac = mac{}
		i.class = hostL3Class
	}
	h.all[n] = h.v.life.interfaces.add(i)
	h.v.life.interfaces.edge(i.index, linkUp) // until it goes down for the first time
	h.names[device] = i
	return &af_packet.AfPacketCreateV3Reply{SwIfIndex: indexOf(i)}
}

func (h *hosts) delete(_ *Call, q *af_packet.AfPacketDelete) *af_packet.AfPacketDeleteReply {
	i := h.names[q.HostIfName]
	if i == nil {
		return &af_packet.AfPacketDeleteReply{Retval: syscallError1}
	}
	delete(h.names, q.HostIfName)
	h.all[i.instance] = nil
	h.free = append(h.free, int(i.instance))
	h.v.life.interfaces.delete(i)
	return new(af_packet.AfPacketDeleteReply)
}

func (h *hosts) details(*Call, *af_packet.AfPacketDump) (out []*af_packet.AfPacketDetails) {
	for _, i := range h.all {
		for device, x := range h.names {
			if i != nil && x == i {
				out = append(out, &af_packet.AfPacketDetails{SwIfIndex: indexOf(i), HostIfName: device})
			}
		}
	}
	return out
}
