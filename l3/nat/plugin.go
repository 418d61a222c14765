// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Plugin is VPP's NAT44 as such: that it is on, and what goes for all of it. There is
// one. The zero value is on with VPP's defaults.
type Plugin struct {
	// What is fixed while NAT is on.
	InsideTable  string
	OutsideTable string
	Sessions     uint32 // at most, for each worker, up to MaxSessions; 0: 64512, or 10240 if endpoint-independent
	Users        uint32 // hosts at most; 0: 1024; endpoint-independent only
	UserSessions uint32 // at most, for each host; 0: as Sessions; endpoint-independent only

	// Forwarding lets packets pass that nothing translates. Without it they are
	// dropped.
	Forwarding bool

	// How long a session without packets is kept, in whole seconds; 0: VPP's
	// default.
	UDP            time.Duration // 5 minutes
	TCPEstablished time.Duration // 2 hours and 4 minutes
	TCPTransitory  time.Duration // 4 minutes
	ICMP           time.Duration // 1 minute

	MSS uint16 // the most that TCP may announce, bytes; 0: what it likes

	// Restart says that NAT may be turned off and on again to change what is fixed
	// while it is on. All sessions end. Otherwise such a change is refused, as it is
	// while others have something in NAT.
	Restart bool
}

// MaxSessions bounds the sessions of a Plugin. VPP takes some 400 bytes of its main
// heap (1 GB if its startup.conf does not say more) for each that it may have to
// hold, for each worker, as soon as NAT is turned on, and ends itself if it lacks them.
const MaxSessions = 1 << 20

// PluginKey is the key of the one Plugin.
func PluginKey() desiredstate.Key { return desiredstate.Key{Space: pluginSpace, Name: "nat44"} }

const pluginSpace = "nat"

// Key is PluginKey().
func (n Plugin) Key() desiredstate.Key { return PluginKey() }

// Deps lists the tables.
func (n Plugin) Deps() []desiredstate.Key {
	return append(place.TableDeps(n.InsideTable), place.TableDeps(n.OutsideTable)...)
}

// Validate checks tables, bounds and durations.
func (n Plugin) Validate() error {
	if err := errors.Join(place.CheckTable(n.InsideTable), place.CheckTable(n.OutsideTable)); err != nil {
		return err
	}
	if most := max(n.Sessions, n.Users, n.UserSessions); most > MaxSessions {
		return fmt.Errorf("%d sessions or users, want at most %d", most, MaxSessions)
	}
	return place.CheckSeconds(n.UDP, n.TCPEstablished, n.TCPTransitory, n.ICMP)
}

// Plugins manages VPP's NAT44 itself (nat44_ed_plugin_enable_disable, or
// nat44_ei_plugin_enable_disable; timeouts, forwarding and MSS by messages of
// their own). An engine that is given this kind owns NAT: it may be turned off.
// The other NAT kinds only refer to it.
//
// Turning NAT off ends everybody's sessions. While others have something in it, a NAT
// that is removed is therefore left on, as it is, and forgotten: NAT in which there is
// nothing but what others have is not shown. A NAT that is wanted then takes it over,
// unless what is fixed is otherwise. VPP keeps its two tables for good once NAT was on
// with them.
//
// What [Interfaces] and [Addresses] claim is ours here too if claims say so: else a NAT in which
// there is nothing but that, as after a program that died, is found to be ours only once that has gone.
func Plugins(c *vppnet.Conn, variant Variant, claims ...Claims) *desiredstate.Kind[Plugin] {
	return plugins(c, variant, true, claims...)
}

// Claims are what the kinds of NAT were given: what is in NAT and ours, though it is on an interface or for a
// table that is not. The zero value claims nothing.
type Claims struct {
	Interfaces []vppnet.Claim // as Interfaces
	Addresses  []netip.Prefix // as Addresses
}

