// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// daemon keeps VPP as the runtime's cache says: what the plugin made for containers that live
// comes back when VPP has restarted, with the same sockets. It writes nothing but VPP.
type daemon struct {
	cache  string // directory of the runtime's results
	socket string
	every  time.Duration // how often to look whether the cache has changed
	resync time.Duration // how often to look what else has changed in VPP

	store  *desiredstate.Store
	wants  map[string][]desiredstate.Object // by file of the cache
	claims sync.Map                         // by key: all that it has ever wanted
}

// runDaemon is "cni daemon".
func runDaemon(args []string) error {
	d := daemon{store: desiredstate.NewStore()}
	var grace desiredstate.Grace
	f := flag.NewFlagSet("cni daemon", flag.ExitOnError)
	f.StringVar(&d.cache, "cache", "/var/lib/cni/results", "where the container runtime keeps the results of ADDs")
	f.StringVar(&d.socket, "vpp", os.Getenv("VPPKIT_API_SOCKET"), "VPP's API socket; empty: /run/vpp/api.sock")
	f.DurationVar(&d.every, "every", time.Second, "how often to look at the cache")
	f.DurationVar(&d.resync, "resync", 10*time.Second, "how often to compare all with VPP")
	f.DurationVar(&grace.Age, "grace", 2*limit, "how long to leave alone what the cache does not have: an ADD may be making it")
	_ = f.Parse(args) // it exits
	if d.socket == "" {
		d.socket = "/run/vpp/api.sock"
	}
	grace.Readings = 2
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := d.run(ctx, grace); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (d *daemon) run(ctx context.Context, grace desiredstate.Grace) error {
	report := vppnet.WithReport(func(err error, wait time.Duration) { slog.Warn("no VPP", "err", err, "again in", wait) })
	return vppnet.Follow(ctx, d.socket, owner, func(ctx context.Context, c *vppnet.Conn) error {
		first, err := d.read(ctx)
		if err != nil {
			return err
		}
		dirs := first.dirs()
		e := desiredstate.New(d.kinds(c, dirs)...)
		e.Grace = grace
		began := time.Now()
		e.Observe = func(ev desiredstate.Event) {
			if observe(ev); ev.Type == desiredstate.Converged {
				slog.Info("VPP has all of it", "objects", d.store.Count(desiredstate.Applied), "vpp", c.VPP(), "after", time.Since(began))
			}
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		go func() { cancel(d.follow(ctx, e, dirs)) }()
		err = e.Run(ctx, d.store, d.resync)
		return errors.Join(err, context.Cause(ctx))
	}, report)
}

// kinds are the plugin's. Of those that VPP does not tell whose they are, only what was wanted is
// the daemon's business.
func (d *daemon) kinds(c *vppnet.Conn, dirs []string) []desiredstate.AnyKind {
	all := kinds(c, dirs, func(table string, p netip.Prefix) bool {
		_, ours := d.claims.Load(l3.RouteKey("", p))
		return ours && hostRoutes(table, p)
	})
	for _, k := range all {
		if r, ok := k.(*desiredstate.Kind[l3.ProxyARPRange]); ok {
			r.Claims = func(k desiredstate.Key) bool { _, ours := d.claims.Load(k); return ours }
		}
	}
	return all
}

// errDirs has the engine made anew, as sockets are in directories that it does not know.
var errDirs = errors.New("there are sockets in other directories")

// follow puts what the cache says into the store, each time that it has changed.
func (d *daemon) follow(ctx context.Context, e *desiredstate.Engine, dirs []string) error {
	var last map[string]*Attachment
	said := ""
	for ; ctx.Err() == nil; time.Sleep(d.every) {
		now, err := d.read(ctx)
		if err == nil && (last == nil || !reflect.DeepEqual(now.attachments, last)) {
			if !subset(now.dirs(), dirs) {
				return errDirs
			}
			e.Forget() // the plugin has just made, or taken away, what is news here
			found, unread := e.Found(ctx)
			if unread != nil {
				return unread
			}
			last, err = now.attachments, d.take(now.attachments, theirs(found))
		}
		if err = errors.Join(err, now.errs); err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error() // not at each look
			slog.Error("the runtime's cache", "err", err)
		}
	}
	return ctx.Err()
}

// take says what all attachments want. One that is wrong keeps no other from what it wants, and
// what it wanted before it was wrong.
func (d *daemon) take(all map[string]*Attachment, bridges map[uint32]string) error {
	before := d.wants
	d.wants = map[string][]desiredstate.Object{}
	var errs []error
	for file, a := range all {
		d.wants[file] = before[file]
		if a == nil {
			continue
		}
		want, err := objects(a, bridges)
		if err = errors.Join(err, share{a}.check()); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		d.wants[file] = want
		for _, o := range want {
			d.claims.Store(o.Key(), true)
		}
		errs = append(errs, share{a}.open())
	}
	errs = append(errs, d.store.Replace(d.wants))
	d.store.Complete()
	return errors.Join(errs...)
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// cached are the attachments in the cache, by file; nil: it cannot be read, or not now.
type cached struct {
	attachments map[string]*Attachment
	errs        error // of files that say nothing
}

// dirs are where the directories of the containers are.
func (c cached) dirs() []string {
	set := map[string]bool{}
	for _, a := range c.attachments {
		if a != nil {
			set[filepath.Dir(a.Dir())] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}
