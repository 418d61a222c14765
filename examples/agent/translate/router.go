// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// RouterPort is an interface of a router, as its key describes it: a leg in one of
// its networks, or its gateway, which leads out.
type RouterPort struct {
	Router, Port string // UUIDs
	VRF          uint32 // the number of the router's table
	Net
	MAC   vppnet.MAC
	MTU   uint32         // 0: VPP's default
	Addrs []netip.Prefix // its own, each with the length of its subnet

	External bool
	// Of a gateway only.
	SNAT   bool         // hosts without a floating IP share its first IPv4 address
	Next   []netip.Addr // of IPv4, IPv6 or both: by whom it leads out
	Routes []ExtraRoute // of the router, in order

	// Lacks names the parts of the value that are left out; all else is served. nil:
	// there are none.
	Lacks error

	more []netip.Addr // of a leg, beside gateway_ip; of those that are not in Addrs nobody said how long their subnets are
	last netip.Addr   // in whose subnet the way out is that the value names, or says that there is none; none: nobody can tell
}

// ExtraRoute is a way to a prefix, by hosts in the networks of a router.
type ExtraRoute struct {
	To netip.Prefix
	By []netip.Addr
}

// Name is the name of the port's key, below Site.Routers.
func (p RouterPort) Name() string { return p.Router + "/" + p.Port }

// maxVRF leaves the upper half of the numbers to the tables of external networks.
const maxVRF = 1<<31 - 1

// RouterPort reads the key of a router's interface: its name below Site.Routers,
// and its value. Without its number, its MAC, its network and an address there is no
// interface; what is wrong of the rest is left out, see RouterPort.Lacks. The error is
// final until the value changes.
func (s Site) RouterPort(name string, value []byte) (p RouterPort, err error) {
	p.Router, p.Port, _ = strings.Cut(name, "/")
	if !uuid.MatchString(p.Router) || !uuid.MatchString(p.Port) {
		return p, errors.New("the key's name is not that of a router and a port, UUID/UUID")
	}
	f, err := parse(value, maxPort)
	if err != nil {
		return p, err
	}
	out, err := within(f, "external_gateway_info")
	if err != nil {
		return p, err
	}
	var mac string
	var vrf int64
	if err := errors.Join(need(f, "vrf_id", &vrf), need(f, "loopback_mac", &mac)); err != nil {
		return p, err
	}
	if vrf < 1 || vrf > maxVRF {
		return p, fmt.Errorf("vrf_id: %d, want 1 to %d", vrf, maxVRF)
	}
	p.VRF = uint32(vrf)
	if p.MAC, err = vppnet.ParseMAC(mac); err != nil || p.MAC.IsZero() || p.MAC.IsMulticast() {
		return p, fmt.Errorf("loopback_mac: %.40q is no unicast MAC", mac)
	}
	var left lacks
	if p.External = len(out) > 0; p.External {
		err = p.gateway(s, f, out, &left)
	} else {
		err = p.leg(s, f, &left)
	}
	left.add(p.mtu(f))
	p.Lacks = left.join()
	return p, err
}

// mtu reads the MTU of an interface, which stays VPP's if it cannot be that.
func (p *RouterPort) mtu(f fields) error {
	var mtu int64
	if err := read(f, "mtu", &mtu); err != nil {
		return err
	}
	least := int64(68)
	if slices.ContainsFunc(p.Addrs, func(a netip.Prefix) bool { return a.Addr().Is6() }) || slices.ContainsFunc(p.more, netip.Addr.Is6) {
		least = 1280
	}
	if mtu != 0 && (mtu < least || mtu > 65535) {
		return fmt.Errorf("mtu: %d, want %d to 65535", mtu, least)
	}
	p.MTU = uint32(mtu)
	return nil
}

