// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

// fleet is what every system is asked to program: ports of VMs, and the VLAN
// networks that they are on, ten ports each. It is what the agent makes of the
// keys of a host, so that all systems do the same.
//
// One giant bridge domain would measure VPP alone, which rebuilds the list of
// members for each that comes.
type fleet struct {
	size   int    // ports, numbered from 0
	server bool   // VPP makes the sockets; if not, it connects to them, in vain
	dir    string // of the sockets
	uplink string // VPP's name of the interface that the networks leave by

	filtered bool // ports are behind filters
}

const (
	owner    = "bench" // marks in VPP what all systems but the agent make
	physnet  = "physnet1"
	vmMAC    = "fa:16:3e:00:10:01"
	perVLAN  = 10
	macAge   = 3 * time.Minute
	maxPorts = 4094 * perVLAN
	minPorts = 2 * perVLAN // a port needs another network to move to
)

// networks counts them; they are numbered from 0.
func (f fleet) networks() int { return (f.size + perVLAN - 1) / perVLAN }

// network is where a port is. One beyond the fleet's size, which comes and goes,
// is on the first.
func (f fleet) network(port int) int { return port % f.size / perVLAN }

// elsewhere is another network for a port.
func (f fleet) elsewhere(port int) int { return (f.network(port) + 1) % f.networks() }

func (f fleet) vlan(network int) uint16   { return uint16(network + 1) }
func (f fleet) bridge(network int) string { return fmt.Sprintf("%s.vlan.%d", physnet, f.vlan(network)) }

func (f fleet) uuid(port int) string   { return fmt.Sprintf("%08x-38b1-4ac2-a1a1-3b6a6d0c0001", port) }
func (f fleet) iface(port int) string  { return "port-" + f.uuid(port) }
func (f fleet) socket(port int) string { return f.dir + "/" + f.uuid(port) }

// objects is the whole fleet, for the engine.
func (f fleet) objects() []desiredstate.Object {
	all := []desiredstate.Object{vppnet.LinkState{Interface: vppnet.Foreign(f.uplink), Up: true}}
	for n := range f.networks() {
		name := f.bridge(n)
		all = append(all,
			vppnet.BridgeDomain{Name: name, MACAge: macAge},
			vppnet.SubInterface{Name: name, Parent: vppnet.Foreign(f.uplink), Outer: f.vlan(n), Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}},
			vppnet.BridgePort{Bridge: name, Interface: name},
			vppnet.LinkState{Interface: name, Up: true, Parent: vppnet.Foreign(f.uplink)},
		)
	}
	for _, s := range f.sets() {
		all = append(all, s)
	}
	for n := range f.size {
		all = append(all, f.portObjects(n)...)
	}
	return all
}

func (f fleet) portObjects(port int) []desiredstate.Object {
	name := f.iface(port)
	link := vppnet.LinkState{Interface: name, Up: true}
	all := []desiredstate.Object{
		vhost.Port{Name: name, Socket: f.socket(port), Server: f.server},
		vppnet.BridgePort{Bridge: f.bridge(f.network(port)), Interface: name},
	}
	if f.filtered {
		sources, rest := f.security(port)
		all = append(append(all, sources), rest...)
		link.After = []desiredstate.Key{vppnet.BridgePortKey(name), acl.EtherTypesKey(name), acl.BindingKey(name), acl.MACIPBindingKey(name)}
	}
	return append(all, link)
}

// value is a port's key in etcd, for the agent.
func (f fleet) value(port, network int) string {
	groups, ips := "", ""
	if f.filtered {
		groups, ips = strconv.Quote(f.gid(f.network(port))), fmt.Sprintf(`{"subnet_id":"s","ip_address":%q}`, f.ip(port))
	}
	return fmt.Sprintf(`{"mac_address":%q,"mtu":1500,"physnet":%q,"network_type":"vlan",`+
		`"segmentation_id":%d,"binding_type":"vhostuser","security_groups":[%s],"allowed_address_pairs":[],`+
		`"fixed_ips":[%s],"port_security_enabled":%t,"device_id":"bench"}`, vmMAC, physnet, f.vlan(network), groups, ips, f.filtered)
}
