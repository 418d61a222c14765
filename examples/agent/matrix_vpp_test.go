// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/vhost_user"

	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// ofABind is about how many messages bind a filtered port in a network of its own.
const ofABind = 24

func faultsOfVPP() []fault {
	return []fault{
		{
			what: "VPP dies before a message", how: "kill -9 before the kth message of a bind goes on, 1 ≤ k ≤ 24",
			n: 3, died: true, once: func(w *world) { w.dieAt(false) },
		}, {
			what: "VPP dies after a message", how: "kill -9 before the kth answer of a bind comes",
			n: 3, died: true, once: func(w *world) { w.dieAt(true) },
		}, {
			what: "VPP dies at any time", how: "kill -9 while ports come, change and go; some seconds without a VPP",
			n: 3, died: true, also: "I8", once: func(w *world) {
				w.churn(4)
				w.pause(200 * time.Millisecond)
				w.die()
				w.withdrawn()
				w.sees("VPP is away")
				w.churn(2)
				w.revive()
			},
		}, {
			what: "VPP comes and goes", how: "ten times, each for at most 200 ms",
			n: 1, died: true, once: func(w *world) {
				for range 10 {
					w.die()
					w.pause(50 * time.Millisecond)
					w.revive()
					w.churn(1)
					w.pause(200 * time.Millisecond)
				}
			},
		}, {
			what: "another VPP at the same path", how: "the first one lives on, and is not reached any more",
			n: 2, died: true, once: func(w *world) { w.another(w.fresh()) },
		}, {
			what: "a VPP without a plugin", how: "another VPP, without vhost-user ports; later one that has them",
			n: 1, died: true, also: "I8", once: func(w *world) {
				w.another(w.fresh("vhost"))
				w.withdrawn()
				w.sees("incompatible VPP for vhost-port")
				w.churn(2)
				w.tried() // or it would still be at work when it loses this one
				w.another(w.fresh())
			},
		}, {
			what: "answers are lost", how: "VPP does it, and says nothing; six times, at messages that are drawn",
			n: 3, once: func(w *world) { w.sabotage(vpptest.Drop) },
		}, {
			what: "VPP refuses", how: "with -1, six messages that are drawn, once or twice",
			n: 3, once: func(w *world) { w.sabotage(vpptest.Refuse) },
		}, {
			what: "VPP refuses all for a while", how: "each message that changes something, for 3 seconds",
			n: 1, also: "I6", once: func(w *world) {
				w.proxy.ResetLog()
				w.proxy.Inject(vpptest.Fault{Writes: true, Times: -1, Kind: vpptest.Refuse, Retval: -1})
				w.churn(3)
				time.Sleep(3 * time.Second)
				require.Less(w, w.proxy.Writes(), 150, "I6: it is tried again and again")
				w.proxy.Heal()
			},
		}, {
			what: "the connection to VPP breaks", how: "before or after six messages that are drawn",
			n: 3, once: func(w *world) { w.sabotage(vpptest.CutBefore, vpptest.CutAfter) },
		}, {
			what: "VPP is slow", how: "a second for each of six messages that are drawn",
			n: 1, once: func(w *world) {
				for range 6 {
					w.proxy.Inject(vpptest.Fault{Writes: true, Nth: 1 + w.random.IntN(30), Kind: vpptest.Delay, Delay: time.Second})
				}
				w.churn(4)
			},
		}, {
			what: "VPP hangs", how: "it answers nothing for 8 seconds",
			n: 1, also: "I8", once: func(w *world) {
				w.proxy.Inject(vpptest.Fault{Times: -1, Kind: vpptest.Stall})
				w.churn(2)
				w.sees("no reply from VPP")
				time.Sleep(8 * time.Second)
				w.proxy.Heal()
			},
		}, {
			what: "VPP dies of an object", how: "each time that it is told of one port",
			n: 1, died: true, also: "I6 I8", once: (*world).deadlyPort,
		}, {
			what: "somebody changes what is ours", how: "a port down, or out of its bridge domain, by hand",
			n: 3, also: "I8", once: func(w *world) {
				name := still()[w.random.IntN(stillPorts)]
				iface := "port-" + name
				if w.groups[name] != nil {
					iface = "secured-" + name
				}
				if w.random.IntN(2) == 0 {
					w.setDown(w.vpp.Socket(), iface)
				} else {
					w.outOfBridge(w.vpp.Socket(), iface)
				}
				w.sees("found changed")
			},
		}, {
			what: "somebody has the VLAN of a port", how: "a sub-interface by hand, which goes later",
			n: 2, once: (*world).takenVLAN,
		},
	}
}

