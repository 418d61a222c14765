// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"math/bits"
	"path/filepath"
	"slices"
	"strings"

	"go.fd.io/govpp/binapi/memif"
)

var (
	memifClass   = &class{devType: "memif", setMAC: true, linkAdmin: true, mtuRange: [2]uint16{0, 65535}}
	memifL3Class = &class{devType: "memif", mtu: featureDisabled, linkAdmin: true, l3: true}
)

// memifs is the memif plugin. Nobody ever connects but by LinkUp.
type memifs struct {
	v       *VPP
	sockets map[uint32]*memifSocket
	seed    uint32       // of the numbers that VPP draws for them
	all     []*memifPort // by instance; nil is free
	free    []int
}

type memifSocket struct {
	id     uint32
	path   string
	refs   int // one too few after VPP could not listen, for ever
	listen bool
	deaf   bool // nobody listens, though it is a master's
	ids    map[uint32]bool
}

type memifPort struct {
	*iface
	id      uint32
	socket  *memifSocket
	slave   bool
	direct  bool   // zero copy
	unshown string // what no dump tells
}

func loadMemif(v *VPP) {
	m := &memifs{v: v, sockets: make(map[uint32]*memifSocket)}
	m.sockets[0] = &memifSocket{path: m.path("memif.sock")}
	v.life.states = append(v.life.states, m.dump)
	Handle(v, m.socket)
	Handle(v, m.create)
	Handle(v, m.delete)
	HandleDump(v, m.socketDetails)
	HandleDump(v, m.details)
}

// path is relative to VPP's own directory.
func (m *memifs) path(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	dir := "/run/vpp"
	if dirs := m.v.options.dirs; len(dirs) > 0 {
		dir = dirs[0]
	}
	return dir + "/" + name
}

func (m *memifs) socket(c *Call, q *memif.MemifSocketFilenameAddDelV2) *memif.MemifSocketFilenameAddDelV2Reply {
	r := &memif.MemifSocketFilenameAddDelV2Reply{SocketID: q.SocketID}
	s := m.sockets[q.SocketID]
	if q.SocketID == none && q.IsAdd {
		r.SocketID = unusedID(&m.seed, func(id uint32) bool { return m.sockets[id] != nil })
		s = nil
	}
	switch {
	case q.SocketID == 0, !q.IsAdd && s == nil, q.IsAdd && q.SocketFilename == "":
		r.Retval = invalidArgument
	case !q.IsAdd && s.refs > 0:
		r.Retval = unexpectedState
	case !q.IsAdd && len(s.ids) > 0:
		r.Retval = c.NotImitated("a socket that goes though an interface has it, of which VPP lost count")
	case !q.IsAdd:
		delete(m.sockets, s.id)
	case s != nil && s.path != m.path(q.SocketFilename):
		r.Retval = entryExists
	case s == nil:
		m.sockets[r.SocketID] = &memifSocket{id: r.SocketID, path: m.path(q.SocketFilename)}
	}
	return r
}

func (m *memifs) create(c *Call, q *memif.MemifCreateV2) *memif.MemifCreateV2Reply {
	refuse := func(retval int32) *memif.MemifCreateV2Reply { return &memif.MemifCreateV2Reply{Retval: retval} }
	s, master := m.sockets[q.SocketID], q.Role == memif.MEMIF_ROLE_API_MASTER
	switch {
	case bits.OnesCount32(q.RingSize) > 1, s == nil:
		return refuse(invalidArgument)
	case s.refs > 0 && (s.listen != master || s.ids[q.ID]):
		return refuse(subifExists)
	case q.Mode != memif.MEMIF_MODE_API_ETHERNET && q.Mode != memif.MEMIF_MODE_API_IP:
		c.Die("looked for the hardware of an interface that it had not made")
		return nil
	}
	if s.refs == 0 {
		s.listen, s.ids = master, map[uint32]bool{}
	}
	n := len(m.all)
	if f := len(m.free); f > 0 {
		n, m.free = m.free[f-1], m.free[:f-1]
	} else {
		m.all = append(m.all, nil)
	}
	i := &iface{name: fmt.Sprintf("memif%d/%d", s.id, q.ID), class: memifClass, instance: uint32(n), mac: q.HwAddr}
	if i.mac == (mac{}) {
		i.mac = randomMAC()
	}
	if q.Mode == memif.MEMIF_MODE_API_IP {
		i.class = memifL3Class
	}
	p := &memifPort{iface: m.v.life.interfaces.add(i), id: q.ID, socket: s, slave: !master, direct: !master && !q.NoZeroCopy}
	p.unshown = fmt.Sprintf("rings %d of %d x %d secret %q", q.RxQueues, q.RingSize, q.BufferSize, cut(q.Secret, 23))
	m.all[n] = p
	if master && s.refs == 0 && !m.canListen(s) {
		m.remove(p)
		s.deaf = true
		return &memif.MemifCreateV2Reply{Retval: syscallError4, SwIfIndex: indexOf(i)}
	}
	s.refs++
	s.ids[q.ID] = true
	return &memif.MemifCreateV2Reply{SwIfIndex: indexOf(i)}
}

