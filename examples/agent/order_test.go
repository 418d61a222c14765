// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/acl"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/vhost_user"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
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

// A port comes up when it is whole, and goes down before it is taken apart:
// no message in between finds it up, whatever fails.
func TestUpIsTheLastMessage(t *testing.T) {
	t.Run("in memory", func(t *testing.T) {
		v := memory(t)
		upIsLast(newRig(t), v, v.Socket(), nic, 100)
	})
	t.Run("real", func(t *testing.T) {
		v, r := vpptest.Real(t), realEtcd(t)
		r.loopback(v.Socket())
		upIsLast(r, v, v.Socket(), "loop0", 200)
	})
}

func TestUpIsTheLastMessageWhateverFails(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("in memory, %d", seed), func(t *testing.T) {
			v := memory(t)
			upIsLast(newRig(t), v, v.Socket(), nic, 20, sabotage(v, seed))
		})
	}
	t.Run("real", func(t *testing.T) {
		v, r := vpptest.Real(t), realEtcd(t)
		r.loopback(v.Socket())
		p := vpptest.NewProxy(t, v.Socket())
		upIsLast(r, v, p.Socket(), "loop0", 40, sabotage(p, 6))
	})
}

// sabotage returns what injects a few faults each time. An agent that was cut off
// from VPP does not know in which order to unmake what it no longer wants.
func sabotage(v interface {
	Inject(vpptest.Fault)
	Heal()
}, seed uint64,
) func(cuts bool) {
	random := rand.New(rand.NewPCG(seed, 0))
	messages := []string{
		"acl_add_replace", "acl_del", "macip_acl_add_replace", "macip_acl_del", "acl_interface_set_acl_list",
		"acl_interface_set_acl_list", "macip_acl_interface_add_del", "macip_acl_interface_add_del",
		"sw_interface_set_flags", "sw_interface_set_flags", "sw_interface_set_l2_bridge", "sw_interface_set_l2_bridge",
		"create_vhost_user_if_v2", "delete_vhost_user_if", "create_subif", "delete_subif", "bridge_domain_add_del_v2",
		"l2_interface_vlan_tag_rewrite", "sw_interface_tag_add_del",
	}
	return func(cuts bool) {
		v.Heal()
		kinds := []vpptest.FaultKind{vpptest.Refuse, vpptest.Refuse, vpptest.Drop, vpptest.Delay}
		if cuts {
			kinds = append(kinds, vpptest.CutBefore, vpptest.CutAfter)
		}
		for range 6 {
			v.Inject(vpptest.Fault{
				Message: messages[random.IntN(len(messages))], Nth: 1 + random.IntN(12), Times: 1 + random.IntN(2),
				Kind: kinds[random.IntN(len(kinds))], Retval: -1, Delay: 20 * time.Millisecond,
			})
		}
	}
}

// upIsLast takes ports up, to other networks, and down.
func upIsLast(r *rig, v target, through, uplink string, n int, sabotage ...func(cuts bool)) {
	fail := func(cuts bool) {
		for _, f := range sabotage {
			f(cuts)
		}
	}
	site := r.siteOf("h1", uplink)
	w := newWitness(r.index(v.Socket(), uplink))
	// Three of four ports are filtered.
	vlans, groups := map[string]int{}, map[string][]string{}
	put := func(i, vlan int, in ...string) {
		vlans[uuid(i)] = vlan
		delete(groups, uuid(i))
		if len(in) > 0 {
			groups[uuid(i)] = in
			r.put("h1", uuid(i), secured(vlan, fmt.Sprintf("10.0.0.%d", i), in...))
		} else {
			r.put("h1", uuid(i), port(vlan))
		}
	}
	for i := range n {
		if i%4 == 0 {
			put(i, 100+i%(n/4))
		} else {
			put(i, 100+i%(n/4), gid(i%4), gid(i%7))
		}
	}
	for i := range 20 {
		r.group(i, ssh("192.0.2.0", gid(i+1)))
	}
	fail(true)
	start := func() *running {
		return r.agent(site, vpptest.NewTap(r, through, w.hear), func(a *agent) {
			if len(sabotage) > 0 {
				a.dial = append(a.dial, vppnet.WithLostAfter(20*time.Millisecond))
			}
		})
	}
	a := start()
	settled := func() map[desiredstate.Key]desiredstate.Found {
		r.Helper()
		require.Eventually(r, func() bool {
			known, _ := a.inbox.Names()
			for _, name := range known {
				p, _, _ := a.inbox.Look(name)
				if in, filtered := groups[name]; int(p.Segment) != vlans[name] || p.Filtered != filtered || !slices.Equal(p.Groups, in) {
					return false
				}
			}
			return len(known) == len(vlans)
		}, 20*time.Second, time.Millisecond)
		r.converged(a)
		r.bound("h1", names(vlans)...)
		w.content(r)
		return r.whole(site, v.Socket(), vlans, groups)
	}
	members := func(have map[desiredstate.Key]desiredstate.Found) (ids []uint32) {
		for k, f := range have {
			if k.Space == "bridge-port" {
				ids = append(ids, f.ID)
			}
		}
		return ids
	}
	ids := members(settled())
	require.Len(r, ids, n+n/4)
	w.ended(r, ids...)

	// Ports change their networks, of which some go and some are new: those that
	// move stay up, from one bridge domain to the other in one message.
	// Some of them change their groups as well, come to be filtered, or are no more.
	for i := range n / 2 {
		if i%4 < 2 {
			put(i, 1000+i%3, gid(10+i%4))
		} else if i%8 < 4 {
			put(i, 1000+i%3)
		} else {
			put(i, 1000+i%3, gid(i%4), gid(i%7))
		}
	}
	for i := range 20 {
		r.group(i, ssh("198.51.100.0", gid(i+2)))
		r.member(i, i, `["10.0.0.1"]`)
	}
	fail(false)
	settled()

	// Half of them go, some while there is no agent, and it is cut off again: the
	// order in which they are unmade is nowhere but in VPP.
	unplug := func(every, first int) {
		for i := first; i < n; i += every {
			delete(vlans, uuid(i))
			delete(groups, uuid(i))
			r.unplug("h1", uuid(i))
		}
	}
	unplug(4, 0)
	fail(true)
	settled()
	a.stop()
	unplug(4, 2)
	fail(true)
	a = start()
	settled()
	require.GreaterOrEqual(r, w.ups, n+n/4)
	r.Logf("%d times up", w.ups)
}
