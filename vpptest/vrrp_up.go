// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/vrrp"
)

// A change is what VRRP hears of, and believes of all interfaces that a router tracks,
// whichever it happened to. Its zero value is none.
type change struct {
	what changed
	up   bool
	hw   *iface // whose link it is
}

type changed int

const (
	nothing changed = iota
	adminState
	linkState
	ip6State
)

// up tells whether an interface can send packets of the family.
func (r *routers) up(index uint32, is6 bool, c change) bool {
	i := r.v.life.interfaces.at(indexAt(index))
	if i == nil {
		return false
	}
	ips := r.v.life.ips
	admin, link, addressed := i.admin, i.hw.link, len(ips.used(index, is6)) > 0 || is6 && ips.side(index).ip6 > 0
	switch {
	case c.what == adminState:
		admin = c.up
	case c.what == linkState && c.hw == i.hw:
		link = c.up
	case c.what == ip6State:
		addressed = c.up
	}
	return admin && link && addressed
}

// weigh is how VPP comes to the priority that a router lacks. It does so when something
// changes of which it hears, and not of everything.
func (r *routers) weigh(x *router, c change) {
	x.lost = 0
	for _, t := range x.tracked {
		if !r.up(uint32(t.SwIfIndex), x.key.is6, c) {
			x.lost += uint32(t.Priority)
		}
	}
}

func (x *router) effective() uint8 {
	if x.lost < uint32(x.priority) {
		return x.priority - uint8(x.lost)
	}
	return 1
}

// weighAll weighs those that track an interface.
func (r *routers) weighAll(index uint32, is6 bool, c change) {
	r.all.each(none, func(_ uint32, x *router) {
		if x.key.is6 == is6 && slices.ContainsFunc(x.tracked, func(t vrrp.VrrpVrTrackIf) bool { return uint32(t.SwIfIndex) == index }) {
			r.weigh(x, c)
		}
	})
}

// switched and linked are what an interface that goes up or down does.
func (r *routers) switched(i *iface) { r.changed(i.index, change{what: adminState, up: i.admin}) }

func (r *routers) linked(i *iface) {
	c := change{what: linkState, up: i.link, hw: i}
	r.changed(i.index, c)
	for _, id := range hashOrder(i.goes, going.order) {
		r.changed(i.goes[id].index, c)
	}
}

func (r *routers) changed(index uint32, c change) {
	r.all.each(none, func(_ uint32, x *router) {
		if x.key.index != index || x.state == vrrp.VRRP_API_VR_STATE_INIT {
			return
		}
		if !r.up(index, x.key.is6, c) {
			r.move(x, vrrp.VRRP_API_VR_STATE_INTF_DOWN)
		} else if x.state == vrrp.VRRP_API_VR_STATE_INTF_DOWN {
			r.move(x, x.begin())
		}
	})
	r.weighAll(index, false, c)
	r.weighAll(index, true, c)
}

// addressed is what an interface that gets or loses an IPv4 address does, toggled one
// that comes to do IPv6 or ceases to. More IPv6 addresses do nothing.
func (r *routers) addressed(index uint32, p netip.Prefix, _ bool) {
	if p.Addr().Is4() {
		r.weighAll(index, false, change{})
	}
}

func (r *routers) toggled(index uint32, on bool) {
	r.weighAll(index, true, change{what: ip6State, up: on})
}