// canListen says whether nobody listens there, and there is a place for the file.
func (m *memifs) canListen(s *memifSocket) bool {
	if dirs := m.v.options.dirs; dirs != nil && !slices.Contains(dirs, filepath.Dir(s.path)) || len(s.path) > 107 {
		return false
	}
	for _, other := range m.sockets {
		if other != s && other.path == s.path && other.listen && other.refs > 0 {
			return false
		}
	}
	return true
}

func (m *memifs) remove(p *memifPort) {
	m.v.life.interfaces.delete(p.iface)
	m.all[p.instance] = nil
	m.free = append(m.free, int(p.instance))
	p.socket.refs--
	delete(p.socket.ids, p.id)
}

// delete takes a sub-interface for its interface, as VPP does.
func (m *memifs) delete(_ *Call, q *memif.MemifDelete) *memif.MemifDeleteReply {
	i := m.v.life.interfaces.at(q.SwIfIndex)
	if i == nil || i.hw.class != memifClass && i.hw.class != memifL3Class {
		return &memif.MemifDeleteReply{Retval: invalidInterface}
	}
	m.remove(m.all[i.hw.instance])
	return new(memif.MemifDeleteReply)
}

func (m *memifs) socketDetails(*Call, *memif.MemifSocketFilenameDump) (out []*memif.MemifSocketFilenameDetails) {
	for _, id := range sortedKeys(m.sockets) {
		out = append(out, &memif.MemifSocketFilenameDetails{SocketID: id, SocketFilename: cut(m.sockets[id].path, 107)})
	}
	return out
}

// details say of rings what was agreed upon, which is nothing yet.
func (m *memifs) details(*Call, *memif.MemifDump) (out []*memif.MemifDetails) {
	for _, p := range m.all {
		if p == nil {
			continue
		}
		d := &memif.MemifDetails{
			SwIfIndex: indexOf(p.iface), ID: p.id, Role: memif.MEMIF_ROLE_API_MASTER, ZeroCopy: p.direct,
			SocketID: p.socket.id, RingSize: 1, Flags: p.flags(), IfName: cut(p.title(), 63),
		}
		if p.class.l3 {
			d.Mode = memif.MEMIF_MODE_API_IP
		} else {
			d.HwAddr = p.mac
		}
		if p.slave {
			d.Role = memif.MEMIF_ROLE_API_SLAVE
		}
		out = append(out, d)
	}
	return out
}

func (m *memifs) dump(d *dump) {
	for _, id := range sortedKeys(m.sockets) {
		s := m.sockets[id]
		if id == 0 && !s.deaf {
			continue // always there
		}
		d.line(fmt.Sprintf("memif-socket %d %s", id, s.path), when(s.deaf, "deaf"))
	}
	for _, p := range m.all {
		if p != nil {
			d.line(fmt.Sprintf("memif %d of %d, %d", p.index, p.socket.id, p.id), when(p.slave, "slave"), when(p.direct, "direct"), p.unshown)
		}
	}
}
