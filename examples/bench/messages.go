// SPDX-License-Identifier: Apache-2.0

package main

import (
	binding "go.fd.io/govpp/binapi/acl"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/vhost_user"
)

// The messages that vppkit sends for a fleet, by hand. Each function returns what
// can be sent without waiting for an answer in between.

// numbers are VPP's.
type numbers struct {
	uplink  interface_types.InterfaceIndex
	bridges []l2.BridgeDomainAddDelV2Reply        // by network
	members []interfaces.CreateSubifReply         // by network
	ports   []vhost_user.CreateVhostUserIfV2Reply // by port
	filters
}

func newNumbers(f fleet, uplink interface_types.InterfaceIndex) *numbers {
	return &numbers{
		uplink:  uplink,
		bridges: make([]l2.BridgeDomainAddDelV2Reply, f.networks()),
		members: make([]interfaces.CreateSubifReply, f.networks()),
		ports:   make([]vhost_user.CreateVhostUserIfV2Reply, f.size+1), // and the one that comes and goes
		filters: filters{
			sets:   make([]binding.ACLAddReplaceReply, len(f.sets())),
			macips: make([]binding.MacipACLAddReplaceReply, f.size+1),
		},
	}
}

// creates makes what has a number.
func (x *numbers) creates(f fleet) []ask {
	asks := []ask{setUp(x.uplink)}
	for n := range f.networks() {
		asks = append(asks,
			ask{&l2.BridgeDomainAddDelV2{
				BdID: ^uint32(0), IsAdd: true, BdTag: owner + "/" + f.bridge(n), MacAge: uint8(macAge.Minutes()),
				Learn: true, Forward: true, Flood: true, UuFlood: true,
			}, &x.bridges[n]},
			ask{&interfaces.CreateSubif{
				SwIfIndex: x.uplink, SubID: uint32(f.vlan(n)), OuterVlanID: f.vlan(n),
				SubIfFlags: interface_types.SUB_IF_API_FLAG_EXACT_MATCH | interface_types.SUB_IF_API_FLAG_ONE_TAG,
			}, &x.members[n]},
		)
	}
	asks = append(asks, x.createSets(f)...)
	for n := range f.size {
		asks = append(asks, x.create(f, n)...)
	}
	return asks
}

// joins does the rest.
func (x *numbers) joins(f fleet) (asks []ask) {
	for n := range f.networks() {
		index := x.members[n].SwIfIndex
		asks = append(asks,
			ask{request: &interfaces.SwInterfaceTagAddDel{IsAdd: true, SwIfIndex: index, Tag: owner + "/" + f.bridge(n)}},
			ask{request: &l2.L2InterfaceVlanTagRewrite{SwIfIndex: index, VtrOp: pop1}},
			x.join(index, n),
			setUp(index),
		)
	}
	for n := range f.size {
		asks = append(asks, x.connect(f, n)...)
	}
	return asks
}

const pop1 = 3 // of VPP's vtr_op

func (x *numbers) create(f fleet, port int) []ask {
	asks := []ask{{&vhost_user.CreateVhostUserIfV2{
		Tag: owner + "/" + f.iface(port), SockFilename: f.socket(port), IsServer: f.server,
	}, &x.ports[port]}}
	if f.filtered {
		asks = append(asks, x.createSources(f, port))
	}
	return asks
}

// connect is what a port needs once it has a number.
func (x *numbers) connect(f fleet, port int) []ask {
	index := x.ports[port].SwIfIndex
	asks := []ask{x.join(index, f.network(port))}
	if f.filtered {
		asks = append(asks, x.bind(f, index, port)...)
	}
	return append(asks, setUp(index))
}

func (x *numbers) join(index interface_types.InterfaceIndex, network int) ask {
	return ask{request: &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: index, BdID: x.bridges[network].BdID, Enable: true}}
}

// unmake takes a port away.
func (x *numbers) unmake(f fleet, port int) []ask {
	index := x.ports[port].SwIfIndex
	asks := []ask{setDown(index)}
	if f.filtered {
		asks = append(asks, x.unbind(index, port)...)
	}
	return append(asks, leave(index), ask{request: &vhost_user.DeleteVhostUserIf{SwIfIndex: index}})
}

// teardown takes all away. vppkit keeps a sub-interface's rewrite when it leaves
// its bridge domain, and clears it when it goes itself.
func (x *numbers) teardown(f fleet) (asks []ask) {
	for n := range f.size {
		asks = append(asks, x.unmake(f, n)...)
	}
	for n := range f.networks() {
		index := x.members[n].SwIfIndex
		asks = append(asks,
			leave(index),
			ask{request: &l2.L2InterfaceVlanTagRewrite{SwIfIndex: index, VtrOp: pop1}},
			setDown(index),
			ask{request: &l2.L2InterfaceVlanTagRewrite{SwIfIndex: index}},
			ask{request: &interfaces.DeleteSubif{SwIfIndex: index}},
			ask{request: &l2.BridgeDomainAddDelV2{BdID: x.bridges[n].BdID}},
		)
	}
	return append(append(asks, x.removeSets()...), setDown(x.uplink))
}

func leave(index interface_types.InterfaceIndex) ask {
	return ask{request: &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: index}}
}

func setUp(index interface_types.InterfaceIndex) ask {
	return ask{request: &interfaces.SwInterfaceSetFlags{SwIfIndex: index, Flags: interface_types.IF_STATUS_API_FLAG_ADMIN_UP}}
}

func setDown(index interface_types.InterfaceIndex) ask {
	return ask{request: &interfaces.SwInterfaceSetFlags{SwIfIndex: index}}
}