// leg reads what only an interface in one of the router's networks has.
func (p *RouterPort) leg(s Site, f fields, out *lacks) (err error) {
	if p.Net, err = s.net(f, "physnet", "net_type", "segmentation_id"); err != nil {
		return err
	}
	var ip string
	var bits int64
	if err := errors.Join(need(f, "gateway_ip", &ip), need(f, "prefixlen", &bits)); err != nil {
		return err
	}
	a, err := ownAddress(ip, bits)
	if err != nil {
		return fmt.Errorf("gateway_ip: %w", err)
	}
	is6 := a.Addr().Is6() // the address says so itself
	out.add(read(f, "is_ipv6", &is6))
	if is6 != a.Addr().Is6() {
		out.add(fmt.Errorf("is_ipv6: %v, but gateway_ip is %s", is6, ip))
	}
	p.Addrs = []netip.Prefix{a}
	p.others(f, out)
	return nil
}

// ownAddress reads an address that an interface can have.
func ownAddress(ip string, bits int64) (netip.Prefix, error) {
	a, err := address(ip)
	if err != nil {
		return netip.Prefix{}, err
	}
	if bits < 1 || bits > int64(a.BitLen()) {
		return netip.Prefix{}, fmt.Errorf("a subnet of %s has no prefix of %d bits", a, bits)
	}
	if err := checkOwn(a); err != nil {
		return netip.Prefix{}, err
	}
	p := netip.PrefixFrom(a, int(bits))
	return p, l3.Address{Interface: "leg", Prefix: p}.Validate()
}

// gateway reads what only the way out has.
func (p *RouterPort) gateway(s Site, f, info fields, out *lacks) (err error) {
	if p.Net, err = s.net(f, "external_physnet", "external_net_type", "external_segmentation_id"); err != nil {
		return err
	}
	p.SNAT = true // what Neutron means by leaving it out, and what hides hosts if nobody can tell
	out.add(read(info, "enable_snat", &p.SNAT))
	var addrs []json.RawMessage
	if err := need(f, "gateways", &addrs); err != nil {
		return err
	}
	for i, raw := range addrs {
		a, err := gatewayAddress(raw)
		if err != nil {
			out.add(fmt.Errorf("gateways %d: %w", i, err))
		} else if !slices.Contains(p.Addrs, a) {
			p.Addrs = append(p.Addrs, a)
		}
	}
	if len(p.Addrs) == 0 {
		return cmp.Or(out.join(), errors.New("gateways: there is none"))
	}
	p.last = p.Addrs[len(p.Addrs)-1].Addr()
	// The driver names one, whatever there are. Others can be named beside it.
	var next string
	var more []string
	if err := read(f, "external_gateway_ip", &next); err != nil {
		out.add(err)
		p.last = netip.Addr{}
	}
	for i, raw := range list(f, "external_gateway_ips", out) {
		var ip string
		if err := json.Unmarshal(raw, &ip); err != nil {
			out.add(fmt.Errorf("external_gateway_ips %d: %.40s is no text", i, raw))
		} else {
			more = append(more, ip)
		}
	}
	if next != "" && !slices.Contains(more, next) {
		more = append([]string{next}, more...)
	}
	for _, ip := range more {
		if err := p.by(ip); err != nil {
			out.add(fmt.Errorf("external_gateway_ip: %w", err))
			if ip == next {
				p.last = netip.Addr{}
			}
		}
	}
	p.routes(f, out)
	return nil
}

// gatewayAddress reads [address, length, whether it is IPv6].
func gatewayAddress(raw []byte) (netip.Prefix, error) {
	var three []json.RawMessage
	if err := json.Unmarshal(raw, &three); err != nil || len(three) < 2 {
		return netip.Prefix{}, fmt.Errorf("%.40s is no list of address, length and family", raw)
	}
	var ip string
	var bits int64
	if json.Unmarshal(three[0], &ip) != nil || json.Unmarshal(three[1], &bits) != nil {
		return netip.Prefix{}, fmt.Errorf("%.40s is no list of address, length and family", raw)
	}
	return ownAddress(ip, bits)
}

func (p *RouterPort) by(ip string) error {
	a, err := address(ip)
	if err != nil {
		return err
	}
	family := func(b netip.Addr) bool { return b.Is6() == a.Is6() }
	switch {
	case !isOne(a):
		return fmt.Errorf("%s is nobody's own", a)
	case slices.ContainsFunc(p.Addrs, func(own netip.Prefix) bool { return edge(own, a) }):
		return fmt.Errorf("%s is a subnet's own, or its broadcast", a)
	case slices.ContainsFunc(p.Addrs, func(own netip.Prefix) bool { return own.Addr() == a }):
		return fmt.Errorf("%s is the router's own", a)
	case slices.ContainsFunc(p.Next, family):
		return fmt.Errorf("%s is the second of its family", a)
	case !slices.ContainsFunc(p.Addrs, func(own netip.Prefix) bool { return family(own.Addr()) }):
		return fmt.Errorf("%s, but the router has no such address", a)
	}
	p.Next = append(p.Next, a)
	return nil
}

