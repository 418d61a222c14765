// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os/signal"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// daemon keeps a data plane as the runtime's cache says: what the plugin made for containers that
// live comes back when the data plane has lost it, with the same sockets. It writes nothing else, but
// the links to OVS's sockets.
type daemon struct {
	dataPlane
	cache  string        // directory of the runtime's results
	every  time.Duration // how often to look whether the cache has changed
	resync time.Duration // how often to look what else has changed in the data plane

	store  *desiredstate.Store
	wants  map[string][]desiredstate.Object // by file of the cache
	claims sync.Map                         // by key: all that it has ever wanted
}

// dataPlane is one that a daemon follows.
type dataPlane struct {
	engine, socket string
	follow         func(ctx context.Context, socket string, use func(context.Context, plane) error, report func(error, time.Duration)) error
}

// runDaemon is "cni daemon".
func runDaemon(args []string) error {
	var none netconf.Conf
	planes := map[string]dataPlane{
		netconf.VPP: {netconf.VPP, socketOf(&none), followVPP},
		netconf.OVS: {netconf.OVS, ovsdbOf(&none), followOVS},
	}
	d := daemon{store: desiredstate.NewStore()}
	grace := desiredstate.Grace{Readings: 2}
	f := flag.NewFlagSet("cni daemon", flag.ExitOnError)
	engine := f.String("engine", netconf.VPP, "the data plane: vpp or ovs-dpdk; who has both runs a daemon for each")
	socket := f.String("socket", "", "VPP's API socket, or OVSDB's; empty: where the plugin looks for it")
	f.StringVar(&d.cache, "cache", "/var/lib/cni/results", "where the container runtime keeps the results of ADDs")
	f.DurationVar(&d.every, "every", time.Second, "how often to look at the cache")
	f.DurationVar(&d.resync, "resync", 10*time.Second, "how often to compare all with the data plane")
	f.DurationVar(&grace.Age, "grace", 2*limit, "how long to leave alone what the cache does not have: an ADD may be making it")
	_ = f.Parse(args) // it exits
	p, ok := planes[*engine]
	if !ok {
		return fmt.Errorf("-engine %s: want %s or %s", *engine, netconf.VPP, netconf.OVS)
	}
	d.dataPlane = p
	d.socket = cmp.Or(*socket, d.socket)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := d.run(ctx, grace); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (d *daemon) run(ctx context.Context, grace desiredstate.Grace) error {
	use := func(ctx context.Context, p plane) error {
		first, err := d.read(ctx)
		if err != nil {
			return err
		}
		dirs := first.dirs()
		e := desiredstate.New(p.kinds(dirs, d.wanted)...)
		e.Grace = grace
		began := time.Now()
		e.Observe = func(ev desiredstate.Event) {
			if observe(ev); ev.Type == desiredstate.Converged {
				slog.Info(d.engine+" has all of it", "objects", d.store.Count(desiredstate.Applied), "after", time.Since(began))
			}
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		go func() { cancel(d.keep(ctx, p, e, dirs)) }()
		err = e.Run(ctx, d.store, d.resync)
		return errors.Join(err, context.Cause(ctx))
	}
	return d.follow(ctx, d.socket, use, func(err error, wait time.Duration) {
		slog.Warn("no "+d.engine, "err", err, "again in", wait)
	})
}

func (d *daemon) wanted(k desiredstate.Key) bool { _, ours := d.claims.Load(k); return ours }

// errDirs has the engine made anew, as sockets are in directories that it does not know.
var errDirs = errors.New("there are sockets in other directories")

// keep puts what the cache says into the store, each time that it has changed, and sees to it that
// containers have their sockets.
func (d *daemon) keep(ctx context.Context, p plane, e *desiredstate.Engine, dirs []string) error {
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
			last, err = now.attachments, d.take(now.attachments, p, found)
		}
		if err = errors.Join(err, now.errs, hand(last, p)); err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error() // not at each look
			slog.Error("the runtime's cache", "err", err)
		}
	}
	return ctx.Err()
}

// take says what all attachments want. One that is wrong keeps no other from what it wants, and
// what it wanted before it was wrong.
func (d *daemon) take(all map[string]*Attachment, p plane, found []desiredstate.Found) error {
	before := d.wants
	d.wants = map[string][]desiredstate.Object{}
	var errs []error
	for file, a := range all {
		d.wants[file] = before[file]
		if a == nil {
			continue
		}
		want, err := p.objects(a, found)
		if err = errors.Join(err, share{a}.check()); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		d.wants[file] = want
		for _, o := range want {
			d.claims.Store(o.Key(), true)
		}
	}
	errs = append(errs, d.store.Replace(d.wants))
	d.store.Complete()
	return errors.Join(errs...)
}

// hand gives containers the sockets that are there.
func hand(all map[string]*Attachment, p plane) error {
	var errs []error
	for file, a := range all {
		if a == nil || (share{a}).check() != nil {
			continue
		}
		err := p.lend(a)
		if err == nil {
			err = share{a}.open()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		}
	}
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
