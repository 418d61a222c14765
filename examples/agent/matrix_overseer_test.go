// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/vhost_user"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// overseer hears what passes between agents and one VPP, over its deaths. Beside what a witness objects
// to it knows of which ports VPP has confirmed that they are up, and what disturbed them.
type overseer struct {
	*witness
	uplink uint32
	born   func() // called when an agent has reached a VPP, before it knows

	mu        sync.Mutex
	dead      bool                 // this VPP: what is still said to it means nothing
	ports     map[uint32]string    // by interface
	tags      map[uint32]string    // of requests for ports, by context
	rises     map[uint32]uint32    // interfaces, of requests that they be up
	up        map[string]bool      // ports that VPP confirmed to be
	fell      map[string]time.Time // and when they last ceased to be
	disturbed map[string][]string  // what did that, by port
	untrue    []string             // what was said of ports in etcd and was not so

	fatal  func(api.Message) bool // what it dies of,
	killed func()                 // this is called then

	when    int    // so many messages that change something from now,
	answers bool   // or so many answers to them,
	trip    func() // this is done
}

func newOverseer(uplink uint32) *overseer {
	o := &overseer{uplink: uplink, born: func() {}, disturbed: map[string][]string{}}
	o.forget(time.Time{})
	return o
}

// forget has nobody up any more.
func (o *overseer) forget(at time.Time) {
	fell := map[string]time.Time{}
	for port := range o.fell {
		fell[port] = o.fell[port]
	}
	for port := range o.up {
		fell[port] = at
	}
	o.witness = newWitness(o.uplink)
	o.ports, o.tags, o.rises = map[uint32]string{}, map[uint32]string{}, map[uint32]uint32{}
	o.up, o.fell = map[string]bool{}, fell
}

// died says that this VPP is dead, and that the next one has nothing.
func (o *overseer) died() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dead = true
	o.forget(time.Now())
}

// tripAt has something done before the nth message from now that changes VPP goes on, or its answer.
func (o *overseer) tripAt(n int, answers bool, f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.when, o.answers, o.trip = n, answers, f
}

func (o *overseer) hear(context uint32, m api.Message) {
	if _, ok := m.(*memclnt.SockclntCreateReply); ok {
		o.mu.Lock()
		o.dead = false
		o.witness.cutOff()
		o.mu.Unlock()
		o.born()
		return
	}
	o.mu.Lock()
	if o.dead {
		o.mu.Unlock()
		return
	}
	w := o.witness
	o.note(context, m)
	trip := o.tripping(m)
	o.mu.Unlock()
	w.hear(context, m)
	if trip != nil {
		trip()
	}
}

// deadly says of which messages VPP dies, and what is done then.
func (o *overseer) deadly(of func(api.Message) bool, then func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fatal, o.killed = of, then
}

func (o *overseer) tripping(m api.Message) func() {
	if o.fatal != nil && o.fatal(m) {
		return o.killed
	}
	if o.trip == nil || (m.GetMessageType() == api.ReplyMessage) != o.answers || mutates(m.GetMessageName()) == 0 || strings.HasSuffix(m.GetMessageName(), "_details") {
		return nil
	}
	if o.when--; o.when > 0 {
		return nil
	}
	f := o.trip
	o.trip = nil
	return f
}

func (o *overseer) note(context uint32, m api.Message) {
	switch m := m.(type) {
	case *vhost_user.CreateVhostUserIfV2:
		o.tags[context] = m.Tag
	case *vhost_user.CreateVhostUserIfV2Reply:
		if port := uuidOf(o.tags[context]); m.Retval == 0 && port != "" {
			o.ports[uint32(m.SwIfIndex)] = port
		}
	case *interfaces.SwInterfaceDetails:
		port := uuidOf(m.Tag)
		if port == "" {
			delete(o.ports, uint32(m.SwIfIndex))
			return
		}
		if o.ports[uint32(m.SwIfIndex)] = port; m.Flags&1 != 0 {
			o.up[port] = true
		} else {
			o.falls(port)
		}
	case *interfaces.SwInterfaceSetFlags:
		if m.Flags != 0 {
			o.rises[context] = uint32(m.SwIfIndex)
		} else {
			o.disturbs(uint32(m.SwIfIndex), m)
		}
	case *interfaces.SwInterfaceSetFlagsReply:
		index, ok := o.rises[context]
		delete(o.rises, context)
		if port := o.ports[index]; ok && m.Retval == 0 && port != "" {
			o.up[port] = true
		}
	case *l2.SwInterfaceSetL2Bridge:
		if !m.Enable {
			o.disturbs(uint32(m.RxSwIfIndex), m)
		}
	case *vhost_user.DeleteVhostUserIf:
		o.disturbs(uint32(m.SwIfIndex), m)
		delete(o.ports, uint32(m.SwIfIndex))
	}
}

func (o *overseer) falls(port string) {
	if o.up[port] {
		delete(o.up, port)
		o.fell[port] = time.Now()
	}
}

func (o *overseer) disturbs(index uint32, m api.Message) {
	if port := o.ports[index]; port != "" {
		o.disturbed[port] = append(o.disturbed[port], m.GetMessageName())
		o.falls(port)
	}
}

// uuidOf is the UUID of the port whose interface has a tag; "": it is none.
func uuidOf(tag string) string {
	name, _ := strings.CutPrefix(strings.TrimRight(tag, "\x00"), translate.Owner+"/")
	sort, id, _ := strings.Cut(name, "-")
	if sort != "port" && sort != "secured" {
		return ""
	}
	return id
}

// said takes that a port is said to be bound, which is seen a moment after it was written.
func (o *overseer) said(port string) {
	const late = 2 * time.Second
	o.mu.Lock()
	defer o.mu.Unlock()
	if fell, ever := o.fell[port]; !o.up[port] && (!ever || time.Since(fell) > late) {
		o.untrue = append(o.untrue, fmt.Sprintf("%s is said to be bound, and is not up", port))
	}
}

// wrong says what was wrong since it was asked last: orders that left a port open (I4), untruths (I5).
func (o *overseer) objections() (i4, i5 []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i5, o.untrue = o.untrue, nil
	o.witness.mu.Lock()
	defer o.witness.mu.Unlock()
	i4, o.witness.wrong = o.witness.wrong, nil
	return i4, i5
}

// disturbances are what disturbed some ports since it was asked last.
func (o *overseer) disturbances(ports []string) (out []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for port, by := range o.disturbed {
		if slices.Contains(ports, port) {
			out = append(out, fmt.Sprintf("%s by %v", port, by))
		}
	}
	clear(o.disturbed)
	return out
}
