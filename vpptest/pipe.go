// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/pipe"
)

var pipeClass = &class{devType: "Pipe", mtu: unsupported, setMAC: true, linkAdmin: true}

// A pipe's instance is less than this.
const maxPipes = 16384

// pipes are VPP's own: a device with two sub-interfaces, its ends.
type pipes struct {
	v    *VPP
	used instances
}

func loadPipes(v *VPP) {
	p := &pipes{v: v}
	Handle(v, p.create)
	Handle(v, p.delete)
	HandleDump(v, p.details)
}

func (p *pipes) create(_ *Call, q *pipe.PipeCreate) *pipe.PipeCreateReply {
	s, n := p.v.life.interfaces, q.UserInstance
	if !q.IsSpecified {
		n = p.used.lowest()
	}
	if n >= maxPipes || p.used.taken(n) {
		return &pipe.PipeCreateReply{Retval: invalidRegistration, SwIfIndex: none, PipeSwIfIndex: [2]interface_types.InterfaceIndex{none, none}}
	}
	p.used.take(n)
	hw := s.add(&iface{name: fmt.Sprint("pipe", n), class: pipeClass, instance: n, mac: mac{5: byte(n)}, ready: true})
	r := &pipe.PipeCreateReply{SwIfIndex: interface_types.InterfaceIndex(hw.index)}
	if hw.subs == nil { // else it has inherited some
		hw.subs = make(map[uint32]*iface)
	}
	for id := range r.PipeSwIfIndex {
		end := s.add(&iface{class: pipeClass, sup: hw, hw: hw, sub: &subif{id: uint32(id), pipe: true}})
		hw.subs[uint32(id)] = end
		hw.goesWith(end)
		r.PipeSwIfIndex[id] = interface_types.InterfaceIndex(end.index)
	}
	return r
}

// delete frees, of a device that is no pipe, the pipe that has its number, and then the
// device.
func (p *pipes) delete(c *Call, q *pipe.PipeDelete) *pipe.PipeDeleteReply {
	i := p.v.life.interfaces.at(q.SwIfIndex)
	switch {
	case i == nil, i.hw.class == pipeClass && !p.used.taken(i.hw.instance):
		return &pipe.PipeDeleteReply{Retval: invalidInterface}
	case i.hw.class != pipeClass:
		return &pipe.PipeDeleteReply{Retval: c.NotImitated("pipe_delete of what is no pipe: VPP takes it apart")}
	}
	p.used.release(i.hw.instance)
	p.v.life.interfaces.delete(i.hw)
	return new(pipe.PipeDeleteReply)
}

// details ends VPP if a device has a sub-interface that is no end: its number is an index.
func (p *pipes) details(c *Call, _ *pipe.PipeDump) (out []*pipe.PipeDetails) {
	p.v.life.interfaces.devices.each(none, func(_ uint32, i **iface) {
		if hw := *i; hw.class == pipeClass {
			for id := range hw.goes {
				if id > 1 {
					c.Die("listed a pipe that has a sub-interface which is none of its ends")
				}
			}
			out = append(out, &pipe.PipeDetails{
				SwIfIndex: interface_types.InterfaceIndex(hw.index), Instance: hw.instance,
				PipeSwIfIndex: [2]interface_types.InterfaceIndex{indexAt(hw.subs[0].index), indexAt(hw.subs[1].index)},
			})
		}
	})
	return out
}
