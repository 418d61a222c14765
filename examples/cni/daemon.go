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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// daemon keeps a data plane as the runtimes' caches say: what the plugin made for containers that
// live comes back when the data plane has lost it, with the same sockets. It writes nothing else, but
// the links to OVS's sockets.
//
// Of what it does not know it removes nothing: that no cache speaks of an interface does not show that
// nobody has it. See gone.
type daemon struct {
	dataPlane
	caches []string      // directories of the runtimes' results
	plugin string        // its type in netconfs
	every  time.Duration // how often to look whether the caches have changed
	resync time.Duration // how often to look what else has changed in the data plane

	store  *desiredstate.Store
	files  map[string]*cachedFile           // by path
	last   map[string]*Attachment           // the same; nil: it was never read
	wants  map[string][]desiredstate.Object // the same
	gone   map[string]gone                  // the same
	claims atomic.Pointer[map[desiredstate.Key]bool]
	wrong  error  // with what attachments want
	said   string // of all that is wrong
}

// dataPlane is one that a daemon follows.
type dataPlane struct {
	engine, socket string
	follow         func(ctx context.Context, socket string, use func(context.Context, plane) error, report func(error, time.Duration)) error
}

// runDaemon is "cni daemon".
func runDaemon(args []string) error {
	d, err := daemonOf(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := d.run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// cacheDirs are where libcni keeps results, and where Multus has it keep those of its networks.
var cacheDirs = []string{"/var/lib/cni/results", "/var/lib/cni/multus/results"}

// daemonOf is that of a command line.
func daemonOf(args []string) (*daemon, error) {
	var none netconf.Conf
	planes := map[string]dataPlane{
		netconf.VPP: {netconf.VPP, socketOf(&none), followVPP},
		netconf.OVS: {netconf.OVS, ovsdbOf(&none), followOVS},
	}
	d := &daemon{store: desiredstate.NewStore()}
	f := flag.NewFlagSet("cni daemon", flag.ContinueOnError)
	engine := f.String("engine", netconf.VPP, "the data plane: vpp or ovs-dpdk; who has both runs a daemon for each")
	socket := f.String("socket", "", "VPP's API socket, or OVSDB's; empty: where the plugin looks for it")
	f.Func("cache", "where a runtime keeps the results of ADDs; may be given several times (default "+strings.Join(cacheDirs, " and ")+")", func(dir string) error {
		d.caches = append(d.caches, filepath.Clean(dir))
		return nil
	})
	f.StringVar(&d.plugin, "type", pluginType, "the plugin's type in netconfs, which is its file's name")
	f.DurationVar(&d.every, "every", time.Second, "how often to look at the caches")
	f.DurationVar(&d.resync, "resync", 10*time.Second, "how often to compare all with the data plane; 0: only when a cache has changed")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	p, ok := planes[*engine]
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("%q: want options only, see -h", f.Arg(0))
	case !ok:
		return nil, fmt.Errorf("-engine %s: want %s or %s", *engine, netconf.VPP, netconf.OVS)
	case d.every <= 0:
		return nil, fmt.Errorf("-every %v: want more than 0", d.every)
	case d.resync < 0:
		return nil, fmt.Errorf("-resync %v: want 0 or more", d.resync)
	}
	d.dataPlane = p
	d.socket = cmp.Or(strings.TrimPrefix(*socket, "unix:"), d.socket)
	if d.caches == nil {
		d.caches = cacheDirs
	}
	return d, nil
}

func (d *daemon) run(ctx context.Context) error {
	use := func(ctx context.Context, p plane) error {
		now := d.read(ctx)
		dirs := dirsOf(now.attachments)
		e := desiredstate.New(p.kinds(dirs, d.claimed)...)
		e.Prune = desiredstate.PruneNone
		began := time.Now()
		e.Observe = func(ev desiredstate.Event) {
			if observe(ev); ev.Type == desiredstate.Converged {
				slog.Info(d.engine+" has all of it", "objects", d.store.Count(desiredstate.Applied), "after", time.Since(began))
			}
		}
		if err := d.take(ctx, now, p, e); err != nil { // who was deleted meanwhile gets nothing
			return err
		}
		ctx, cancel := context.WithCancelCause(ctx)
		var keeping sync.WaitGroup
		keeping.Go(func() { cancel(d.keep(ctx, p, e, dirs)) })
		err := errors.Join(e.Run(ctx, d.store, d.resync), context.Cause(ctx))
		cancel(nil)
		keeping.Wait() // what is wanted is the next one's then
		return err
	}
	return d.follow(ctx, d.socket, use, func(err error, wait time.Duration) {
		slog.Warn("no "+d.engine, "err", err, "again in", wait)
	})
}

// errDirs has the engine made anew, as sockets are in directories that it does not know.
var errDirs = errors.New("there are sockets in other directories")

// keep puts what the caches say into the store, each time that they have changed, and sees to it that
// containers have their sockets.
func (d *daemon) keep(ctx context.Context, p plane, e *desiredstate.Engine, dirs []string) error {
	for ; ctx.Err() == nil; pause(ctx, d.every) {
		now := d.read(ctx)
		if !maps.Equal(now.attachments, d.last) {
			if !subset(dirsOf(now.attachments), dirs) {
				return errDirs
			}
			if err := d.take(ctx, now, p, e); err != nil {
				return err
			}
		}
		err := errors.Join(d.wrong, d.remove(ctx, p, e), now.errs, hand(d.last, p))
		if ctx.Err() == nil {
			d.say(err)
		}
	}
	return ctx.Err()
}

// say logs what is wrong, but not at each look.
func (d *daemon) say(err error) {
	if err != nil && err.Error() != d.said {
		d.said = err.Error()
		slog.Error("the runtime's cache", "err", err)
	}
}

// take says what all attachments want. One that is wrong keeps no other from what it wants, and
// what it wanted before it was wrong. Its error is the data plane's.
func (d *daemon) take(ctx context.Context, now cached, p plane, e *desiredstate.Engine) error {
	e.Forget() // the plugin has just made, or taken away, what is news here
	found, err := e.Found(ctx)
	if err != nil {
		return err
	}
	before, last := d.wants, d.last
	d.wants, d.last = map[string][]desiredstate.Object{}, now.attachments
	var errs []error
	for _, file := range slices.Sorted(maps.Keys(now.attachments)) {
		a := now.attachments[file]
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
	}
	for file, objects := range before {
		d.note(file, last[file], objects)
	}
	d.claim()
	e.Forget() // by other claims other things are ours
	errs = append(errs, d.store.Replace(d.wants))
	d.store.Complete()
	d.wrong = errors.Join(errs...)
	return nil
}

// hand gives containers the sockets that are there.
func hand(all map[string]*Attachment, p plane) error {
	var errs []error
	for _, file := range slices.Sorted(maps.Keys(all)) {
		a := all[file]
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

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// dirsOf are where the directories of the containers are.
func dirsOf(all map[string]*Attachment) []string {
	set := map[string]bool{}
	for _, a := range all {
		if a != nil {
			set[filepath.Dir(a.Dir())] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}
