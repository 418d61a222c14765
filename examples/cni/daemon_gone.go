// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
)

// gone is what an attachment wanted that it wants no more, and that is to go: the daemon wanted it, and
// either saw the attachment's DEL, or it wants something else instead. All else that nobody wants the
// daemon leaves to DEL and GC, who know whose it is. It cannot know: a file of a cache may be
// unreadable, or be another runtime's, or name the data plane as the daemon does not.
type gone struct {
	*Attachment
	keys map[desiredstate.Key]bool
}

// note notes what of an attachment's objects is to go.
func (d *daemon) note(file string, was *Attachment, objects []desiredstate.Object) {
	is, there := d.last[file]
	if there && is == nil || !there && !deleted(was) {
		return // that something is missing is no order
	}
	if there {
		was = is
	}
	g, ok := d.gone[file]
	if !ok {
		g = gone{was, map[desiredstate.Key]bool{}}
	}
	for _, o := range objects {
		if k := o.Key(); !slices.ContainsFunc(d.wants[file], func(w desiredstate.Object) bool { return w.Key() == k }) {
			g.keys[k] = true
		}
	}
	if len(g.keys) == 0 {
		return
	}
	if d.gone == nil {
		d.gone = map[string]gone{}
	}
	d.gone[file] = g
}

// deleted says that an attachment which has gone from the cache was deleted: its hand-over has gone, too.
// A resync in the middle of that DEL may have made it anew.
func deleted(a *Attachment) bool { return a != nil && (share{a}).read() == nil }

// remove takes away what is gone, as a DEL does: no command is at work then, and what others are on, of
// whom the daemon may not know, stays.
func (d *daemon) remove(ctx context.Context, p plane, e *desiredstate.Engine) error {
	if len(d.gone) == 0 {
		return nil
	}
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	unlock, err := lock(soon, d.socket)
	if err != nil {
		return err
	}
	defer unlock()
	names := map[string]bool{}
	for file, g := range d.gone {
		is, there := d.last[file]
		if there && is == nil || !there && !deleted(g.Attachment) { // an ADD has come again
			delete(d.gone, file)
			continue
		}
		names[g.Name()] = true
	}
	e.Forget()
	found, err := e.Found(ctx)
	if err != nil {
		return err
	}
	keys, last, _ := p.leaving(found, func(name string) bool { return names[name] })
	stays := map[desiredstate.Key]bool{}
	for _, f := range found {
		stays[f.Key] = !slices.Contains(keys, f.Key) && !slices.Contains(last, f.Key)
	}
	var first, second []desiredstate.Key
	going := map[desiredstate.Key]bool{}
	for _, g := range d.gone {
		goes := false
		for k := range g.keys {
			if stays[k] || len(d.store.Sources(k)) > 0 {
				continue
			}
			goes, going[k] = true, true
			if slices.Contains(last, k) {
				second = append(second, k)
			} else {
				first = append(first, k)
			}
		}
		if !goes { // others are on the rest; as long as something goes it may be what Run was just making
			clear(g.keys)
		}
	}
	if err := removeKeys(ctx, e, first, second); err != nil {
		return err
	}
	for file, g := range d.gone {
		for k := range g.keys {
			if _, there := d.store.Status(k); going[k] && !there { // until then Run may be making it
				delete(g.keys, k)
			}
		}
		if len(g.keys) > 0 {
			continue
		}
		if err := d.takeBack(file, g.Attachment); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		delete(d.gone, file)
	}
	d.claim()
	return nil
}

// takeBack takes away what was lent to an attachment again in the middle of its DEL.
func (d *daemon) takeBack(file string, a *Attachment) error {
	if _, there := d.last[file]; there {
		return nil
	}
	return share{a}.remove("")
}

// claim says what is the daemon's of that of which the data plane does not tell whose it is: what it
// wants, and what is to go.
func (d *daemon) claim() {
	all := map[desiredstate.Key]bool{}
	for _, objects := range d.wants {
		for _, o := range objects {
			all[o.Key()] = true
		}
	}
	for _, g := range d.gone {
		for k := range g.keys {
			all[k] = true
		}
	}
	d.claims.Store(&all)
}

func (d *daemon) claimed(k desiredstate.Key) bool {
	all := d.claims.Load()
	return all != nil && (*all)[k]
}
