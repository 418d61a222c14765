// SPDX-License-Identifier: Apache-2.0

package lldp_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/lldp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// The kinds keep the laws, on both VPPs.

func TestLawsOfPorts(t *testing.T) {
	base := []desiredstate.Object{vppnet.Loopback{Name: "lo"}, vppnet.Loopback{Name: "up"}}
	laws(t, func(c *vppnet.Conn, m *vppnet.Memory) *desiredstate.Kind[lldp.Port] { return lldp.Ports(c, m) }, base, rapid.Custom(func(t *rapid.T) lldp.Port {
		return lldp.Port{
			Interface: kindrig.Pick(t, "interface", "lo", "up"), Description: kindrig.Pick(t, "description", "", "é", strings.Repeat("x", 255)),
			IPv4: kindrig.Pick(t, "IPv4", netip.Addr{}, netip.MustParseAddr("10.0.0.1")), IPv6: kindrig.Pick(t, "IPv6", netip.Addr{}, netip.MustParseAddr("2001:db8::1")),
			OID: kindrig.Pick(t, "OID", "", "1.3.6.1", strings.Repeat("1", 127)),
		}
	}))
}

func TestLawsOfSettings(t *testing.T) {
	laws(t, lldp.AllSettings, nil, rapid.Custom(func(t *rapid.T) lldp.Settings {
		return lldp.Settings{Interval: kindrig.Pick(t, "interval", 0, time.Second, 5*time.Minute), Hold: kindrig.Pick(t, "hold", 0, 1, 100)}
	}))
}

func laws[S desiredstate.Object](t *testing.T, kind func(*vppnet.Conn, *vppnet.Memory) *desiredstate.Kind[S], base []desiredstate.Object, gen *rapid.Generator[S]) {
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		var memory vppnet.Memory
		kindtest.Run(t, kindtest.Suite[S]{Gen: gen, Checks: checks, Open: func(t testing.TB) kindtest.World[S] {
			c := kindrig.Dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
			return kindrig.World(vpp, state, kind(c, &memory), base, []desiredstate.AnyKind{vppnet.Loopbacks(c), vppnet.LinkStates(c)})
		}})
	}
	kindrig.OnEachVPP(t, 8, stranger, func(vpp *vpptest.Proxy) string {
		return vpp.State(&interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)})
	}, run)
}

// stranger makes what is not ours.
func stranger(t *testing.T, socket string) {
	c := kindrig.Dial(t, socket, "stranger")
	_, err := kindrig.Engine(vppnet.Loopbacks(c), lldp.Ports(c, new(vppnet.Memory))).Ensure(t.Context(), vppnet.Loopback{Name: "lo"}, lldp.Port{Interface: "lo"})
	require.NoError(t, err)
}

// An interface whose device has another number is refused, and nothing is turned on anywhere.
func TestOtherNumbers(t *testing.T) {
	kindrig.Both(t, func(*vpptest.Proxy) string { return "" }, func(t *testing.T, vpp vpptest.Target, state func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		e := kindrig.Engine(vppnet.Loopbacks(c), vppnet.SubInterfaces(c), lldp.Ports(c, new(vppnet.Memory)))
		first := []desiredstate.Object{vppnet.Loopback{Name: "lo"}, vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 10}}
		_, err := e.Ensure(t.Context(), append(first, lldp.Port{Interface: "lo"})...)
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), vppnet.Loopback{Name: "late"})
		require.NoError(t, err)
		before := state()
		_, err = e.Ensure(t.Context(), lldp.Port{Interface: "late"})
		require.ErrorIs(t, err, desiredstate.ErrInvalid)
		require.ErrorContains(t, err, "interface late has the number 3, and its device 2")
		_, err = e.Ensure(t.Context(), lldp.Port{Interface: "sub"})
		require.ErrorContains(t, err, "LLDP is of its device")
		require.Equal(t, before, state())
	})
}

func TestRefused(t *testing.T) {
	for why, o := range map[string]desiredstate.Object{
		"interface: name is empty":  lldp.Port{},
		"description has 256 bytes": lldp.Port{Interface: "a", Description: strings.Repeat("x", 256)},
		"OID has 128 bytes":         lldp.Port{Interface: "a", OID: strings.Repeat("1", 128)},
		"2001:db8::1 is not IPv4":   lldp.Port{Interface: "a", IPv4: netip.MustParseAddr("2001:db8::1")},
		"10.0.0.1 is not IPv6":      lldp.Port{Interface: "a", IPv6: netip.MustParseAddr("10.0.0.1")},
		"interval 1.5s":             lldp.Settings{Interval: 1500 * time.Millisecond},
		"hold 101":                  lldp.Settings{Hold: 101},
		"at most 65534 seconds":     lldp.Settings{Hold: 100, Interval: time.Hour},
		"system name has a zero":    lldp.Settings{SystemName: "\x00"},
	} {
		require.ErrorContains(t, o.Validate(), why)
	}
	c := kindrig.Dial(t, vpptest.New(t, vpptest.WithInterface("nic")).Socket(), "me")
	_, err := lldp.Ports(c, new(vppnet.Memory)).Ensure(t.Context(), lldp.Port{Interface: vppnet.Foreign("nic")})
	require.ErrorIs(t, err, desiredstate.ErrForeign)
}
