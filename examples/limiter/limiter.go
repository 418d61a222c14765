// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/vppnet"
)

const (
	owner = "limiter"
	table = "customers"
	base  = " table" // the source of what is there without limits; no limit can have that name

	destination = 30 // where an IPv4 packet has it, behind an Ethernet header
)

// limit is a rate that addresses share.
type limit struct {
	Kbps      uint32
	Burst     uint64 // bytes
	Addresses []netip.Addr
}

// objects are a policer, and a session for each address.
func (l limit) objects(name string) ([]desiredstate.Object, error) {
	out := []desiredstate.Object{qos.Policer{Name: name, Rate: l.Kbps, Burst: l.Burst, Conform: qos.Transmit}}
	for _, a := range l.Addresses {
		if !a.Is4() {
			return nil, fmt.Errorf("limit %q: address %v: want IPv4", name, a)
		}
		ip := a.As4()
		out = append(out, classify.Session{Table: table, Match: classify.At(destination, ip[:]...), Policer: name})
	}
	return out, nil
}

// limiter keeps one VPP after the other as the controller said last.
type limiter struct {
	store *desiredstate.Store
	fixed []desiredstate.Object
	iface string

	mu     sync.Mutex
	limits map[string]limit
	engine *desiredstate.Engine // of the VPP of the moment
}

func newLimiter(iface string, room uint32) *limiter {
	return &limiter{store: desiredstate.NewStore(), limits: map[string]limit{}, iface: iface, fixed: []desiredstate.Object{
		classify.Table{Name: table, Mask: classify.At(destination, 255, 255, 255, 255), Sessions: room},
		classify.Input{Interface: iface, Use: classify.Police, Table: table},
	}}
}

// set is what the controller says: all that it wants.
func (l *limiter) set(all map[string]limit) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	want, limits := map[string][]desiredstate.Object{base: l.fixed}, map[string]limit{}
	var errs []error
	for name, x := range all {
		objects, err := x.objects(name)
		if err != nil {
			errs = append(errs, err)
			before, had := l.limits[name]
			if !had {
				continue
			}
			x = before
			objects, _ = x.objects(name) // which was said before
		}
		want[name], limits[name] = objects, x
	}
	l.limits = limits
	err := errors.Join(append(errs, l.store.Replace(want, base))...)
	if err == nil {
		l.store.Complete() // from now on what nobody wants goes: of a wrong limit nobody knows what VPP has of it
	}
	return err
}

// setOne is what the controller says of one limit. One that has no addresses any more stays.
func (l *limiter) setOne(name string, x limit) error {
	objects, err := x.objects(name)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(l.store.Assign(base, l.fixed...), l.store.Assign(name, objects...)); err != nil {
		return err
	}
	l.limits[name] = x
	return nil
}

func (l *limiter) names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.limits))
}

// run works with one VPP after the other until ctx ends.
func (l *limiter) run(ctx context.Context, socket string, opts ...vppnet.Option) error {
	claim := vppnet.ClaimInterfaces(func(name string) bool { return name == l.iface })
	return vppnet.Follow(ctx, socket, owner, func(ctx context.Context, c *vppnet.Conn) error {
		policers := qos.Policers(c)
		e := desiredstate.New(policers, classify.Tables(c), classify.Sessions(c, policers), classify.Inputs(c, claim))
		l.mu.Lock()
		l.engine = e
		l.mu.Unlock()
		return e.Run(ctx, l.store, 10*time.Minute)
	}, opts...)
}

// policer is the number that VPP counts a limit's packets by.
func (l *limiter) policer(name string) (uint32, error) {
	l.mu.Lock()
	e := l.engine
	l.mu.Unlock()
	if e == nil {
		return 0, errors.New("no VPP yet")
	}
	return e.ID(qos.PolicerKey(name))
}
