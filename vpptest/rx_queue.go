// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
)

// rxQueues are what VPP reads frames from, one for each device that has any, all of them read
// by the main thread, as there are no workers.
type rxQueues struct {
	v       *VPP
	mode    map[*iface]interface_types.RxMode // that was set
	promisc map[*iface]bool
}

func loadRxQueues(v *VPP) {
	s := &rxQueues{v: v, mode: make(map[*iface]interface_types.RxMode), promisc: make(map[*iface]bool)}
	v.life.states = append(v.life.states, s.dump)
	i := v.life.interfaces
	i.deleting = append(i.deleting, func(i *iface) {
		delete(s.mode, i)
		delete(s.promisc, i)
	})
	Handle(v, s.setMode)
	Handle(v, s.place)
	Handle(v, s.setPromisc)
	HandleDump(v, s.details)
}

// queued are devices with queues that are imitated, and how these are read at first.
var queued = map[*class]interface_types.RxMode{
	nicClass: interface_types.RX_MODE_API_POLLING, vhostClass: interface_types.RX_MODE_API_POLLING,
	hostClass: interface_types.RX_MODE_API_INTERRUPT, hostL3Class: interface_types.RX_MODE_API_INTERRUPT,
}

// has says whether an interface has the queue with this number.
func (s *rxQueues) has(c *Call, i *iface, queue uint32) bool {
	switch i.class {
	case memifClass, memifL3Class, tapClass, tunClass:
		c.NotImitated("queues of memifs and TAPs")
	}
	_, has := queued[i.class]
	return has && queue == 0
}

func (s *rxQueues) is(i *iface) interface_types.RxMode {
	if mode, set := s.mode[i]; set {
		return mode
	}
	return queued[i.class]
}

func (s *rxQueues) setMode(c *Call, q *interfaces_api.SwInterfaceSetRxMode) *interfaces_api.SwInterfaceSetRxModeReply {
	i := s.v.life.interfaces.at(q.SwIfIndex)
	r := &interfaces_api.SwInterfaceSetRxModeReply{}
	switch {
	case i == nil:
		r.Retval = invalidInterface
		return r
	case i.sub != nil:
		r.Retval = invalidValue
		return r
	case q.QueueIDValid && !s.has(c, i, q.QueueID):
		r.Retval = unimplemented
		return r
	case !s.has(c, i, 0):
		return r
	}
	switch mode := q.Mode; {
	case mode == interface_types.RX_MODE_API_UNKNOWN || mode > interface_types.RX_MODE_API_DEFAULT:
		r.Retval = c.NotImitated("a mode to read queues that there is not")
	case mode == interface_types.RX_MODE_API_DEFAULT: // which is not how af_packet begins
		s.mode[i] = interface_types.RX_MODE_API_POLLING
	case i.class == vhostClass && mode != interface_types.RX_MODE_API_POLLING:
		r.Retval = c.NotImitated("interrupts of vhost-user")
	case mode == interface_types.RX_MODE_API_ADAPTIVE && i.class != nicClass && mode != s.is(i):
		r.Retval = unimplemented
	default:
		s.mode[i] = mode
	}
	return r
}

// place takes the first worker for the main thread, where there are none.
func (s *rxQueues) place(c *Call, q *interfaces_api.SwInterfaceSetRxPlacement) *interfaces_api.SwInterfaceSetRxPlacementReply {
	i := s.v.life.interfaces.at(q.SwIfIndex)
	r := &interfaces_api.SwInterfaceSetRxPlacementReply{}
	switch {
	case i == nil:
		r.Retval = invalidInterface
	case i.sub != nil:
		r.Retval = invalidValue
	case !q.IsMain && q.WorkerID > 0, !s.has(c, i, q.QueueID):
		r.Retval = unimplemented
	}
	return r
}

func (s *rxQueues) details(c *Call, q *interfaces_api.SwInterfaceRxPlacementDump) (out []*interfaces_api.SwInterfaceRxPlacementDetails) {
	for _, i := range s.v.life.interfaces.all {
		if i != nil && (q.SwIfIndex == none || q.SwIfIndex == indexOf(i)) && i.sub == nil && s.has(c, i, 0) {
			out = append(out, &interfaces_api.SwInterfaceRxPlacementDetails{SwIfIndex: indexOf(i), Mode: s.is(i)})
		}
	}
	return out
}

// setPromisc is refused by devices that do not look at MACs. VPP gives this answer for one of
// its own making.
func (s *rxQueues) setPromisc(_ *Call, q *interfaces_api.SwInterfaceSetPromisc) *interfaces_api.SwInterfaceSetPromiscReply {
	i := s.v.life.interfaces.at(q.SwIfIndex)
	r := &interfaces_api.SwInterfaceSetPromiscReply{}
	switch {
	case i == nil:
		r.Retval = invalidInterface
	case i.sub != nil || i.class.l3:
		r.Retval = invalidValue
	case i.class != nicClass && i.class != memifClass && i.class != vxlanClass:
		r.Retval = unspecified
	case q.PromiscOn:
		s.promisc[i] = true
	default:
		delete(s.promisc, i)
	}
	return r
}

func (s *rxQueues) dump(d *dump) {
	for _, i := range s.v.life.interfaces.all {
		if mode, set := s.mode[i]; set && mode != queued[i.class] {
			d.line(fmt.Sprintf("queue of %d: %v", i.index, mode))
		}
		if s.promisc[i] {
			d.line(fmt.Sprintf("%d takes all frames", i.index))
		}
	}
}
