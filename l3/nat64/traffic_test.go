// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nat64_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A host that has only IPv6 pings one that has only IPv4, and a port of the world's is its own.
func TestTraffic(t *testing.T) {
	l := newLab(t)
	l.sync(t, l.world()...)
	l.host.Reaches(t, "64:ff9b::203.0.113.2")

	own := netip.MustParsePrefix("2001:db8:64::/96")
	l.sync(t, append(l.world(), nat64.Prefix{Prefix: own})...)
	l.host.IP(t, "route", "add", own.String(), "via", "fd00::1")
	l.host.Reaches(t, "2001:db8:64::203.0.113.2")
	l.sync(t, l.world()...)
	l.host.Reaches(t, "64:ff9b::203.0.113.2")

	l.sync(t, l.world()[1:]...) // without the address that hosts share
	l.host.Loses(t, "64:ff9b::203.0.113.2")
}

// lab is a VPP between a host of IPv6 and one of IPv4.
type lab struct {
	vpp          *vpptest.RealVPP
	c            *vppnet.Conn
	e            *desiredstate.Engine
	host, world4 netrig.NetNS
}

func newLab(t *testing.T) *lab {
	t.Helper()
	router := netrig.New(t, "r64")
	l := &lab{host: netrig.Host(t, "six", router, "six", "fd00::2/64"), world4: netrig.Host(t, "four", router, "four", "203.0.113.2/24")}
	l.host.IP(t, "route", "add", "64:ff9b::/96", "via", "fd00::1")
	l.vpp = vpptest.Real(t, vpptest.InNetNS(string(router)))
	l.c = kindrig.Dial(t, l.vpp.Socket(), "me")
	l.e = desiredstate.New(append(kinds(l.c, theirs, ours6), vppnet.HostInterfaces(l.c))...)
	l.e.MaxPrune = 1
	return l
}

// world is what the two need to reach each other.
func (l *lab) world() []desiredstate.Object {
	return []desiredstate.Object{
		nat64.Address{Address: addr("203.0.113.100")},

		vppnet.HostInterface{Name: "six", Device: "six"},
		vppnet.LinkState{Interface: "six", Up: true},
		l3.Address{Interface: "six", Prefix: netip.MustParsePrefix("fd00::1/64")},
		nat64.Interface{Interface: "six", Inside: true},
		vppnet.HostInterface{Name: "four", Device: "four"},
		vppnet.LinkState{Interface: "four", Up: true},
		l3.Address{Interface: "four", Prefix: netip.MustParsePrefix("203.0.113.1/24")},
		nat64.Interface{Interface: "four"},
	}
}

func (l *lab) sync(t *testing.T, want ...desiredstate.Object) {
	t.Helper()
	_, err := l.e.Sync(t.Context(), want...)
	require.NoError(t, err)
	kindrig.Steady(t, l.e, want...)
}
