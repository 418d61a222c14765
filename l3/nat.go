// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// NATVariant is one of the two NAT44 plugins of VPP. All NAT kinds of an engine
// are of one variant; the objects are the same for both.
//
// What differs: endpoint-dependent NAT gives a port of an address to many sessions
// that lead to different hosts, has twice-NAT, and drops TCP that it has not seen
// begin. So when a router fails over to another VPP, every TCP connection through
// it breaks, those of floating IPs included. Endpoint-independent NAT has one port
// for each session of a host, no twice-NAT, and takes up TCP anywhere: connections
// of floating IPs outlive a failover, those of shared addresses do not. It wants
// the external address of a mapping of ports in the pool. And hosts inside do not
// reach each other by their floating IPs (hairpinning): VPP 25.10 means to do that,
// but has such packets by-pass the node that would.
type NATVariant uint8

// The variants.
const (
	EndpointDependent   NATVariant = iota // plugin nat, nat44_ed_* and nat44_*
	EndpointIndependent                   // plugin nat44_ei, nat44_ei_*
)

// String returns "endpoint-dependent" or "endpoint-independent".
func (n NATVariant) String() string {
	if n == EndpointIndependent {
		return "endpoint-independent"
	}
	return "endpoint-dependent"
}

// NAT is VPP's NAT44 as such: that it is on, and what goes for all of it. There is
// one. The zero value is on with VPP's defaults.
type NAT struct {
	// What is fixed while NAT is on.
	InsideTable  string
	OutsideTable string
	Sessions     uint32 // at most, for each worker, up to MaxNATSessions; 0: 64512, or 10240 if endpoint-independent
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
	// while it is on. All sessions end. Otherwise such a change is refused.
	Restart bool
}

// MaxNATSessions bounds the sessions of a NAT. VPP takes some 400 bytes of its main
// heap (1 GB if its startup.conf does not say more) for each that it may have to
// hold, for each worker, as soon as NAT is turned on, and ends itself if it lacks them.
const MaxNATSessions = 1 << 20

// NATKey is the key of the one NAT.
func NATKey() desiredstate.Key { return desiredstate.Key{Space: natSpace, Name: "nat44"} }

const natSpace = "nat"

// Key is NATKey().
func (n NAT) Key() desiredstate.Key { return NATKey() }

// Deps lists the tables.
func (n NAT) Deps() []desiredstate.Key {
	return append(tableDeps(n.InsideTable), tableDeps(n.OutsideTable)...)
}

// Validate checks tables, bounds and durations.
func (n NAT) Validate() error {
	if err := errors.Join(checkTable(n.InsideTable), checkTable(n.OutsideTable)); err != nil {
		return err
	}
	if most := max(n.Sessions, n.Users, n.UserSessions); most > MaxNATSessions {
		return fmt.Errorf("%d sessions or users, want at most %d", most, MaxNATSessions)
	}
	for _, d := range []time.Duration{n.UDP, n.TCPEstablished, n.TCPTransitory, n.ICMP} {
		if d < 0 || d%time.Second != 0 || d/time.Second > 1<<32-1 {
			return fmt.Errorf("timeout %v: want whole seconds", d)
		}
	}
	return nil
}

// NATs manages VPP's NAT44 itself (nat44_ed_plugin_enable_disable, or
// nat44_ei_plugin_enable_disable; timeouts, forwarding and MSS by messages of
// their own). An engine that is given this kind owns NAT: it may be turned off.
// The other NAT kinds only refer to it.
//
// Turning NAT off ends everybody's sessions. While others have something in it, a NAT
// that is removed is therefore left on, as it is, and forgotten: NAT in which there is
// nothing but what others have is not shown. A NAT that is wanted then takes it over,
// unless what is fixed is otherwise. VPP keeps its two tables for good once NAT was on
// with them.
func NATs(c *vppnet.Conn, variant NATVariant) *desiredstate.Kind[NAT] {
	return nats(c, variant, true)
}

