// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

// objects are all that an attachment is in VPP. theirs are the bridge domains that are not
// ours, by number: one of them is used as it is.
func objects(a *Attachment, theirs map[uint32]string) ([]desiredstate.Object, error) {
	name := a.Name()
	out := wire(a, name)
	link := vppnet.LinkState{Interface: name, Up: true}
	switch a.Conf.Host.NetType {
	case netconf.Bridge:
		b := bridge(a.Conf.Host.Bridge)
		if foreign, ok := theirs[b.ID]; ok && b.ID != 0 {
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
		vppnet.Memif{Name: name, Socket: a.Socket, Slave: host.Memif.Role == netconf.Slave, IP: host.Memif.Mode == netconf.IP},
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

// routed are a route to each address of the container, and the gateway's address, which all
// interfaces of the network borrow.
func routed(a *Attachment, name string) (out []desiredstate.Object, err error) {
	gateway := "gateway." + mark(a.Network)
	for _, ip := range a.IPs {
		pod, ok := netip.AddrFromSlice(ip.Address.IP)
		via, is := netip.AddrFromSlice(ip.Gateway)
		if !ok || !is {
			return nil, errors.New("netType interface wants an IPAM that gives each address a gateway: VPP is that")
		}
		pod, via = pod.Unmap(), via.Unmap()
		out = append(out,
			l3.Address{Interface: gateway, Prefix: single(via)},
			l3.Route{Prefix: single(pod), Paths: []l3.Path{{NextHop: pod, Interface: name}}})
	}
	if len(out) == 0 {
		return nil, errors.New("netType interface wants an ipam: there is no address to route to")
	}
	return append(out,
		vppnet.Loopback{Name: gateway}, vppnet.LinkState{Interface: gateway, Up: true},
		l3.Unnumbered{Interface: name, Lender: gateway}), nil
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// hostRoutes claims the routes to single addresses in the default table that these say; nil:
// all of them. What is claimed is not yet removed: the plugin removes only what leads to
// interfaces of its own.
func hostRoutes(these func(netip.Prefix) bool) l3.RouteClaim {
	return func(table string, p netip.Prefix) bool {
		return (table == "" || table == l3.DefaultTable) && p.IsSingleIP() && (these == nil || these(p))
	}
}

// theirs are the bridge domains that are not ours.
func theirs(found []desiredstate.Found) map[uint32]string {
	out := map[uint32]string{}
	for _, f := range found {
		if b, ok := f.Spec.(vppnet.BridgeDomain); ok && f.Foreign {
			out[b.ID] = b.Name
		}
	}
	return out
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

// unneeded are the sockets, bridge domains and gateways of ours that nothing is on.
func unneeded(found []desiredstate.Found) (keys []desiredstate.Key) {
	used := map[desiredstate.Key]bool{}
	for _, f := range found {
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
		case vppnet.LinkState:
			if !strings.HasPrefix(s.Interface, "gateway.") {
				continue
			}
			on = vppnet.InterfaceKey(s.Interface)
		default:
			continue
		}
		if !used[on] {
			keys = append(keys, f.Key)
		}
	}
	return keys
}
