// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"path/filepath"
	"slices"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/vhost_user"
)

var vhostClass = &class{devType: "vhost-user", mtu: unsupported, setMAC: true, linkAdmin: true}

// vhost is the vhost-user plugin.
type vhost struct {
	v       *VPP
	ports   []*vhostPort // by instance; nil is free
	free    []int
	sockets map[string]*vhostPort
}

type vhostPort struct {
	*iface
	server bool
	socket string
}

func loadVhost(v *VPP) {
	h := &vhost{v: v, sockets: make(map[string]*vhostPort)}
	v.life.states = append(v.life.states, h.dump)
	Handle(v, h.create)
	Handle(v, h.modify)
	Handle(v, h.delete)
	HandleDump(v, h.details)
}

func (h *vhost) create(_ *Call, q *vhost_user.CreateVhostUserIfV2) *vhost_user.CreateVhostUserIfV2Reply {
	other, retval := h.check(q.SockFilename, q.IsServer, nil)
	if retval != 0 {
		return &vhost_user.CreateVhostUserIfV2Reply{Retval: retval, SwIfIndex: other}
	}
	n := len(h.ports)
	if f := len(h.free); f > 0 {
		n, h.free = h.free[f-1], h.free[:f-1]
	} else {
		h.ports = append(h.ports, nil)
	}
	address := randomMAC()
	if q.UseCustomMac {
		address = q.MacAddress
	}
	i := h.v.life.interfaces.add(&iface{
		name: vhostName(uint32(n), q.Renumber, q.CustomDevInstance), class: vhostClass, instance: uint32(n),
		mac: address, tag: cut(q.Tag, 63),
	})
	h.ports[n] = &vhostPort{iface: i, server: q.IsServer, socket: q.SockFilename}
	h.sockets[q.SockFilename] = h.ports[n]
	return &vhost_user.CreateVhostUserIfV2Reply{SwIfIndex: indexOf(i)}
}

// vhostName is by a number of its own unless another one was asked for.
func vhostName(instance uint32, renumber bool, custom uint32) string {
	if renumber && custom != none {
		instance = custom
	}
	return fmt.Sprint("VirtualEthernet0/0/", int32(instance))
}

// check tells why a socket cannot be had, and by which interface.
func (h *vhost) check(socket string, server bool, mine *vhostPort) (interface_types.InterfaceIndex, int32) {
	if socket == "" {
		return none, invalidArgument
	}
	if p := h.sockets[socket]; p != nil && p != mine {
		return indexOf(p.iface), interfaceExists
	}
	if dirs := h.v.options.dirs; server && dirs != nil && !slices.Contains(dirs, filepath.Dir(socket)) {
		return none, syscallError2
	}
	return none, 0
}

// find takes a sub-interface for its port, as VPP does.
func (h *vhost) find(index interface_types.InterfaceIndex) *vhostPort {
	i := h.v.life.interfaces.at(index)
	if i == nil || i.class != vhostClass {
		return nil
	}
	return h.ports[i.hw.instance]
}

// modify starts the port anew: a guest is gone, and must come again.
func (h *vhost) modify(_ *Call, q *vhost_user.ModifyVhostUserIfV2) *vhost_user.ModifyVhostUserIfV2Reply {
	p := h.find(q.SwIfIndex)
	if p == nil {
		return &vhost_user.ModifyVhostUserIfV2Reply{Retval: invalidInterface}
	}
	if _, retval := h.check(q.SockFilename, q.IsServer, p); retval != 0 {
		return &vhost_user.ModifyVhostUserIfV2Reply{Retval: retval}
	}
	delete(h.sockets, p.socket)
	p.server, p.socket = q.IsServer, q.SockFilename
	h.sockets[p.socket] = p
	p.ready = false
	if q.Renumber {
		p.name = vhostName(p.instance, true, q.CustomDevInstance)
	}
	h.v.life.interfaces.follow(p.iface)
	return new(vhost_user.ModifyVhostUserIfV2Reply)
}

func (h *vhost) delete(_ *Call, q *vhost_user.DeleteVhostUserIf) *vhost_user.DeleteVhostUserIfReply {
	p := h.find(q.SwIfIndex)
	if p == nil {
		return &vhost_user.DeleteVhostUserIfReply{Retval: invalidInterface}
	}
	delete(h.sockets, p.socket)
	h.ports[p.instance] = nil
	h.free = append(h.free, int(p.instance))
	h.v.life.interfaces.delete(p.iface)
	return new(vhost_user.DeleteVhostUserIfReply)
}

// Shown until the first guest comes, and from then on.
const (
	headerWithoutGuest = 0
	headerWithGuest    = 12
)

func (h *vhost) details(_ *Call, q *vhost_user.SwInterfaceVhostUserDump) (out []*vhost_user.SwInterfaceVhostUserDetails) {
	for _, p := range h.ports {
		if p == nil || q.SwIfIndex != none && q.SwIfIndex != indexOf(p.iface) {
			continue
		}
		d := &vhost_user.SwInterfaceVhostUserDetails{
			SwIfIndex: indexOf(p.iface), InterfaceName: p.name,
			IsServer: p.server, SockFilename: p.socket, VirtioNetHdrSz: headerWithoutGuest,
		}
		if p.ready {
			d.NumRegions, d.VirtioNetHdrSz = 2, headerWithGuest
		}
		if !p.server && !p.ready && !h.v.listening[p.socket] {
			d.SockErrno = 2 // nobody listens there
		}
		out = append(out, d)
	}
	return out
}

// Listen is what a VM does before it runs: it listens on a socket, to which VPP's port
// connects if it is a client, or does so no more. LinkUp is what follows when its driver runs.
func (v *VPP) Listen(socket string, there bool) {
	v.Do(func() {
		if v.listening == nil {
			v.listening = map[string]bool{}
		}
		v.listening[socket] = there
	})
}

func (h *vhost) dump(d *dump) {
	for _, p := range h.ports {
		if p != nil {
			d.line(fmt.Sprintf("vhost-user %d %s", p.index, p.socket), when(p.server, "server"), when(p.ready, "guest"))
		}
	}
}
