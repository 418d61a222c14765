// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"net"
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

	store     *desiredstate.Store
	board     *publish.Board
	inbox     *inbox
	announcer *announcer
	wires     *wires                     // nil: somebody else sees to Linux
	connected atomic.Pointer[connection] // nil: to no VPP
	etcdLost  atomic.Pointer[string]     // why etcd is not heard; nil: it is
	insight   *insight
	recalled  bool // the inbox knows what the first VPP held
}

func newAgent(site translate.Site, vpp string, etcd *clientv3.Client, resync time.Duration, log *slog.Logger) *agent {
	a := &agent{
		site: site, vpp: vpp, etcd: etcd, resync: resync, log: log,
		store: desiredstate.NewStore(),
		board: publish.New(etcd, site.State(), "ports/", "physnets/", "errors/"),
	}
	a.board.Alive, a.board.Resync = "alive", resync
	a.board.Lost = func(err error) { log.Warn("cannot write to etcd", "err", err) }
	a.inbox = newInbox(site, a.store, log)
	a.announcer = newAnnouncer(a.inbox, a.store, a.board)
	if site.Overlay != nil {
		world := publish.New(etcd, translate.Networks, "")
		world.Resync, world.Lost = resync, a.board.Lost
		world.Own = func(name string) bool {
			_, by, _ := strings.Cut(name, "/") // after the VNI
			return strings.HasPrefix(by, site.Host+"/")
		}
		a.announcer.world = world
	}
	a.wires = newWires(a.inbox, log)
	a.insight = newInsight(a)
	a.inbox.moved = func(source string) { a.announcer.touched.Add(source) }
	a.inbox.heard = a.insight.changed
	a.lost("not listed yet")
	return a
}

func (a *agent) lost(why string) { a.etcdLost.Store(&why) }

// run works until ctx ends. VPP and etcd may come and go.
func (a *agent) run(ctx context.Context) error {
	follower := follow.Follower{
		Client: a.etcd, Resync: a.resync,
		Lost: func(err error) {
			a.log.Warn("cannot follow etcd; VPP stays as it is", "err", err)
			a.lost(err.Error())
		},
	}
	a.inbox.feed(&follower)
	follower.Settled = func(all bool) {
		a.etcdLost.Store(nil)
		a.inbox.settled(all)
	}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return follower.Run(ctx) })
	g.Go(func() error { return a.board.Run(ctx) })
	if world := a.announcer.world; world != nil {
		g.Go(func() error { return world.Run(ctx) })
	}
	g.Go(func() error { return a.announcer.run(ctx) })
	g.Go(func() error { return a.sessions(ctx) })
	if a.wires != nil {
		g.Go(func() error { return a.wires.run(ctx) })
	}
	if a.listener != nil {
		g.Go(func() error { return a.serve(ctx, a.listener, true) })
	}
	if a.public != nil {
		g.Go(func() error { return a.serve(ctx, a.public, false) })
	}
	return g.Wait()
}

// observe is told what an engine does.
func (a *agent) observe(e desiredstate.Event) {
	observe.Log(a.log)(e)
	a.insight.event(e)
	if a.watcher != nil {
		a.watcher(e)
	}
}
