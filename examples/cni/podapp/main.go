// SPDX-License-Identifier: Apache-2.0

// podapp is the container's side of the Userspace CNI plugin: it reads what was handed over, and
// makes the opposite ends of the wires in the container's own VPP, with their addresses and
// routes. It keeps them there, over restarts of that VPP and as interfaces come and go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

func main() {
	var p pod
	flag.StringVar(&p.dir, "dir", netconf.MappedDir, "where the shared directory is mounted")
	flag.StringVar(&p.annotations, "annotations", "", "file of the Downward API with the pod's annotations, such as /etc/podinfo/annotations")
	flag.StringVar(&p.socket, "vpp", "/run/vpp/api.sock", "API socket of the container's VPP")
	flag.DurationVar(&p.every, "every", time.Second, "how often to look for what was handed over")
	once := flag.Bool("once", false, "program what was handed over, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	run := p.run
	if *once {
		run = p.once
	}
	if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "podapp:", err)
		os.Exit(1)
	}
}

// pod is the container.
type pod struct {
	dir, annotations, socket string
	every                    time.Duration
}

// owner is whose the things are in the container's VPP.
const owner = "pod"

// once programs what was handed over.
func (p pod) once(ctx context.Context) error {
	wants, errs := p.wants()
	c, err := vppnet.Dial(ctx, p.socket, owner)
	if err != nil {
		return err
	}
	defer c.Close()
	var all []desiredstate.Object
	for _, want := range wants {
		all = append(all, want...)
	}
	_, err = p.engine(c).Ensure(ctx, all...)
	return errors.Join(append(errs, err)...)
}

// run keeps the container's VPP as what was handed over says.
func (p pod) run(ctx context.Context) error {
	store := desiredstate.NewStore()
	go p.follow(ctx, store)
	report := vppnet.WithReport(func(err error, wait time.Duration) { slog.Warn("no VPP", "err", err, "again in", wait) })
	return vppnet.Follow(ctx, p.socket, owner, func(ctx context.Context, c *vppnet.Conn) error {
		return p.engine(c).Run(ctx, store, time.Minute)
	}, report)
}

func (p pod) engine(c *vppnet.Conn) *desiredstate.Engine {
	e := desiredstate.New(vppnet.MemifSockets(c, p.dir), vppnet.Memifs(c), vppnet.LinkStates(c), l3.Addresses(c), l3.Routes(c, everyRoute))
	e.Prune = desiredstate.PruneNamed // the routes that others made in the container are as good as ours
	e.Observe = func(ev desiredstate.Event) {
		switch ev.Type {
		case desiredstate.Done, desiredstate.Converged:
			slog.Info(string(ev.Type), "object", ev.Key, "action", ev.Action)
		case desiredstate.Failed, desiredstate.ReadFailed:
			slog.Warn(string(ev.Type), "object", ev.Key, "kind", ev.Kind, "err", ev.Err)
		}
	}
	return e
}

// follow puts what is handed over into the store, as it comes and goes.
func (p pod) follow(ctx context.Context, store *desiredstate.Store) {
	known := map[string]bool{}
	said := ""
	for first := true; ; first = false {
		wants, errs := p.wants()
		for source, want := range wants {
			known[source] = true
			if err := store.Assign(source, want...); err != nil {
				errs = append(errs, err)
			}
		}
		for source := range known {
			if _, there := wants[source]; !there && len(errs) == 0 {
				_ = store.Assign(source) // without objects there is nothing to refuse
				delete(known, source)
			}
		}
		if first {
			store.Complete()
		}
		if err := errors.Join(errs...); err != nil && err.Error() != said {
			said = err.Error() // not at each look
			slog.Error("hand-over", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(p.every):
		}
	}
}
