// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/observe"
	"github.com/vppkit/vppkit/examples/agent/publish"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
	"github.com/vppkit/vppkit/vppnet"
)

// agent keeps one VPP as the keys of one host say.
//
//	etcd --follow--> inbox --> store --> engine of the day --> VPP
//	etcd <--publish-- announcer <--'
type agent struct {
	site   translate.Site
	vpp    string // path of its API socket
	etcd   *clientv3.Client
	resync time.Duration // of etcd and of VPP
	log    *slog.Logger

	// To be set before run, or not.
	listener net.Listener // of the status page, for whoever may change things
	public   net.Listener // of it for whoever is on this machine
	dial     []vppnet.Option
	watcher  func(desiredstate.Event) // told what the engine does, besides the log
	audit    time.Duration            // how often VPP is read though it told of no change

	looks time.Duration // how often VMs are looked for that ports wait for; others five times as seldom

	// alone: a port is bound when VPP has all of it, whether or not its VM is there.
	alone bool

	store     *desiredstate.Store
	board     *publish.Board
	inbox     *wants.Inbox
	announcer *announcer
	wires     *wires                     // nil: somebody else sees to Linux
	connected atomic.Pointer[connection] // nil: to no VPP
	etcdLost  atomic.Pointer[string]     // why etcd is not heard; nil: it is
	recalled  bool                       // the inbox knows what the first VPP held
	vppLock   *os.File                   // nil: not had
	self      string                     // who it says that it is, once it has that
	met       bool                       // this process has spoken to a VPP
	guests    atomic.Pointer[attachments]
	health    health
	deadly    quarantine
	insight   *insight
	behind    atomic.Int64 // when VPP ceased to be as etcd says, in ns; 0: it is so
	snoops    snoops
}

func newAgent(site translate.Site, vpp string, etcd *clientv3.Client, resync time.Duration, log *slog.Logger) *agent {
	a := &agent{
		site: site, vpp: vpp, etcd: etcd, resync: resync, log: log,
		audit: 30 * time.Second, looks: time.Second,
		store: desiredstate.NewStore(),
		board: publish.New(etcd, site.State(), "ports/", "routers/", "physnets/", "errors/", "conditions/", "vpp", converged),
	}
	a.board.Alive, a.board.Last, a.board.Resync = "alive", converged, resync
	a.board.Lost = func(err error) { log.Warn("cannot write to etcd", "err", err) }
	a.inbox = wants.New(site, a.store, log)
	a.inbox.Linger(wants.Lingering)
	a.deadly.again, a.deadly.pause = 10*time.Minute, 10*time.Second
	tapped := publish.New(etcd, translate.TapState(site.Host, ""), translate.TapServices, translate.TapFlows)
	tapped.Resync, tapped.Lost = resync, a.board.Lost
	a.announcer = newAnnouncer(a.inbox, a.store, a.board, tapped)
	a.announcer.attached, a.announcer.runs = a.attached, a.runs
	a.announcer.looked = func() bool { return a.alone || a.guests.Load().known() }
	if site.Overlay != nil {
		world := publish.New(etcd, translate.Networks, "")
		world.Resync, world.Lost = resync, a.board.Lost
		world.Own = func(name string) bool {
			_, by, _ := strings.Cut(name, "/") // after the VNI
			return strings.HasPrefix(by, site.Host+"/")
		}
		a.announcer.world = world
	}
	a.wires = newWires(a.inbox, a.store, log)
	a.insight = newInsight(a)
	a.inbox.Moved = func(source string) { a.announcer.touched.Add(source) }
	a.inbox.Heard = a.insight.changed
	a.lost("etcd is not listed yet")
	return a
}

func (a *agent) lost(why string) { a.etcdLost.Store(&why) }

// run works until ctx ends, or another agent has taken this one's place. VPP and etcd may come
// and go.
func (a *agent) run(outer context.Context) error {
	g, ctx := errgroup.WithContext(outer)
	g.Go(func() error { return a.watchHealth(ctx) })
	if a.listener != nil {
		g.Go(func() error { return a.serve(ctx, a.listener, true) })
	}
	if a.public != nil {
		g.Go(func() error { return a.serve(ctx, a.public, false) })
	}
	g.Go(func() error {
		lost, release, err := a.own(ctx)
		if err != nil {
			return err
		}
		defer release()
		all := ctx
		g, ctx := errgroup.WithContext(ctx)
		over := func() bool { return outer.Err() != nil || all.Err() != nil || ctx.Err() != nil }
		for _, b := range a.boards() {
			b.Over = over
		}
		g.Go(func() error {
			select {
			case err := <-lost:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		a.bequeath(ctx)
		a.work(ctx, g)
		return g.Wait()
	})
	return g.Wait()
}

// boards are what the host says of itself, and to whom.
func (a *agent) boards() []*publish.Board {
	all := []*publish.Board{a.board, a.announcer.tapped}
	if a.announcer.world != nil {
		all = append(all, a.announcer.world)
	}
	return all
}

// work has etcd followed, VPP kept and all announced.
func (a *agent) work(ctx context.Context, g *errgroup.Group) {
	away := false // since it was heard last
	follower := follow.Follower{
		Client: a.etcd, Resync: a.resync,
		Lost: func(err error) {
			away = true
			a.log.Warn("cannot follow etcd; VPP stays as it is", "err", err)
			a.lost(fmt.Sprintf("etcd at %s is not heard: %v", strings.Join(a.etcd.Endpoints(), ", "), err))
		},
	}
	a.inbox.Feed(&follower)
	a.inbox.Mine = &a.announcer.convergence.mine
	follower.Reached = func(at int64) {
		a.announcer.convergence.reached.Store(at)
		a.announcer.touched.Add()
	}
	follower.Settled = func(all bool) {
		a.etcdLost.Store(nil)
		a.inbox.Settled(all)
		if away { // it may have been rolled back
			away = false
			for _, b := range a.boards() {
				b.Doubt()
			}
			a.announcer.heardAgain()
		}
	}
	g.Go(func() error { return follower.Run(ctx) })
	for _, b := range a.boards() {
		g.Go(func() error { return b.Run(ctx) })
	}
	g.Go(func() error { return a.announcer.run(ctx) })
	g.Go(func() error { return a.sessions(ctx) })
	if a.wires != nil {
		g.Go(func() error { return a.wires.run(ctx) })
	}
}

// observe is told what an engine does.
func (a *agent) observe(e desiredstate.Event) {
	switch e.Type {
	case desiredstate.Drift:
		a.health.note(func(h *health) { h.drifts, h.drift, h.last = h.drifts+1, time.Now(), e.Key.String() })
	case desiredstate.ReadFailed:
		a.health.note(func(h *health) { h.unread = fmt.Sprintf("%s cannot be read: %v", e.Kind, e.Err) })
	case desiredstate.Read:
		a.health.note(func(h *health) {
			if strings.HasPrefix(h.unread, e.Kind+" ") {
				h.unread = ""
			}
		})
	}
	observe.Log(a.log)(e)
	a.insight.event(e)
	if a.watcher != nil {
		a.watcher(e)
	}
}
