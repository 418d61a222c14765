// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bufio"
	"encoding/binary"
	"net"

	"go.fd.io/govpp/api"
)

// A peer is one connection, known to VPP from its sockclnt_create on.
type peer struct {
	conn  *net.UnixConn
	out   *outbox
	known bool
	slot  int
	index uint32 // what it must put into its requests
	gone  bool
}

// Indices of clients on a socket, as opposed to shared memory, have this bit set.
const socketClient = 1 << 31

// batch is how many requests in a row delay events at most. VPP's limit is one read
// of its socket, 4096 bytes.
const batch = 64

func (v *VPP) accept(l *life) {
	for {
		conn, err := l.listener.AcceptUnix()
		if err != nil {
			return
		}
		if !l.keep(conn) {
			_ = conn.Close()
			return
		}
		c := &peer{conn: conn, out: newOutbox()}
		l.running.Go(func() {
			c.out.writeTo(conn)
			_ = conn.Close()
			l.forget(conn)
		})
		l.running.Go(func() { v.serve(l, c) })
	}
}

// serve executes what a client sends until either side hangs up.
func (v *VPP) serve(l *life, c *peer) {
	r := bufio.NewReaderSize(c.conn, 1<<16)
	for n := 1; ; n++ {
		msg, err := readFrame(r)
		if err != nil {
			break
		}
		dry := !another(r)
		open := v.execute(l, c, msg, dry || n%batch == 0)
		if dry || !open {
			c.out.flush()
		}
		if !open {
			break
		}
	}
	c.out.close()
	v.mu.Lock()
	defer v.mu.Unlock()
	c.gone = true
	if c.known {
		l.clients[c.slot] = nil
		l.free = append(l.free, c.slot)
	}
}

// execute is VPP's main thread. It returns false when the connection is to be closed.
func (v *VPP) execute(l *life, from *peer, msg []byte, last bool) (open bool) {
	if len(msg) < requestHead {
		return true
	}
	v.main.Lock()
	defer v.main.Unlock()
	id := binary.BigEndian.Uint16(msg[idAt:])
	name, known := v.nameOf(l, id)
	handshake := name == "sockclnt_create" || name == "sockclnt_delete"
	var fault Fault
	if known && !handshake {
		fault = v.hit(name, v.note(name, msg))
		v.wait(fault, l.done)
	}

	v.mu.Lock()
	defer v.mu.Unlock()
	if l.dead() { // perhaps while it waited
		return false
	}
	if last {
		defer func() {
			if !l.dead() {
				l.settle()
			}
		}()
	}
	if id == sockclntCreateID {
		v.sockclntCreate(&Call{VPP: v, client: from, context: binary.BigEndian.Uint32(msg[replyContextAt:])})
		return true
	}
	// The answer goes to whom the client index names, whoever sent it.
	c := &Call{
		VPP:     v,
		name:    name,
		client:  l.clientOf(binary.BigEndian.Uint32(msg[clientAt:])),
		context: binary.BigEndian.Uint32(msg[requestContextAt:]),
	}
	if c.client != nil && c.client != from {
		defer c.client.out.flush()
	}
	if name == "sockclnt_delete" {
		v.sockclntDelete(c)
		return c.client == nil
	}
	if !known {
		return true // VPP warns on its console, and does not answer
	}
	h, ok := l.handlers[id]
	if !ok {
		h = l.untaught(name)
	}
	switch fault.Kind {
	case CutBefore:
		return false
	case Refuse:
		h.refuse(c, fault.Retval)
		return true
	case Drop, CutAfter:
		c.muted = true
	}
	h.run(c, msg)
	return fault.Kind != CutAfter && !l.dead()
}

func (v *VPP) nameOf(l *life, id uint16) (string, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e, ok := l.table.entries[id]
	return e.name, ok
}

// untaught handles messages that are in the table only because others of their module
// are taught: VPP implements them, and this one says that it does not, rather than
// leave a client to wait. What is no request, or is of the handshake, VPP takes in silence.
func (l *life) untaught(name string) handler {
	refuse := func(c *Call, retval int32) {
		if m, id := replyTo(l.table.ids, name); m != nil {
			spoil(m, retval)
			c.send(id, m)
		}
	}
	return handler{refuse: refuse, run: func(c *Call, _ []byte) bool {
		retval := int32(unimplemented)
		if isRequest(l.table, name) {
			retval = c.NotImitated("which is not taught")
		}
		refuse(c, retval)
		return true
	}}
}

// isRequest tells whether a message of this name asks for something beyond the handshake.
func isRequest(t *table, name string) bool {
	for full := range t.ids {
		if known, _ := cutCRC(full); known == name {
			m, ok := bindings()[full]
			return ok && m.GetMessageType() == api.RequestMessage && moduleOf(m) != moduleOf(memclntIDs[0])
		}
	}
	return false
}

// replyTo makes the reply to a request of this name, and its id; nil if there is none.
func replyTo(ids map[string]uint16, request string) (api.Message, uint16) {
	for full, id := range ids {
		if name, _ := cutCRC(full); name == request+"_reply" {
			if like, ok := bindings()[full]; ok {
				return newMessage(like), id
			}
		}
	}
	return nil, 0
}

// clientOf finds a client by the index that it was given.
func (l *life) clientOf(index uint32) *peer {
	slot := int(index &^ socketClient)
	if index&socketClient == 0 || slot >= len(l.clients) {
		return nil
	}
	return l.clients[slot]
}

// admit gives a client an index; the last freed is the next used.
func (l *life) admit(c *peer) {
	if c.known {
		return
	}
	if n := len(l.free); n > 0 {
		c.slot, l.free = l.free[n-1], l.free[:n-1]
	} else {
		c.slot, l.clients = len(l.clients), append(l.clients, nil)
	}
	l.clients[c.slot] = c
	c.known, c.index = true, uint32(c.slot)|socketClient
}