// plugins is for Plugins, and for those that only refer to what it manages.
func plugins(c *vppnet.Conn, variant Variant, ours bool, claims ...Claims) *desiredstate.Kind[Plugin] {
	k := plugin{c: c, vpp: newClient(c, variant), mine: new(atomic.Bool)}
	for _, more := range claims {
		k.interfaces, k.pool = append(k.interfaces, more.Interfaces...), append(k.pool, more.Addresses...)
	}
	messages, needs := k.vpp.messages(partReads), []desiredstate.AnyKind{l3.Tables(c)}
	if ours {
		messages = append(messages, k.vpp.messages(partWrites, partRoles, partPool, partMaps, partRest)...)
		needs = l3.Places(c)
	}
	return &desiredstate.Kind[Plugin]{
		Target: c.Target(), Variant: [4]any{variant, ours, vppnet.Variant(k.interfaces...), fmt.Sprint(k.pool)},
		Name:     "nat",
		Requires: needs,
		Messages: c.Uses(messages...),
		Dump: func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[Plugin], error) {
			s, err := k.vpp.settings(ctx)
			if err != nil {
				return nil, err
			}
			if s.sessions == 0 {
				k.mine.Store(false)
				return nil, nil
			}
			if ours && !k.mine.Load() {
				if theirs, err := k.theirs(ctx, v); theirs || err != nil {
					return nil, err
				}
				k.mine.Store(true)
			}
			return []desiredstate.Actual[Plugin]{{Spec: s.read(v), Foreign: !ours}}, nil
		},
		Disturbs: func(a desiredstate.Action, _ desiredstate.Actual[Plugin], _ Plugin) desiredstate.Disruption {
			if a == desiredstate.Update {
				return desiredstate.DisturbsNothing
			}
			return desiredstate.DisturbsTarget // all sessions of all
		},
		Check: func(_ *desiredstate.View, n Plugin) error {
			if variant == EndpointDependent && (n.Users != 0 || n.UserSessions != 0) {
				return fmt.Errorf("%s NAT does not count users: set no Users, no UserSessions, or use nat.EndpointIndependent", variant)
			}
			return nil
		},
		Foresee: func(ctx context.Context, v *desiredstate.View, _ uint32, _ Plugin) error { return k.restarts(ctx, v) },
		Create: func(ctx context.Context, v *desiredstate.View, n Plugin) (uint32, error) {
			want, err := k.send(v, n)
			if err != nil {
				return 0, err
			}
			have, err := k.vpp.settings(ctx)
			if err != nil {
				return 0, err
			}
			if have.sessions == 0 {
				if err := k.vpp.enable(ctx, want); err != nil {
					return 0, err
				}
				if have, err = k.vpp.settings(ctx); err != nil {
					return 0, err
				}
			} else if is, to := fixed(have.read(v)), fixed(k.defaults(n)); is != to {
				return 0, fmt.Errorf("%w: others have NAT on with %+v, which is fixed while it is on, want %+v: take that, or have them turn it off", desiredstate.ErrForeign, is, to)
			}
			k.mine.Store(true)
			return 0, k.change(ctx, have, want)
		},
		Update: k.update,
		Delete: k.leave,
		Fill: func(have desiredstate.Actual[Plugin], want Plugin) Plugin {
			want = k.defaults(want)
			if fixed(have.Spec) == fixed(want) {
				want.Restart = have.Spec.Restart
			}
			return want
		},
		InPlace: func(have desiredstate.Actual[Plugin], want Plugin) bool {
			return fixed(have.Spec) == fixed(want) || !want.Restart
		},
	}
}

// endsSessions says that any change of what NAT translates by ends the sessions that it
// has made.
func endsSessions[S desiredstate.Object](desiredstate.Action, desiredstate.Actual[S], S) desiredstate.Disruption {
	return desiredstate.DisturbsSessions
}

