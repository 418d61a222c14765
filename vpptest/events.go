// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"go.fd.io/govpp/api"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
)

// An edge is something that happened to an interface. VPP reports edges, not states,
// and only what remains of all edges since it last found time to send.
type edge uint8

const (
	adminUp edge = 1 << iota
	adminDown
	linkUp
	linkDown
	added
	deleted
)

// linkEvents collects edges by index until the input has run dry.
type linkEvents struct {
	topic Topic
	edges map[uint32]edge
}

func (s *interfaces) wantEvents(c *Call, q *interfaces_api.WantInterfaceEvents) *interfaces_api.WantInterfaceEventsReply {
	return &interfaces_api.WantInterfaceEventsReply{
		Retval: s.events.topic.Want(c, q.EnableDisable != 0, q.PID),
	}
}

func (s *interfaces) edge(index uint32, e edge) {
	if len(s.events.topic.subscribers) == 0 {
		return
	}
	if s.events.edges == nil {
		s.events.edges = make(map[uint32]edge)
	}
	s.events.edges[index] |= e
}

// sendEvents makes one event of all that happened to an index. An up and a down in
// one batch show as up; what only came into being, or only went down, has no flags.
// They go out in order of index.
func (s *interfaces) sendEvents() {
	for _, index := range sortedKeys(s.events.edges) {
		e := s.events.edges[index]
		var flags interface_types.IfStatusFlags
		if e&adminUp != 0 {
			flags |= interface_types.IF_STATUS_API_FLAG_ADMIN_UP
		}
		if e&linkUp != 0 {
			flags |= interface_types.IF_STATUS_API_FLAG_LINK_UP
		}
		s.events.topic.Publish(s.v, func(pid uint32) api.Message {
			return &interfaces_api.SwInterfaceEvent{
				PID:       pid,
				SwIfIndex: interface_types.InterfaceIndex(index),
				Flags:     flags,
				Deleted:   e&deleted != 0,
			}
		})
	}
	clear(s.events.edges)
}