// nats is for NATs, and for those that only refer to what it manages.
func nats(c *vppnet.Conn, variant NATVariant, ours bool) *desiredstate.Kind[NAT] {
	k := natKind{c: c, vpp: newNAT(c, variant), mine: new(atomic.Bool)}
	messages, needs := k.vpp.messages(natReads), []desiredstate.AnyKind{Tables(c)}
	if ours {
		messages = append(messages, k.vpp.messages(natWrites, natRoles, natPool, natMaps)...)
		needs = scope(nil).needs(c)
	}
	return &desiredstate.Kind[NAT]{
		Target: c.Target(), Variant: [2]any{variant, ours},
		Name:     "nat",
		Requires: needs,
		Messages: c.Uses(messages...),
		Dump: func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[NAT], error) {
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
			return []desiredstate.Actual[NAT]{{Spec: s.read(v), Foreign: !ours}}, nil
		},
		Disturbs: func(a desiredstate.Action, _ desiredstate.Actual[NAT], _ NAT) desiredstate.Disruption {
			if a == desiredstate.Update {
				return desiredstate.DisturbsNothing
			}
			return desiredstate.DisturbsTarget // all sessions of all
		},
		Create: func(ctx context.Context, v *desiredstate.View, n NAT) (uint32, error) {
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
		Delete: func(ctx context.Context, _ *desiredstate.View, _ desiredstate.Actual[NAT]) error {
			used, err := k.used(ctx)
			if err != nil {
				return err
			}
			k.mine.Store(false)
			if used {
				return nil // by others; it stays, and is theirs
			}
			return vppnet.Gone(k.vpp.disable(ctx), api.FEATURE_ALREADY_DISABLED)
		},
		Fill: func(have desiredstate.Actual[NAT], want NAT) NAT {
			want = k.defaults(want)
			if fixed(have.Spec) == fixed(want) {
				want.Restart = have.Spec.Restart
			}
			return want
		},
		InPlace: func(have desiredstate.Actual[NAT], want NAT) bool {
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
func (k natKind) update(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[NAT], want NAT) error {
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

type natKind struct {
	c   *vppnet.Conn
	vpp natAPI

	// mine: this engine has found NAT to be ours, or has taken it. VPP keeps nothing
	// that says whose it is.
	mine *atomic.Bool
}

// fixed is n without all that changes in place.
func fixed(n NAT) NAT {
	return NAT{InsideTable: n.InsideTable, OutsideTable: n.OutsideTable, Sessions: n.Sessions, Users: n.Users, UserSessions: n.UserSessions}
}

// natSettings is a NAT as VPP has it. Sessions are 0 if NAT is off.
type natSettings struct {
	inside, outside               uint32
	sessions, users, userSessions uint32
	forwarding                    bool
	timeouts                      natTimeouts
	mss                           uint16
	stateless                     bool // somebody has it keep no sessions
}

// natTimeouts are in seconds.
type natTimeouts struct{ udp, established, transitory, icmp uint32 }

var defaultTimeouts = natTimeouts{300, 7440, 240, 60}

func (s natSettings) read(v *desiredstate.View) NAT {
	inside, _ := tableName(v, s.inside)
	outside, _ := tableName(v, s.outside)
	seconds := func(n uint32) time.Duration { return time.Duration(n) * time.Second }
	return NAT{
		InsideTable: inside, OutsideTable: outside, Sessions: s.sessions, Users: s.users, UserSessions: s.userSessions,
		Forwarding: s.forwarding, MSS: s.mss,
		UDP: seconds(s.timeouts.udp), TCPEstablished: seconds(s.timeouts.established),
		TCPTransitory: seconds(s.timeouts.transitory), ICMP: seconds(s.timeouts.icmp),
	}
}

// defaults is n with VPP's own figures where it has none.
func (k natKind) defaults(n NAT) NAT {
	set := func(d *time.Duration, to uint32) {
		if *d == 0 {
			*d = time.Duration(to) * time.Second
		}
	}
	set(&n.UDP, defaultTimeouts.udp)
	set(&n.TCPEstablished, defaultTimeouts.established)
	set(&n.TCPTransitory, defaultTimeouts.transitory)
	set(&n.ICMP, defaultTimeouts.icmp)
	if k.vpp.variant() == EndpointDependent {
		if n.Sessions == 0 {
			n.Sessions = 63 * 1024
		}
		return n
	}
	if n.Sessions == 0 {
		n.Sessions = 10 * 1024
	}
	if n.Users == 0 {
		n.Users = 1024
	}
	if n.UserSessions == 0 {
		n.UserSessions = n.Sessions
	}
	return n
}

func (k natKind) send(v *desiredstate.View, n NAT) (s natSettings, err error) {
	n = k.defaults(n)
	if k.vpp.variant() == EndpointDependent && (n.Users != 0 || n.UserSessions != 0) {
		return s, fmt.Errorf("%w: %s NAT does not count users", desiredstate.ErrInvalid, k.vpp.variant())
	}
	if s.inside, err = tableID(v, n.InsideTable); err != nil {
		return s, err
	}
	if s.outside, err = tableID(v, n.OutsideTable); err != nil {
		return s, err
	}
	seconds := func(d time.Duration) uint32 { return uint32(d / time.Second) }
	s.sessions, s.users, s.userSessions, s.forwarding, s.mss = n.Sessions, n.Users, n.UserSessions, n.Forwarding, n.MSS
	s.timeouts = natTimeouts{seconds(n.UDP), seconds(n.TCPEstablished), seconds(n.TCPTransitory), seconds(n.ICMP)}
	return s, nil
}

// change sends what differs of what can be changed while NAT is on.
func (k natKind) change(ctx context.Context, have, want natSettings) error {
	if have.timeouts != want.timeouts {
		if err := k.vpp.setTimeouts(ctx, want.timeouts); err != nil {
			return err
		}
	}
	if have.mss != want.mss {
		if err := k.vpp.setMSS(ctx, want.mss); err != nil {
			return err
		}
	}
	if have.forwarding != want.forwarding {
		return k.vpp.setForwarding(ctx, want.forwarding)
	}
	return nil
}

// theirs says whether others have something in NAT, and we have nothing. It stops at
// the first thing of ours, of which interfaces are told at the least cost.
func (k natKind) theirs(ctx context.Context, v *desiredstate.View) (some bool, err error) {
	roles, err := k.vpp.roles(ctx)
	if err != nil {
		return false, err
	}
	for id := range roles {
		if scope(nil).has(v, id) {
			return false, nil
		}
	}
	pool, err := k.vpp.addresses(ctx)
	if err != nil {
		return false, err
	}
	for _, a := range pool {
		if _, ours := tableName(v, a.table); ours && a.table != anyTable {
			return false, nil
		}
	}
	some = len(roles)+len(pool) > 0
	for _, read := range []func(context.Context) ([]natMapping, error){k.vpp.mappings, k.vpp.identities} {
		all, err := read(ctx)
		if err != nil {
			return false, err
		}
		for _, m := range all {
			if _, ours := k.c.Untag(m.tag); ours {
				return false, nil
			}
		}
		some = some || len(all) > 0
	}
	return some, nil
}

// used says whether anything is still in NAT once all that is ours has gone from it.
func (k natKind) used(ctx context.Context) (bool, error) {
	roles, err := k.vpp.roles(ctx)
	if err != nil || len(roles) > 0 {
		return len(roles) > 0, err
	}
	pool, err := k.vpp.addresses(ctx)
	if err != nil || len(pool) > 0 {
		return len(pool) > 0, err
	}
	for _, read := range []func(context.Context) ([]natMapping, error){k.vpp.mappings, k.vpp.identities} {
		if all, err := read(ctx); err != nil || len(all) > 0 {
			return len(all) > 0, err
		}
	}
	return false, nil
}