// update changes what changes while NAT is on.
func (k plugin) update(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Plugin], want Plugin) error {
	if fixed(have.Spec) != fixed(k.defaults(want)) {
		return fmt.Errorf("%w: tables, sessions and users are fixed while NAT is on; with Restart it is turned off and on, and all sessions end",
			desiredstate.ErrInvalid)
	}
	h, err := k.send(v, have.Spec)
	if err != nil {
		return err
	}
	w, err := k.send(v, want)
	if err != nil {
		return err
	}
	return k.change(ctx, h, w)
}

// leave turns NAT off, unless others use it.
func (k plugin) leave(ctx context.Context, v *desiredstate.View, _ desiredstate.Actual[Plugin]) error {
	used, err := k.used(ctx, v)
	if err != nil {
		return err
	}
	k.mine.Store(false)
	if used {
		return nil // it stays, and is theirs
	}
	return vppnet.Gone(k.vpp.disable(ctx), api.FEATURE_ALREADY_DISABLED)
}

type plugin struct {
	c   *vppnet.Conn
	vpp client

	// mine: this engine has found NAT to be ours, or has taken it. VPP keeps nothing
	// that says whose it is.
	mine *atomic.Bool

	interfaces place.Scope
	pool       place.Claims
}

// each tells of all that is in NAT what sort of thing it is, and whether it is ours, until told that
// this was enough. Interfaces come first, of which that is told at the least cost.
func (k plugin) each(ctx context.Context, v *desiredstate.View, enough func(what string, ours bool) bool) error {
	roles, err := k.vpp.roles(ctx)
	if err != nil {
		return err
	}
	for id := range roles {
		_, ours := v.Owned(interfaceSpace, id)
		if enough("an interface", ours || k.interfaces.In(v, id, l3.TableOf(v, id, false))) {
			return nil
		}
	}
	pool, err := k.vpp.addresses(ctx)
	if err != nil {
		return err
	}
	for _, a := range pool {
		_, ours := v.Owned(addressSpace, inet.Number(a.addr))
		if enough("an address", ours || k.pool.Has(v, a.table, inet.Host(a.addr))) {
			return nil
		}
	}
	for _, read := range []func(context.Context) ([]staticMapping, error){k.vpp.mappings, k.vpp.identities} {
		all, err := read(ctx)
		if err != nil {
			return err
		}
		for _, m := range all {
			what := "a mapping"
			if m.borrows {
				what = "a mapping by an interface's address"
			}
			if _, ours := k.c.Untag(m.tag); enough(what, ours) {
				return nil
			}
		}
	}
	more, err := k.vpp.rest(ctx)
	if err != nil {
		return err
	}
	for _, m := range more {
		if _, ours := k.c.Untag(m.tag); enough(m.what, ours) {
			return nil
		}
	}
	if k.vpp.variant() == EndpointIndependent {
		return nil // it has no exits
	}
	leave, err := exits{c: k.c}.dump(ctx, v)
	if err != nil {
		return err
	}
	for _, x := range leave {
		if enough("an exit", !x.Foreign) {
			return nil
		}
	}
	return nil
}

// theirs says whether others have something in NAT, and we have nothing.
func (k plugin) theirs(ctx context.Context, v *desiredstate.View) (yes bool, err error) {
	err = k.each(ctx, v, func(_ string, ours bool) bool {
		yes = !ours
		return ours
	})
	return yes, err
}

// used says whether anything is still in NAT once all that is ours has gone from it.
func (k plugin) used(ctx context.Context, v *desiredstate.View) (yes bool, err error) {
	err = k.each(ctx, v, func(string, bool) bool {
		yes = true
		return true
	})
	return yes, err
}

// restarts says why NAT would not be turned off and on again: it stays on for others, after all that is ours
// has gone from it, and takes back nothing that is fixed otherwise.
func (k plugin) restarts(ctx context.Context, v *desiredstate.View) (refused error) {
	err := k.each(ctx, v, func(what string, ours bool) bool {
		if !ours {
			refused = fmt.Errorf("%w: others have %s in NAT, which is not turned off and on again beside that: have them take it out, or leave what is fixed as it is", desiredstate.ErrForeign, what)
		}
		return !ours
	})
	return cmp.Or(err, refused)
}
