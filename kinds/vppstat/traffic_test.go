// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vppstat_test

import (
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/adapter/statsclient"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/kinds/vppstat"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

const pings = 3 // of one call of counted

// lab is a VPP between a host and the world, whose counters are read.
type lab struct {
	e     *desiredstate.Engine
	r     *vppstat.Reader
	host  netrig.NetNS
	world netrig.NetNS
}

func newLab(t *testing.T, hostAddr string, kinds func(c *vppnet.Conn) []desiredstate.AnyKind) *lab {
	t.Helper()
	router := netrig.New(t, "r")
	l := &lab{host: netrig.Host(t, "h", router, "in", hostAddr), world: netrig.Host(t, "w", router, "out", "203.0.113.2/24")}
	vpp := vpptest.Real(t, vpptest.InNetNS(string(router)))
	c := kindrig.Dial(t, vpp.Socket(), "me")
	l.e = desiredstate.New(append(kinds(c), vppnet.HostInterfaces(c), vppnet.LinkStates(c), l3.Addresses(c))...)
	stats := statsclient.NewStatsClient(filepath.Join(vpp.Dir(), "stats.sock"))
	require.NoError(t, stats.Connect())
	t.Cleanup(func() { _ = stats.Disconnect() })
	l.r = &vppstat.Reader{Conn: c, Stats: stats, Interfaces: vppstat.By[vppnet.Interface](l.e)}
	return l
}

// sides are the two interfaces, up, with these addresses of VPP's.
func sides(in string) []desiredstate.Object {
	return []desiredstate.Object{
		vppnet.HostInterface{Name: "in", Device: "in"},
		vppnet.HostInterface{Name: "out", Device: "out"},
		vppnet.LinkState{Interface: "in", Up: true},
		vppnet.LinkState{Interface: "out", Up: true},
		l3.Address{Interface: "in", Prefix: netip.MustParsePrefix(in)},
		l3.Address{Interface: "out", Prefix: netip.MustParsePrefix("203.0.113.1/24")},
	}
}

// counted is what VPP counted while the host pinged an address that it reaches.
func (l *lab) counted(t *testing.T, addr string, want ...desiredstate.Object) vppstat.Snapshot {
	t.Helper()
	_, err := l.e.Ensure(t.Context(), want...)
	require.NoError(t, err)
	l.host.Reaches(t, addr)
	before, err := l.r.Snapshot(t.Context())
	require.NoError(t, err)
	for range pings {
		l.host.Reaches(t, addr)
	}
	after, err := l.r.Snapshot(t.Context())
	require.NoError(t, err)
	return after.Since(before)
}

// NAT44 counts what it translates by interface, one way and back.
func TestNAT44Counts(t *testing.T) {
	l := newLab(t, "10.0.0.2/24", func(c *vppnet.Conn) []desiredstate.AnyKind {
		v := nat.EndpointDependent
		return []desiredstate.AnyKind{nat.Plugins(c, v), nat.Interfaces(c, v), nat.Addresses(c, v, netip.MustParsePrefix("203.0.113.0/24"))}
	})
	l.host.IP(t, "route", "add", "default", "via", "10.0.0.1")
	d := l.counted(t, "203.0.113.2", append(sides("10.0.0.1/24"),
		nat.Plugin{}, nat.Address{Address: netip.MustParseAddr("203.0.113.100"), AnyTable: true},
		nat.Interface{Interface: "in", Inside: true}, nat.Interface{Interface: "out", Outside: true})...)
	require.GreaterOrEqual(t, d.Interfaces["in"].NATOut.ICMP, uint64(pings))
	require.GreaterOrEqual(t, d.Interfaces["out"].NATIn.ICMP, uint64(pings))
	require.Zero(t, d.Interfaces["in"].NAT64Out)
	require.NotZero(t, d.Sessions)
	require.Zero(t, d.NAT64Sessions)
}

// So does NAT64.
func TestNAT64Counts(t *testing.T) {
	l := newLab(t, "fd00::2/64", func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{nat64.Interfaces(c, nat64.Sizes{}), nat64.Addresses(c, netip.MustParsePrefix("203.0.113.0/24"))}
	})
	l.host.IP(t, "route", "add", "64:ff9b::/96", "via", "fd00::1")
	d := l.counted(t, "64:ff9b::203.0.113.2", append(sides("fd00::1/64"),
		nat64.Address{Address: netip.MustParseAddr("203.0.113.100")},
		nat64.Interface{Interface: "in", Inside: true}, nat64.Interface{Interface: "out"})...)
	require.GreaterOrEqual(t, d.Interfaces["in"].NAT64Out.ICMP, uint64(pings))
	require.GreaterOrEqual(t, d.Interfaces["out"].NAT64In.ICMP, uint64(pings))
	require.Zero(t, d.Interfaces["in"].NATOut)
	require.NotZero(t, d.NAT64Sessions)
	require.Zero(t, d.Sessions)
}

// What a policer measured, a rule fitted and a route sent on is counted by the names of the
// policer, of the rule's set and of the route's table.
func TestPolicersRulesAndRoutesCount(t *testing.T) {
	l := newLab(t, "10.0.0.2/24", func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{qos.Policers(c), qos.Attachments(c, new(vppnet.Memory)), acl.Sets(c), acl.Bindings(c), l3.Tables(c)}
	})
	l.r.Sets, l.r.Policers, l.r.Tables = vppstat.By[acl.Set](l.e), vppstat.By[qos.Policer](l.e), vppstat.By[l3.Table](l.e)
	require.NoError(t, acl.CountHits(t.Context(), l.r.Conn, true))
	l.host.IP(t, "route", "add", "default", "via", "10.0.0.1")
	l.world.IP(t, "route", "add", "default", "via", "203.0.113.1")
	d := l.counted(t, "203.0.113.2", append(sides("10.0.0.1/24"),
		qos.Policer{Name: "gold", Rate: 100000, Burst: 100000, Conform: qos.Transmit}, qos.Attachment{Interface: "in", Policer: "gold"},
		acl.Set{Name: "all", Rules: []acl.Rule{
			{Action: acl.Permit, Family: acl.IPv4, Protocol: acl.TCP},
			{Action: acl.Permit, Family: acl.IPv4},
		}}, acl.Binding{Interface: "in", Input: []string{"all"}})...)
	require.GreaterOrEqual(t, d.Interfaces["in"].Rx.Packets, uint64(pings))
	require.GreaterOrEqual(t, d.Interfaces["out"].Tx.Packets, uint64(pings))
	require.GreaterOrEqual(t, d.Policers["gold"].Conform.Packets, uint64(pings))
	require.Greater(t, len(d.Sets["all"]), 2, "VPP has one more than rules")
	require.Zero(t, d.Sets["all"][0].Packets, "no ping is TCP")
	require.GreaterOrEqual(t, d.Sets["all"][1].Packets, uint64(pings))
	require.GreaterOrEqual(t, d.Tables[l3.DefaultTable][netip.MustParsePrefix("203.0.113.2/32")].Packets, uint64(pings))
}
