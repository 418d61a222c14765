// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"encoding/binary"
	"reflect"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/codec"
)

// Message is a binding: a pointer to the generated struct T.
type Message[T any] interface {
	*T
	api.Message
}

// A Call is one request in execution. It is good until the function that got it
// returns. Requests are executed one at a time, so what is touched only by them
// needs no lock.
type Call struct {
	VPP *VPP

	name    string // of the request
	client  *peer  // whom the answer goes to; nil when VPP would not find them
	context uint32
	muted   bool // executed, but never answered
}

// Handle teaches v a request that has one reply: q is the request, and what f
// returns is its answer, nil meaning none, ever. The bindings name both; all
// messages of their package enter the table that clients connecting from now on
// get. A later Handle for the same name and CRC replaces an earlier one, built in
// or not. What is taught survives Restart, with whatever state f keeps; use
// WithPlugin to have state die with VPP.
func Handle[Q, R any, PQ Message[Q], PR Message[R]](v *VPP, f func(c *Call, q *Q) *R) {
	v.learn(func(l *life) {
		reply := l.idOf(PR(new(R)))
		l.handle(PQ(new(Q)), handler{
			run: func(c *Call, msg []byte) bool {
				q := new(Q)
				if codec.DecodeMsg(msg, PQ(q)) != nil {
					return false
				}
				if r := f(c, q); r != nil {
					c.send(reply, PR(r))
				}
				return true
			},
			refuse: func(c *Call, retval int32) { c.send(reply, refusal[R, PR](retval)) },
		})
	})
}

// HandleDump teaches v a request that is answered by any number of details and no
// end: clients find it by a control_ping sent after. Otherwise it is like Handle.
func HandleDump[Q, D any, PQ Message[Q], PD Message[D]](v *VPP, f func(c *Call, q *Q) []*D) {
	v.learn(func(l *life) {
		details := l.idOf(PD(new(D)))
		l.handle(PQ(new(Q)), handler{
			run: func(c *Call, msg []byte) bool {
				q := new(Q)
				if codec.DecodeMsg(msg, PQ(q)) != nil {
					return false
				}
				for _, d := range f(c, q) {
					c.send(details, PD(d))
				}
				return true
			},
			refuse: func(*Call, int32) {},
		})
	})
}

// HandleGet teaches v a request that is answered by any number of details and then
// one reply, which carries the cursor. Otherwise it is like Handle.
func HandleGet[Q, D, R any, PQ Message[Q], PD Message[D], PR Message[R]](v *VPP, f func(c *Call, q *Q) ([]*D, *R)) {
	v.learn(func(l *life) {
		details, reply := l.idOf(PD(new(D))), l.idOf(PR(new(R)))
		l.handle(PQ(new(Q)), handler{
			run: func(c *Call, msg []byte) bool {
				q := new(Q)
				if codec.DecodeMsg(msg, PQ(q)) != nil {
					return false
				}
				all, r := f(c, q)
				for _, d := range all {
					c.send(details, PD(d))
				}
				if r != nil {
					c.send(reply, PR(r))
				}
				return true
			},
			refuse: func(c *Call, retval int32) { c.send(reply, refusal[R, PR](retval)) },
		})
	})
}

// A handler is what Handle and its sisters make of a typed function.
type handler struct {
	run    func(c *Call, msg []byte) bool // false: not decodable, and so not executed
	refuse func(c *Call, retval int32)    // answers without executing
}

// refusal is a reply with a return value.
func refusal[R any, PR Message[R]](retval int32) PR {
	r := PR(new(R))
	spoil(r, retval)
	return r
}

// spoil makes m the reply to a request that was refused. VPP leaves in the other
// fields what is not to be used; here it is ~0, to catch who uses it all the same.
func spoil(m api.Message, retval int32) {
	fields := reflect.ValueOf(m).Elem()
	for i := range fields.NumField() {
		f := fields.Field(i)
		switch name := fields.Type().Field(i).Name; {
		case name == "Retval" && f.Kind() == reflect.Int32:
			f.SetInt(int64(retval))
		case f.Kind() == reflect.Uint32:
			f.SetUint(none)
		}
	}
}

// send queues an answer to the call.
func (c *Call) send(id uint16, m api.Message) {
	if c.client == nil || c.muted {
		return
	}
	msg, err := codec.EncodeMsg(m, id)
	if err != nil {
		return // as VPP: what cannot be said is not said
	}
	if at, ok := contextAt(m); ok {
		binary.BigEndian.PutUint32(msg[at:], c.context)
	}
	c.client.out.add(msg)
}

// A Topic is a kind of event that clients ask for with a want_* message. The zero
// value has no subscribers. Use it only within calls, plugins and Do.
type Topic struct {
	subscribers []subscriber
}

type subscriber struct {
	client *peer
	pid    uint32
}

// Want is VPP's way with want_* messages: 0, or -31 for a client that is subscribed
// already, or is not and wants no more. A subscription ends with its connection.
func (t *Topic) Want(c *Call, enable bool, pid uint32) int32 {
	for i, s := range t.subscribers {
		if s.client != c.client {
			continue
		}
		if enable {
			return invalidRegistration
		}
		t.subscribers = append(t.subscribers[:i:i], t.subscribers[i+1:]...)
		return 0
	}
	if !enable || c.client == nil {
		return invalidRegistration
	}
	t.subscribers = append(t.subscribers, subscriber{c.client, pid})
	return 0
}

// Publish sends every subscriber the event made for it: pid is what it gave as its
// own, to be put into the event.
func (t *Topic) Publish(v *VPP, event func(pid uint32) api.Message) {
	live := t.subscribers[:0]
	for _, s := range t.subscribers {
		if s.client.gone {
			continue
		}
		live = append(live, s)
		m := event(s.pid)
		id := v.life.idOf(m)
		msg, err := codec.EncodeMsg(m, id)
		if err != nil || id == 0 {
			continue
		}
		binary.BigEndian.PutUint32(msg[clientAt:], s.client.index)
		s.client.out.add(msg)
		s.client.out.flush()
	}
	clear(t.subscribers[len(live):])
	t.subscribers = live
}
