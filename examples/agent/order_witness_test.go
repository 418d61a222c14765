// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/acl"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/vhost_user"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// witness hears what the agent tells VPP, and objects when an interface is up,
// or is to be, without being in its bridge domain, or a filtered port without being
// behind its filters.
type witness struct {
	mu       sync.Mutex
	uplink   uint32 // is up in any case
	ifs      map[uint32]*heard
	refusals map[uint32]func() // of requests that wait for their reply, by context
	pending  map[uint32]uint32 // the interfaces that these are about
	creates  map[uint32]string // the tags in requests for ports, by context
	wrong    []string
	ups      int
}

// heard is one interface as the agent may believe it to be.
type heard struct {
	in, up       bool
	filtered     bool // it has to be: VPP said that it is named so
	sets, macips bool // it is
	macs         uint32
	doubt        bool     // nobody knows what became of what was asked last
	said         []string // messages that change something
}

func newWitness(uplink uint32) *witness {
	return &witness{uplink: uplink, ifs: map[uint32]*heard{}, refusals: map[uint32]func(){}, pending: map[uint32]uint32{}, creates: map[uint32]string{}}
}

func (w *witness) hear(context uint32, m api.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.GetMessageType() == api.ReplyMessage {
		undo := w.refusals[context]
		delete(w.refusals, context)
		delete(w.pending, context)
		if r := reflect.ValueOf(m).Elem().FieldByName("Retval"); undo != nil && r.IsValid() && r.Int() != 0 {
			undo()
		}
		w.named(context, m)
		return
	}
	delete(w.refusals, context) // of an earlier connection
	switch m := m.(type) {
	case *vhost_user.CreateVhostUserIfV2:
		w.creates[context] = m.Tag
	case *binding.MacipACLDel: // VPP does that while it is bound, too
		for id, i := range w.ifs {
			if i.up && i.macips && i.macs == m.ACLIndex {
				w.wrong = append(w.wrong, fmt.Sprintf("interface %d loses its sources while up: %v", id, i.said))
			}
		}
	}
	id, ok := subject(m)
	if !ok || mutates(m.GetMessageName()) == 0 || id == w.uplink {
		return
	}
	i := w.of(id)
	i.said = append(i.said, m.GetMessageName())
	w.pending[context] = id
	before := *i
	undo := func(in bool) {
		w.refusals[context] = func() {
			i.said = append(i.said, "refused")
			switch m.(type) { // what else is under way is not refused
			case *l2.SwInterfaceSetL2Bridge:
				i.in = in
			case *interfaces.SwInterfaceSetFlags:
				i.up = before.up
			case *binding.ACLInterfaceSetACLList:
				i.sets = before.sets
			case *binding.MacipACLInterfaceAddDel:
				i.macips = before.macips
			}
		}
	}
	undo(i.in)
	object := func(yes bool, why string) {
		if yes {
			w.wrong = append(w.wrong, fmt.Sprintf("interface %d %s: %v", id, why, i.said))
		}
	}
	switch m := m.(type) {
	case *interfaces.SwInterfaceSetFlags:
		if i.up = m.Flags != 0; i.up {
			i.said[len(i.said)-1] = up
			w.ups++
		}
		object(i.up && !i.in, "comes up outside of its bridge domain")
		object(i.up && i.filtered && !(i.sets && i.macips), "comes up without its filters")
	case *l2.SwInterfaceSetL2Bridge:
		object(!m.Enable && i.up, "leaves its bridge domain while up")
		i.in = m.Enable
		if m.Enable && !i.up { // refused: it may be outside
			undo(false)
		}
	case *binding.ACLInterfaceSetACLList:
		object(m.Count == 0 && i.up, "loses its sets while up")
		i.sets = m.NInput > 0 && m.Count > m.NInput
	case *binding.MacipACLInterfaceAddDel:
		object(!m.IsAdd && i.up, "loses its sources while up")
		i.macips = m.IsAdd
		i.macs = m.ACLIndex
	case *vhost_user.DeleteVhostUserIf, *interfaces.DeleteSubif:
		object(i.up, "is deleted while up")
		delete(w.ifs, id) // VPP reuses the number
	}
}

// cutOff takes that a connection ended, with whatever was not answered. An agent reads how things
// stand; what is not known is believed to be right.
func (w *witness) cutOff() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range w.pending {
		if i := w.ifs[id]; i != nil {
			i.in, i.sets, i.macips, i.doubt = true, true, true, true
		}
	}
	clear(w.pending)
}

func (w *witness) of(id uint32) *heard {
	if w.ifs[id] == nil {
		w.ifs[id] = new(heard)
	}
	return w.ifs[id]
}

// named learns from a dump, or from the reply to what makes it, which interface is
// a filtered port. Nothing can be done to one before VPP gave its number, which
// another may have had: a dump that was under way could tell of that one.
func (w *witness) named(context uint32, m api.Message) {
	switch m := m.(type) {
	case *interfaces.SwInterfaceDetails:
		if i := w.ifs[uint32(m.SwIfIndex)]; i != nil && i.doubt {
			i.up, i.doubt = m.Flags&interface_types.IF_STATUS_API_FLAG_ADMIN_UP != 0, false
		}
		if isFiltered(m.Tag) {
			w.of(uint32(m.SwIfIndex)).filtered = true
		}
	case *vhost_user.CreateVhostUserIfV2Reply:
		if m.Retval == 0 {
			w.ifs[uint32(m.SwIfIndex)] = &heard{filtered: isFiltered(w.creates[context])}
		}
	case *interfaces.CreateSubifReply:
		if m.Retval == 0 {
			w.ifs[uint32(m.SwIfIndex)] = new(heard)
		}
	}
}

func isFiltered(tag string) bool { return strings.HasPrefix(tag, translate.Owner+"/secured-") }

const up = "up" // stands for sw_interface_set_flags that say so

// subject is the interface that a request is about.
func subject(m api.Message) (uint32, bool) {
	for _, name := range []string{"SwIfIndex", "RxSwIfIndex"} {
		if f := reflect.ValueOf(m).Elem().FieldByName(name); f.IsValid() && f.CanUint() {
			return uint32(f.Uint()), true
		}
	}
	return 0, false
}

// content demands that nothing was wrong.
func (w *witness) content(r *rig) {
	r.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Empty(r, w.wrong)
}

// ended demands that the last that was heard of these interfaces is that they
// are to come up.
func (w *witness) ended(r *rig, ids ...uint32) {
	r.Helper()
	w.content(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		require.NotNil(r, w.ifs[id])
		said := w.ifs[id].said
		require.Equal(r, up, said[len(said)-1], "interface %d: %v", id, said)
	}
}
