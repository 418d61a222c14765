// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
)

// A loopback's instance is less than this.
const maxLoopbacks = 16384

func (s *interfaces) createLoopback(_ *Call, q *interfaces_api.CreateLoopback) *interfaces_api.CreateLoopbackReply {
	retval, index := s.loopback(q.MacAddress, s.loops.lowest())
	return &interfaces_api.CreateLoopbackReply{Retval: retval, SwIfIndex: index}
}

func (s *interfaces) createLoopbackInstance(_ *Call, q *interfaces_api.CreateLoopbackInstance) *interfaces_api.CreateLoopbackInstanceReply {
	instance := q.UserInstance
	if !q.IsSpecified {
		instance = s.loops.lowest()
	}
	retval, index := s.loopback(q.MacAddress, instance)
	return &interfaces_api.CreateLoopbackInstanceReply{Retval: retval, SwIfIndex: index}
}

func (s *interfaces) loopback(address mac, instance uint32) (int32, interface_types.InterfaceIndex) {
	if instance >= maxLoopbacks || s.loops.taken(instance) {
		return invalidRegistration, none
	}
	s.loops.take(instance)
	if address == (mac{}) {
		address = mac{0xde, 0xad, 0, 0, 0, byte(instance)}
	}
	i := s.add(&iface{name: fmt.Sprint("loop", instance), class: loopbackClass, instance: instance, mac: address, ready: true, at: floodLast})
	return 0, interface_types.InterfaceIndex(i.index)
}

// deleteLoopback takes a sub-interface for its loopback, as VPP does.
func (s *interfaces) deleteLoopback(_ *Call, q *interfaces_api.DeleteLoopback) *interfaces_api.DeleteLoopbackReply {
	i := s.at(q.SwIfIndex)
	if i == nil || i.hw.class != loopbackClass {
		return &interfaces_api.DeleteLoopbackReply{Retval: invalidInterface}
	}
	s.loops.release(i.hw.instance)
	s.delete(i.hw)
	return new(interfaces_api.DeleteLoopbackReply)
}
