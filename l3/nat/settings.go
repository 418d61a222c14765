// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"context"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3/internal/place"
)

// fixed is n without all that changes in place.
func fixed(n Plugin) Plugin {
	return Plugin{InsideTable: n.InsideTable, OutsideTable: n.OutsideTable, Sessions: n.Sessions, Users: n.Users, UserSessions: n.UserSessions}
}

// settings is a Plugin as VPP has it. Sessions are 0 if NAT is off.
type settings struct {
	inside, outside               uint32
	sessions, users, userSessions uint32
	forwarding                    bool
	timeouts                      timeouts
	mss                           uint16
	stateless                     bool // somebody has it keep no sessions
}

// timeouts are in seconds.
type timeouts struct{ udp, established, transitory, icmp uint32 }

var defaultTimeouts = timeouts{300, 7440, 240, 60}

func (s settings) read(v *desiredstate.View) Plugin {
	inside, _ := place.TableName(v, s.inside)
	outside, _ := place.TableName(v, s.outside)
	seconds := func(n uint32) time.Duration { return time.Duration(n) * time.Second }
	return Plugin{
		InsideTable: inside, OutsideTable: outside, Sessions: s.sessions, Users: s.users, UserSessions: s.userSessions,
		Forwarding: s.forwarding, MSS: s.mss,
		UDP: seconds(s.timeouts.udp), TCPEstablished: seconds(s.timeouts.established),
		TCPTransitory: seconds(s.timeouts.transitory), ICMP: seconds(s.timeouts.icmp),
	}
}

// defaults is n with VPP's own figures where it has none.
func (k plugin) defaults(n Plugin) Plugin {
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

func (k plugin) send(v *desiredstate.View, n Plugin) (s settings, err error) {
	n = k.defaults(n)
	if s.inside, err = place.TableID(v, n.InsideTable); err != nil {
		return s, err
	}
	if s.outside, err = place.TableID(v, n.OutsideTable); err != nil {
		return s, err
	}
	seconds := func(d time.Duration) uint32 { return uint32(d / time.Second) }
	s.sessions, s.users, s.userSessions, s.forwarding, s.mss = n.Sessions, n.Users, n.UserSessions, n.Forwarding, n.MSS
	s.timeouts = timeouts{seconds(n.UDP), seconds(n.TCPEstablished), seconds(n.TCPTransitory), seconds(n.ICMP)}
	return s, nil
}

// change sends what differs of what can be changed while NAT is on.
func (k plugin) change(ctx context.Context, have, want settings) error {
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