// sabotage has six messages fail while ports come, change and go.
func (w *world) sabotage(kinds ...vpptest.FaultKind) {
	for range 6 {
		w.proxy.Inject(vpptest.Fault{
			Writes: true, Nth: 1 + w.random.IntN(40), Times: 1 + w.random.IntN(2), Kind: kinds[w.random.IntN(len(kinds))], Retval: -1,
		})
	}
	w.churn(6)
	w.pause(time.Second)
	w.proxy.Heal() // those that were not met
}

// dieAt has VPP die at some message of a bind, or its answer, and be there again a while later.
func (w *world) dieAt(answers bool) {
	dead := make(chan struct{})
	w.see.tripAt(1+w.random.IntN(ofABind), answers, func() { w.die(); close(dead) })
	w.want(stillPorts+w.random.IntN(busyPorts), 200+w.random.IntN(50), true)
	select {
	case <-dead:
	case <-time.After(3 * time.Second): // it took fewer
		w.see.tripAt(0, false, nil)
		w.die()
	}
	w.pause(300 * time.Millisecond)
	w.revive()
}

// fresh starts another VPP, without some plugins.
func (w *world) fresh(without ...string) target {
	w.Helper()
	if w.real {
		var opts []vpptest.RealOption
		for _, p := range without {
			opts = append(opts, vpptest.WithStartup(fmt.Sprintf("plugins { plugin %s_plugin.so { disable } }", p)))
		}
		return vpptest.Real(w.T, opts...)
	}
	opts := []vpptest.Option{vpptest.WithInterface(nic)}
	for _, p := range without {
		opts = append(opts, vpptest.WithoutPlugin(p))
	}
	return vpptest.New(w.T, opts...)
}

// deadlyPort has VPP die each time that it is told of one port, until somebody changes that.
func (w *world) deadlyPort() {
	w.a.deadly.mu.Lock()
	w.a.deadly.again = time.Hour
	w.a.deadly.mu.Unlock()
	i := 50 + w.random.IntN(40)
	deaths := new(atomic.Int64)
	again, done := make(chan struct{}, 100), make(chan struct{})
	w.see.deadly(func(m api.Message) bool {
		port, ok := m.(*vhost_user.CreateVhostUserIfV2)
		return ok && uuidOf(port.Tag) == uuid(i)
	}, func() { deaths.Add(1); w.die(); again <- struct{}{} })
	go func() {
		defer close(done)
		for range again {
			w.revive()
		}
	}()
	w.want(i, 100, false)
	w.problem(i, "VPP died of it")
	require.LessOrEqual(w, deaths.Load(), int64(4), "I6")
	w.sees("VPP dies of")
	w.serves()
	w.see.deadly(nil, nil)
	close(again)
	<-done
	w.want(i, 101, true) // by another interface
}

// takenVLAN has somebody take the VLAN that a port then needs, and give it back.
func (w *world) takenVLAN() {
	c, err := vppnet.Dial(w.Context(), w.vpp.Socket(), "hand")
	require.NoError(w, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.CreateVlanSubif{}, &interfaces.DeleteSubif{})
	vpp := interfaces.NewServiceClient(c)
	vlan, i := 300+w.random.IntN(100), 50+w.random.IntN(40)
	sub, err := vpp.CreateVlanSubif(w.Context(), &interfaces.CreateVlanSubif{SwIfIndex: w.uplinkIndex(), VlanID: uint32(vlan)})
	require.NoError(w, err)
	w.want(i, vlan, false)
	w.problem(i, fmt.Sprint(vlan))
	_, err = vpp.DeleteSubif(w.Context(), &interfaces.DeleteSubif{SwIfIndex: sub.SwIfIndex})
	require.NoError(w, err)
}

func (w *world) uplinkIndex() interface_types.InterfaceIndex {
	return interface_types.InterfaceIndex(w.index(w.vpp.Socket(), w.site.Physnets["physnet1"]))
}