// lacksOf are the families of a gateway's addresses for which nobody said by whom they lead
// out, or that it is nobody: the value says it of the last subnet alone.
func (p RouterPort) lacksOf() (out []netip.Prefix) {
	for _, a := range p.Addrs {
		same := func(b netip.Addr) bool { return b.Is6() == a.Addr().Is6() }
		if !(p.last.IsValid() && same(p.last)) && !slices.ContainsFunc(p.Next, same) {
			out = append(out, a)
		}
	}
	return out
}

// After is p when its key had the value before: who led out of a subnet does so still, if
// the value names nobody of its family. The driver writes a gateway of two families in two
// steps, and each names one.
func (p RouterPort) After(before RouterPort) RouterPort {
	if before.Net != p.Net {
		return p
	}
	p.Next = slices.Clone(p.Next)
	for _, a := range before.Addrs {
		p.measure(a)
	}
	for _, a := range p.lacksOf() {
		if next, ok := before.leads(a); ok {
			p.lead(next)
		}
	}
	return p
}

// leads is who leads out of a subnet.
func (p RouterPort) leads(of netip.Prefix) (next netip.Addr, ok bool) {
	if !slices.ContainsFunc(p.Addrs, func(a netip.Prefix) bool { return a.Masked() == of.Masked() }) {
		return next, false
	}
	i := slices.IndexFunc(p.Next, func(n netip.Addr) bool { return n.Is6() == of.Addr().Is6() })
	if i < 0 {
		return next, false
	}
	return p.Next[i], true
}

// lead adds who leads out of a family, unless somebody does.
func (p *RouterPort) lead(next netip.Addr) {
	if !slices.ContainsFunc(p.Next, func(n netip.Addr) bool { return n.Is6() == next.Is6() }) {
		p.Next = append(p.Next, next)
	}
}

// Covers says whether p is as much of a gateway as another value of its key: it leads out in
// each family that the other does.
func (p RouterPort) Covers(before RouterPort) bool {
	return p.External && !slices.ContainsFunc(before.Addrs, func(b netip.Prefix) bool {
		return !slices.ContainsFunc(p.Addrs, func(a netip.Prefix) bool { return a.Addr().Is6() == b.Addr().Is6() })
	})
}

// Led is p when VPP holds what was found: who leads out there does so still, if the value
// names nobody of the family.
func (p RouterPort) Led(found map[desiredstate.Key]desiredstate.Object) RouterPort {
	p.Next = slices.Clone(p.Next)
	p.measured(found)
	for _, a := range p.lacksOf() {
		if _, ok := found[l3.AddressKey(door(p.Net), alone(a.Addr()))]; !ok {
			continue
		}
		for _, table := range []string{p.table(), wayTable(p.Router)} {
			all, _ := found[l3.RouteKey(table, netip.PrefixFrom(unspecified(a.Addr()), 0))].(l3.Route)
			if len(all.Paths) == 1 && all.Paths[0].Interface == door(p.Net) && all.Paths[0].NextHop.IsValid() {
				p.lead(all.Paths[0].NextHop)
			}
		}
	}
	return p
}

