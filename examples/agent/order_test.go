// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/vhost_user"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// witness hears what the agent tells VPP, and objects when an interface is up,
// or is to be, without being in its bridge domain.
type witness struct {
	mu       sync.Mutex
	uplink   uint32 // is up in any case
	ifs      map[uint32]*heard
	refusals map[uint32]func() // of requests that wait for their reply, by context
	wrong    []string
	ups      int
}

// heard is one interface as the agent may believe it to be.
type heard struct {
	in, up bool
	said   []string // messages that change something
}

func newWitness(uplink uint32) *witness {
	return &witness{uplink: uplink, ifs: map[uint32]*heard{}, refusals: map[uint32]func(){}}
}

func (w *witness) hear(context uint32, m api.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.GetMessageType() == api.ReplyMessage {
		undo := w.refusals[context]
		delete(w.refusals, context)
		if r := reflect.ValueOf(m).Elem().FieldByName("Retval"); undo != nil && r.IsValid() && r.Int() != 0 {
			undo()
		}
		return
	}
	delete(w.refusals, context) // of an earlier connection
	id, ok := subject(m)
	if !ok || mutates(m.GetMessageName()) == 0 || id == w.uplink {
		return
	}
	i := w.ifs[id]
	if i == nil {
		i = new(heard)
		w.ifs[id] = i
	}
	i.said = append(i.said, m.GetMessageName())
	before := *i
	undo := func(in bool) {
		w.refusals[context] = func() {
			i.in, i.up, i.said = in, before.up, append(i.said, "refused")
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
	case *l2.SwInterfaceSetL2Bridge:
		object(!m.Enable && i.up, "leaves its bridge domain while up")
		i.in = m.Enable
		if m.Enable && !i.up { // refused: it may be outside
			undo(false)
		}
	case *vhost_user.DeleteVhostUserIf, *interfaces.DeleteSubif:
		object(i.up, "is deleted while up")
		delete(w.ifs, id) // VPP reuses the number
	}
}

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
	vlans := map[string]int{}
	for i := range n {
		vlans[uuid(i)] = 100 + i%(n/4)
		r.put("h1", uuid(i), port(vlans[uuid(i)]))
	}
	fail(true)
	start := func() *running {
		return r.agent(site, vpptest.NewTap(r, through, w.hear), func(a *agent) {
			a.dial = append(a.dial, vppnet.WithReplyTimeout(300*time.Millisecond))
		})
	}
	a := start()
	settled := func() map[desiredstate.Key]desiredstate.Found {
		r.Helper()
		require.Eventually(r, func() bool {
			known, _ := a.inbox.names()
			for _, name := range known {
				if p, _, _ := a.inbox.look(name); int(p.Segment) != vlans[name] {
					return false
				}
			}
			return len(known) == len(vlans)
		}, 20*time.Second, time.Millisecond)
		require.NoError(r, a.store.Wait(r.Context()))
		r.bound("h1", names(vlans)...)
		w.content(r)
		return r.whole(site, v.Socket(), vlans)
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
	for i := range n / 2 {
		vlans[uuid(i)] = 1000 + i%3
		r.put("h1", uuid(i), port(vlans[uuid(i)]))
	}
	fail(false)
	settled()

	// Half of them go, some while there is no agent, and it is cut off again: the
	// order in which they are unmade is nowhere but in VPP.
	unplug := func(every, first int) {
		for i := first; i < n; i += every {
			delete(vlans, uuid(i))
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
