// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	interfaces "go.fd.io/govpp/binapi/interface"

	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// world is a host with all that can fail: an agent, the etcd that it follows, the VPP that it serves, and
// the ways to both.
//
//	agent --wire--> etcd
//	agent --overseer, proxy--> VPP
//
// Its first ports, still, are never touched; busy ones come, change and go.
type world struct {
	*rig
	random *rand.Rand
	site   translate.Site
	vpp    target
	real   bool
	proxy  *vpptest.Proxy
	see    *overseer
	socket string // of VPP, for agents: a link that is there while VPP is
	behind string // where it leads
	server *etcdtest.Process
	direct string // etcd's URL
	wire   *etcdtest.Wire
	child  *os.Process // the agent's, if it is one
	page   string      // socket of the agent's own page

	a    *running // the agent, in this process
	kill func()   // or in one of its own
	with func(*agent)

	mu     sync.Mutex
	shut   chan struct{} // no agent reaches VPP before it is closed; nil: all do
	values map[string]string
	vlans  map[string]int
	groups map[string][]string
	wrong  map[string]bool // keys that are to be errors, as they are named there
	bads   []string        // and of ports
	at     int64           // the last revision that says what is wanted
	hands  string          // what others have in VPP
	watch  func()          // ends what hears who is said to be bound
}

const (
	stillPorts = 4
	busyPorts  = 8
	auditEvery = time.Second
	listEvery  = 2 * time.Second
)

// newWorld starts all of it, and waits until the still ports are served.
func newWorld(t *testing.T, f *fault, seed uint64, real bool) *world {
	t.Helper()
	w := &world{
		random: rand.New(rand.NewPCG(seed, 0)), real: real,
		values: map[string]string{}, vlans: map[string]int{}, groups: map[string][]string{}, wrong: map[string]bool{},
	}
	uplink := nic
	if real {
		w.vpp, uplink = vpptest.Real(t), "loop0"
	} else {
		w.vpp = memory(t)
	}
	switch {
	case f.members > 0:
		w.server = etcdtest.Cluster(t, f.members, f.etcd...)
		w.rig = rigOn(t, w.server.URL())
	case f.process || real:
		w.server = etcdtest.Start(t, f.etcd...)
		w.rig = rigOn(t, w.server.URL())
	default:
		w.rig = newRig(t)
	}
	w.direct, w.with = w.url, func(*agent) {}
	if f.with != nil {
		w.with = f.with
	}
	if f.members == 0 {
		w.wire = etcdtest.NewWire(t, w.url)
		w.url = w.wire.URL()
	}
	w.site = w.siteOf("h1", uplink)
	w.byHands()
	w.see = newOverseer(uint32(w.uplinkIndex()))
	w.see.born = func() {
		w.mu.Lock()
		shut := w.shut
		w.mu.Unlock()
		if shut != nil {
			<-shut
		}
	}
	w.socket = shortDir(t) + "/api.sock"
	w.connect()
	w.writeGroups()
	for i := range stillPorts {
		w.want(i, 100+i/2, i%2 == 1)
	}
	w.listen()
	t.Cleanup(func() { w.watch() })
	w.agent(f.killed)
	w.settle()
	return w
}

// connect leads agents to the VPP of the moment.
func (w *world) connect() {
	w.Helper()
	w.proxy = vpptest.NewProxy(w, w.vpp.Socket())
	w.behind = vpptest.NewTap(w, w.proxy.Socket(), w.see.hear)
	_ = os.Remove(w.socket)
	require.NoError(w, os.Symlink(w.behind, w.socket))
}

// another has another VPP stand where the first one did, which lives on.
func (w *world) another(v target) {
	w.Helper()
	first := w.vpp
	w.vpp = v
	w.byHands()
	ours, foreign := w.found(w.site, first.Socket())
	before := w.text(ours) + w.text(foreign)
	w.see.died()
	w.connect()
	require.Eventually(w, func() bool { return w.proxy.Writes() > 0 }, 20*time.Second, time.Millisecond, "nobody notices")
	ours, foreign = w.found(w.site, first.Socket())
	require.Equal(w, before, w.text(ours)+w.text(foreign), "the first one is left alone")
}

// byHands has others work on VPP: they make what is foreign, look alike or not, and on a real
// VPP what stands for the uplink.
func (w *world) byHands() {
	w.Helper()
	at := w.vpp.Socket()
	if w.real {
		w.loopback(at)
	}
	w.byHand(at)
	w.foreignACLs(at)
	c, err := vppnet.Dial(w.Context(), at, "hand")
	require.NoError(w, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.CreateLoopback{}, &interfaces.SwInterfaceTagAddDel{})
	vpp := interfaces.NewServiceClient(c)
	loop, err := vpp.CreateLoopback(w.Context(), &interfaces.CreateLoopback{})
	require.NoError(w, err)
	_, err = vpp.SwInterfaceTagAddDel(w.Context(), &interfaces.SwInterfaceTagAddDel{IsAdd: true, SwIfIndex: loop.SwIfIndex, Tag: translate.Owner + "2/port-" + uuid(0)})
	require.NoError(w, err)
	w.hands = w.foreign(w.site, at)
}

// agent starts the agent: in this process, or in one that can be killed.
func (w *world) agent(killed bool) {
	w.Helper()
	if killed {
		w.page = shortDir(w.T) + "/page.sock"
		w.child, w.kill = w.start("run", "--etcd", w.url, "--vpp", w.socket, "--host", "h1", "--physnet", "physnet1="+w.site.Physnets["physnet1"],
			"--vhost-user-dir", w.site.Dir, "--socket", w.page, "--bound", "vpp", "--audit", auditEvery.String(), "--resync", listEvery.String())
		return
	}
	var with func(*agent)
	w.page, with = paged(w.T)
	pprof.Do(context.Background(), pprof.Labels("world", w.Name()), func(context.Context) { // who is of it is known by that
		w.a = w.rig.agent(w.site, w.socket, with, func(a *agent) {
			w.with(a)
			a.audit, a.resync, a.board.Resync = auditEvery, listEvery, listEvery
			a.dial = append(a.dial, vppnet.WithLostAfter(50*time.Millisecond), vppnet.WithReplyTimeout(3*time.Second), vppnet.WithWedgedAfter(5*time.Second))
		})
	})
}

// listen hears who is said to be bound, from now on.
func (w *world) listen() {
	if w.watch != nil {
		w.watch()
	}
	ctx, cancel := context.WithCancel(context.Background())
	prefix := w.site.State() + "ports/"
	events := w.client.Watch(ctx, prefix, clientv3.WithPrefix())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r := range events {
			for _, e := range r.Events {
				if e.Type == clientv3.EventTypePut {
					w.see.said(strings.TrimPrefix(string(e.Kv.Key), prefix))
				}
			}
		}
	}()
	w.watch = func() { cancel(); <-done }
}

// die kills VPP.
func (w *world) die() {
	w.see.died()
	_ = os.Remove(w.socket)
	w.vpp.Kill()
}

// revive starts VPP anew. Agents reach it when others have made what is theirs.
func (w *world) revive() {
	w.Helper()
	shut := make(chan struct{})
	w.mu.Lock()
	w.shut = shut
	w.mu.Unlock()
	require.NoError(w, w.vpp.Restart())
	w.byHands()
	require.NoError(w, os.Symlink(w.behind, w.socket))
	w.mu.Lock()
	w.shut = nil
	w.mu.Unlock()
	close(shut)
}
