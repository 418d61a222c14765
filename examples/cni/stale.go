// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
)

// stale are the objects on the attachment's interface that it is not to have any more: an ADD before this
// one was of another netType, or had other addresses. A port of OVS is one object, and has none.
func (e *Engine) stale(ctx context.Context, a *Attachment) (keys []desiredstate.Key, err error) {
	if _, is := e.plane.(vpp); !is {
		return nil, nil
	}
	found, err := e.engine.Found(ctx)
	if err != nil {
		return nil, err
	}
	want, err := e.objects(a, found)
	if err != nil {
		return nil, err
	}
	keep := map[desiredstate.Key]bool{}
	for _, o := range want {
		keep[o.Key()] = true
	}
	orphans, _ := hangingOn(found, func(string) bool { return false })
	for _, k := range orphans { // GC's and DEL's
		keep[k] = true
	}
	keys, _ = hangingOn(found, func(name string) bool { return name == a.Name() })
	return slices.DeleteFunc(keys, func(k desiredstate.Key) bool { return keep[k] }), nil
}

// Renew is Ensure, and has of what was there before nothing left.
func (e *Engine) Renew(ctx context.Context, a *Attachment) (p Port, err error) {
	stale, err := e.stale(ctx, a)
	if err != nil {
		return p, err
	}
	if _, err := e.engine.Remove(ctx, stale...); err != nil {
		return p, err
	}
	p, err = e.Ensure(ctx, a)
	if err == nil && len(stale) > 0 { // a gateway or a bridge domain may be needed no more
		_, err = e.remove(ctx, func(string) bool { return false })
	}
	return p, err
}

// NoMore says what Renew would take away.
func (e *Engine) NoMore(ctx context.Context, a *Attachment) error {
	stale, err := e.stale(ctx, a)
	if err == nil && len(stale) > 0 {
		return fmt.Errorf("%s has more than is wanted, and a second ADD would remove: %v", a.Conf.Host.Engine, stale)
	}
	return err
}
