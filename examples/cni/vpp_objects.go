// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

func (vpp) objects(a *Attachment, found []desiredstate.Found) ([]desiredstate.Object, error) {
	name := a.Name()
	out := wire(a, name)
	link := vppnet.LinkState{Interface: name, Up: true}
	switch a.Conf.Host.NetType {
	case netconf.Bridge:
		b := bridge(a.Conf.Host.Bridge)
		if foreign := theirs(found, b.ID); foreign != "" {
			b.Name = foreign
		} else {
			out = append(out, b)
		}
		port := vppnet.BridgePort{Bridge: b.Name, Interface: name}
		link.After = []desiredstate.Key{port.Key()}
		out = append(out, port)
	case netconf.Interface:
		routed, err := routed(a, name)
		if err != nil {
			return nil, err
		}
		out = append(out, routed...)
	}
	return append(out, link), nil
}

// wire is the host's end of it.
func wire(a *Attachment, name string) []desiredstate.Object {
	host := a.Conf.Host
	if host.IfType == netconf.VhostUser {
		return []desiredstate.Object{vhost.Port{Name: name, Socket: a.Socket, Server: host.Vhost.Mode == netconf.Server}}
	}
	return []desiredstate.Object{
		vppnet.MemifSocket{Path: a.Socket},
		vppnet.Memif{Name: name, Socket: a.Socket, Slave: !host.Memif.Listens(), IP: host.Memif.Mode == netconf.IP},
	}
}

// bridge is the bridge domain of a configuration: each VLAN of a bridge is one of its own.
func bridge(b netconf.BridgePort) vppnet.BridgeDomain {
	id := b.ID()
	name := b.BridgeName
	if id != 0 {
		name = strconv.FormatUint(uint64(id), 10)
	}
	if b.VLAN == 0 {
		return vppnet.BridgeDomain{Name: name, ID: id}
	}
	return vppnet.BridgeDomain{Name: fmt.Sprintf("%s:%d", name, b.VLAN)}
}

// routed are a route to each address of the container, and the gateway, a loopback whose address
// all interfaces of the network borrow. To a container the others seem to be on its link by IPv4:
// VPP answers ARP for them. By IPv6 they are behind the gateway; see narrow.
func routed(a *Attachment, name string) (out []desiredstate.Object, err error) {
	gateway := "gateway." + mark(a.Network)
	ethernet := a.Conf.Host.IfType == netconf.VhostUser || a.Conf.Host.Memif.Mode == netconf.Ethernet
	for _, ip := range a.IPs {
		pod, ok := netip.AddrFromSlice(ip.Address.IP)
		via, is := netip.AddrFromSlice(ip.Gateway)
		if !ok || !is {
			return nil, types.NewError(types.ErrInvalidNetworkConfig, "host.netType is interface",
				"want an ipam that gives each address a gateway: VPP is that")
		}
		pod, via = pod.Unmap(), via.Unmap()
		if pod.Is4() != via.Is4() {
			return nil, types.NewError(types.ErrInvalidNetworkConfig, "host.netType is interface",
				fmt.Sprintf("want a gateway of the address's family: of %v it is %v", pod, via))
		}
		bits, _ := ip.Address.Mask.Size()
		subnet := netip.PrefixFrom(via, bits) // what is not in a subnet of its own, VPP does not answer
		if via.Is6() {
			subnet = single(via) // it does, by IPv6
		}
		out = append(out,
			l3.Address{Interface: gateway, Prefix: subnet},
			l3.Route{Prefix: single(pod), Paths: []l3.Path{{NextHop: pod, Interface: name}}})
		switch {
		case ethernet && pod.Is4():
			out = append(out, others(subnet), l3.ProxyARP{Interface: name})
		case ethernet:
			out = append(out, ipv6Link{name})
		}
	}
	if len(out) == 0 {
		return nil, types.NewError(types.ErrInvalidNetworkConfig, "host.netType is interface", "want an ipam: there is no address to route to")
	}
	return append(out,
		vppnet.Loopback{Name: gateway}, vppnet.LinkState{Interface: gateway, Up: true},
		l3.Unnumbered{Interface: name, Lender: gateway}), nil
}

// narrow has the container know that by IPv6 nothing but the gateway is on its link: the address is in no
// subnet, which is behind the gateway. VPP answers the solicitations of neighbours only for those of
// which it is told one by one.
func narrow(r *types100.Result) {
	for _, ip := range r.IPs {
		bits, size := ip.Address.Mask.Size()
		if size != 128 || bits == 128 || ip.Gateway == nil {
			continue
		}
		subnet := net.IPNet{IP: ip.Address.IP.Mask(ip.Address.Mask), Mask: ip.Address.Mask}
		ip.Address.Mask = net.CIDRMask(128, 128)
		r.Routes = append(r.Routes, &types.Route{Dst: subnet, GW: ip.Gateway})
	}
}