// routes reads the router's extra routes. Several to one destination share its flows.
func (p *RouterPort) routes(f fields, out *lacks) {
	by := map[netip.Prefix][]netip.Addr{}
	for i, raw := range list(f, "routes", out) {
		dst, next, err := p.extraRoute(raw)
		if err != nil {
			out.add(fmt.Errorf("routes %d: %w", i, err))
		} else if !slices.Contains(by[dst], next) {
			by[dst] = append(by[dst], next)
		}
	}
	for to, hops := range by {
		slices.SortFunc(hops, netip.Addr.Compare)
		p.Routes = append(p.Routes, ExtraRoute{to, hops})
	}
	slices.SortFunc(p.Routes, func(a, b ExtraRoute) int {
		return cmp.Or(a.To.Addr().Compare(b.To.Addr()), cmp.Compare(a.To.Bits(), b.To.Bits()))
	})
	for i, r := range p.Routes {
		if n := len(r.By); n > maxPaths {
			p.Routes[i].By = r.By[:maxPaths]
			out.add(fmt.Errorf("routes: %d ways to %s, want at most %d, so the last %d are left out", n, r.To, maxPaths, n-maxPaths))
		}
	}
}

// maxPaths is how many a route of VPP's API can have.
const maxPaths = 255

func (p *RouterPort) extraRoute(raw []byte) (dst netip.Prefix, next netip.Addr, err error) {
	var to, hop string
	f, err := parse(raw, maxPort)
	if err == nil {
		err = errors.Join(need(f, "destination", &to), need(f, "nexthop", &hop))
	}
	if err != nil {
		return dst, next, err
	}
	if dst, err = prefix(to); err != nil {
		return dst, next, fmt.Errorf("destination: %w", err)
	}
	if dst.Bits() == 0 {
		return dst, next, errors.New("the way to everywhere is the gateway")
	}
	if next, err = address(hop); err == nil && !isOne(next) {
		err = fmt.Errorf("%s is nobody's own", next)
	}
	if err == nil {
		err = l3.Route{Table: p.table(), Prefix: dst, Paths: []l3.Path{{NextHop: next, Interface: "leg"}}}.Validate()
	}
	if err == nil && next.Is6() != dst.Addr().Is6() {
		err = fmt.Errorf("%s is not of the family of %s", next, dst)
	}
	if err != nil {
		err = fmt.Errorf("nexthop: %w", err)
	}
	return dst, next, err
}

// table names the router's table.
func (p RouterPort) table() string { return routerTable(p.Router) }

func routerTable(router string) string { return "router-" + router }

// door names the interface by which routers are in a network.
func door(n Net) string { return doors + n.Name() }

const (
	doors     = "bvi-"
	sideDoors = "leg-"
)

// IsRouted says whether an interface of ours with this name may have addresses.
func IsRouted(iface string) bool {
	if iface == ElectionInterface {
		return true
	}
	return slices.ContainsFunc([]string{doors, sideDoors, nearEnds, farEnds}, func(p string) bool { return strings.HasPrefix(iface, p) })
}

// side names what a router that is not the first in a network has there. VPP has room
// for 55 characters.
func (p RouterPort) side() string {
	sum := sha256.Sum256([]byte(p.Router))
	return hex.EncodeToString(sum[:4]) + "-" + p.Net.Name()
}

// sideDoor names the interface by which the router is in the network if another has its
// BVI.
func (p RouterPort) sideDoor() string { return sideDoors + p.side() }

// aside is how a router gets into a network whose bridge domain has a BVI already, and
// can have no other: a bridge domain of its own, joined to the network's by a pipe. (A
// second loopback that is an ordinary port would get nothing but copies of what is
// flooded, and send them all back.)
func (p RouterPort) aside() (objs []desiredstate.Object, bridge string) {
	pipe, near, far := "pipe-"+p.side(), "out-"+p.side(), "in-"+p.side()
	bridge = sideDoors + p.side()
	return []desiredstate.Object{
		vppnet.Pipe{Name: pipe},
		vppnet.PipeEnd{Name: near, Pipe: pipe},
		vppnet.PipeEnd{Name: far, Pipe: pipe, Second: true},
		vppnet.BridgeDomain{Name: bridge, MACAge: macAge},
		vppnet.BridgePort{Bridge: p.Net.Name(), Interface: near},
		vppnet.BridgePort{Bridge: bridge, Interface: far},
		vppnet.LinkState{Interface: pipe, Up: true},
		vppnet.LinkState{Interface: near, Up: true, Parent: pipe, After: whole(near)},
		vppnet.LinkState{Interface: far, Up: true, Parent: pipe, After: whole(far)},
	}, bridge
}

// outside names the table of an external network.
func outside(n Net) string { return "external-" + n.Name() }
