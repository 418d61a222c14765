// SPDX-License-Identifier: Apache-2.0

//go:build linux

package acl_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Nobody speaks in another's name by a port whose sources are checked, whatever tables of the
// classifier others have, or put, there; where these prevent the check, the port stays down.
func TestTrafficSpoofedBesideTables(t *testing.T) {
	for name, at := range map[string]places{"IPv4": {true}, "IPv6": {false, true}, "bridged": {false, false, true}} {
		t.Run(name, func(t *testing.T) {
			l := newLAN(t)
			s := newSomeone(t, l.vpp.Socket())
			l.sync(t, vppnet.HostInterface{Name: "a", Device: "to-a"})
			id, err := l.e.ID(vppnet.InterfaceKey("a"))
			require.NoError(t, err)
			want := l.objects(l.antiSpoof(), macipBound)

			s.filter(id, at, true)
			_, err = l.e.Sync(t.Context(), want...)
			require.ErrorIs(t, err, desiredstate.ErrConflict)
			require.ErrorContains(t, err, "what a receives is filtered by table")
			shown, err := l.vpp.CLI("show interface")
			require.NoError(t, err)
			require.Regexp(t, `(?m)^host-to-a +\d+ +down`, shown)

			s.filter(id, at, false)
			l.sync(t, want...)
			s.secure(id)
			s.filter(id, at, true) // VPP ignores it
			for _, f := range []acl.Family{acl.IPv4, acl.IPv6} {
				d := flowOf(f, l.a, l.b, acl.UDP, 1, 1)
				l.passes(t, d, "oneself")
				mac, ip := d, d
				mac.srcMAC = vppnet.MAC{2, 9, 9, 9, 9, 9}
				ip.src = ip.src.Next().Next().Next().Next()
				l.fails(t, mac, "MAC")
				l.fails(t, ip, "IP")
			}
		})
	}
}

// Rules are not kept where tables of the classifier are: both have an effect, whichever comes first.
func TestTrafficStatefulBesideTables(t *testing.T) {
	for name, first := range map[string]bool{"before": true, "after": false} {
		t.Run(name, func(t *testing.T) {
			l := newLAN(t)
			s := newSomeone(t, l.vpp.Socket())
			l.sync(t, vppnet.HostInterface{Name: "a", Device: "to-a"})
			id, err := l.e.ID(vppnet.InterfaceKey("a"))
			require.NoError(t, err)
			fromA, toA := policy()
			if first {
				s.filter(id, places{true, true, true}, true)
			}
			l.sync(t, l.objects(fromA, toA, bound)...)
			if !first {
				s.filter(id, places{true, true, true}, true)
			}
			require.Equal(t, [3]uint32{s.table, s.table, s.table}, s.in(id))
			for _, f := range []acl.Family{acl.IPv4, acl.IPv6} {
				dns, ssh := flowOf(f, l.a, l.b, acl.UDP, 1000, 53), flowOf(f, l.b, l.a, acl.TCP, 1002, 22)
				for _, d := range []datagram{dns, ssh} {
					l.fails(t, d.back(), "an answer to nothing")
					l.passes(t, d, "permitted")
					l.passes(t, d.back(), "its answer")
					other := d
					other.port += 2
					l.fails(t, other, "another port")
				}
			}
		})
	}
}