// others are all addresses of a subnet.
func others(subnet netip.Prefix) l3.ProxyARPRange {
	low := subnet.Masked().Addr().As4()
	var high [4]byte
	binary.BigEndian.PutUint32(high[:], binary.BigEndian.Uint32(low[:])|^uint32(0)>>subnet.Bits())
	return l3.ProxyARPRange{Low: netip.AddrFrom4(low), High: netip.AddrFrom4(high)}
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// theirs is the name of the bridge domain of this number, if there is one and it is not ours.
func theirs(found []desiredstate.Found, id uint32) string {
	for _, f := range found {
		if b, ok := f.Spec.(vppnet.BridgeDomain); ok && f.Foreign && b.ID == id && id != 0 {
			return b.Name
		}
	}
	return ""
}

func (vpp) leaving(found []desiredstate.Found, these func(name string) bool) (keys, last []desiredstate.Key, sockets []string) {
	keys, sockets = hangingOn(found, these)
	stay := slices.DeleteFunc(slices.Clone(found), func(f desiredstate.Found) bool { return slices.Contains(keys, f.Key) })
	ranges, last := unneeded(stay)
	return append(keys, ranges...), last, sockets // of a range only the gateway tells that it is ours
}

// hangingOn are these interfaces of ours, and all that is on them; with the paths of their
// sockets.
func hangingOn(found []desiredstate.Found, these func(name string) bool) (keys []desiredstate.Key, sockets []string) {
	for _, f := range found {
		if f.Foreign {
			continue
		}
		var on, socket string
		switch s := f.Spec.(type) {
		case vppnet.Memif:
			on, socket = s.Name, s.Socket
		case vhost.Port:
			on, socket = s.Name, s.Socket
		case vppnet.LinkState:
			on = s.Interface
		case vppnet.BridgePort:
			on = s.Interface
		case l3.Unnumbered:
			on = s.Interface
		case l3.ProxyARP:
			on = s.Interface
		case ipv6Link:
			on = s.Interface
		case l3.Route:
			if len(s.Paths) == 1 {
				on = s.Paths[0].Interface
			}
		}
		orphan := socket != "" && strings.HasPrefix(on, vppnet.Foreign("")) // who made it died before it had a name
		if base, _, _ := strings.Cut(on, "~"); !orphan && (on == "" || !these(base)) {
			continue // a surplus interface of a name goes with the name
		}
		keys = append(keys, f.Key)
		if socket != "" {
			sockets = append(sockets, socket)
		}
	}
	return keys, sockets
}

// unneeded are the sockets, bridge domains and gateways of ours that nothing is on, and the
// ranges of proxy ARP of those gateways.
func unneeded(found []desiredstate.Found) (ranges, rest []desiredstate.Key) {
	used := map[desiredstate.Key]bool{}
	there := map[desiredstate.Key]bool{}
	for _, f := range found {
		there[f.Key] = true
		switch s := f.Spec.(type) {
		case vppnet.Memif:
			used[vppnet.MemifSocketKey(s.Socket)] = true
		case vppnet.BridgePort:
			used[vppnet.BridgeKey(s.Bridge)] = true
		case l3.Unnumbered:
			used[vppnet.InterfaceKey(s.Lender)] = true
		}
	}
	for _, f := range found {
		if f.Foreign {
			continue
		}
		on := f.Key
		switch s := f.Spec.(type) {
		case vppnet.MemifSocket, vppnet.BridgeDomain, vppnet.Loopback:
		case l3.Address:
			on = vppnet.InterfaceKey(s.Interface)
			if !s.Prefix.Addr().Is4() || used[on] {
				break
			}
			if k := others(s.Prefix).Key(); there[k] {
				ranges = append(ranges, k)
			}
		case vppnet.LinkState:
			if !strings.HasPrefix(s.Interface, "gateway.") {
				continue
			}
			on = vppnet.InterfaceKey(s.Interface)
		default:
			continue
		}
		if !used[on] {
			rest = append(rest, f.Key)
		}
	}
	return ranges, rest
}

// VPP does not show whose a range of proxy ARP is: the gateway, which is ours, tells of it.
func (vpp) last(o desiredstate.Object) bool {
	_, is := o.(l3.ProxyARPRange)
	return is
}
