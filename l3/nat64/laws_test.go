// SPDX-License-Identifier: Apache-2.0

package nat64_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	binding "go.fd.io/govpp/binapi/nat64"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Every kind of NAT64 keeps the laws, on both VPPs.

var (
	addr = netip.MustParseAddr

	// ours are claimed; what the stranger has is beside them.
	ours  = netip.MustParsePrefix("198.51.100.0/24")
	ours6 = netip.MustParsePrefix("2001:db8:64::/48")
)

func TestLawsOfInterfaces(t *testing.T) {
	base := []desiredstate.Object{
		vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"}, l3.Table{Name: "red", ID: 7}, l3.Membership{Interface: "b", Table: "red"},
	}
	kind := func(c *vppnet.Conn) *desiredstate.Kind[nat64.Interface] { return nat64.Interfaces(c, nat64.Sizes{}) }
	laws(t, kind, base, rapid.Custom(func(t *rapid.T) nat64.Interface {
		n := nat64.Interface{Interface: kindrig.Pick(t, "interface", "a", "b"), Inside: kindrig.Pick(t, "inside", false, true)}
		if n.Interface == "b" {
			n.Table = "red"
		}
		return n
	}))
}

func TestLawsOfAddresses(t *testing.T) {
	kind := func(c *vppnet.Conn) *desiredstate.Kind[nat64.Address] { return nat64.Addresses(c, ours) }
	base := []desiredstate.Object{vppnet.Loopback{Name: "a"}, nat64.Interface{Interface: "a"}}
	laws(t, kind, base, rapid.Custom(func(t *rapid.T) nat64.Address {
		return nat64.Address{Address: addr(kindrig.Pick(t, "address", "198.51.100.1", "198.51.100.2", "198.51.100.3"))}
	}))
}

func TestLawsOfPrefixes(t *testing.T) {
	kind := func(c *vppnet.Conn) *desiredstate.Kind[nat64.Prefix] { return nat64.Prefixes(c, ours6) }
	laws(t, kind, tables, rapid.Custom(func(t *rapid.T) nat64.Prefix {
		n := nat64.Prefix{Table: kindrig.Pick(t, "table", "", "red", "blue")}
		p, err := addr("2001:db8:64::").Prefix(kindrig.Pick(t, "length", 48, 56, 64, 96))
		if n.Prefix = p; n.Table != "" && kindrig.Pick(t, "elsewhere", false, true) {
			n.Prefix = netip.MustParsePrefix("64:ff9b::/96")
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}))
}

func TestLawsOfMappings(t *testing.T) {
	kind := func(c *vppnet.Conn) *desiredstate.Kind[nat64.Mapping] { return nat64.Mappings(c, nat64.Sizes{}, ours) }
	base := append([]desiredstate.Object{nat64.Address{Address: addr("198.51.100.7")}}, tables...)
	laws(t, kind, base, rapid.Custom(func(t *rapid.T) nat64.Mapping {
		m := nat64.Mapping{
			Table: kindrig.Pick(t, "table", "", "red", "blue"), Local: addr(kindrig.Pick(t, "local", "fd00::1", "fd00::2")),
			Protocol: kindrig.Pick(t, "protocol", nat64.TCP, nat64.UDP, nat64.ICMP), LocalPort: kindrig.Pick[uint16](t, "local port", 1, 65535),
			External: addr("198.51.100.8"), ExternalPort: kindrig.Pick[uint16](t, "external port", 80, 65535),
		}
		if m.Pooled = kindrig.Pick(t, "pooled", false, true); m.Pooled {
			m.External, m.ExternalPort = addr("198.51.100.7"), kindrig.Pick[uint16](t, "external port of the pool", 1025, 65534)
		}
		return m
	}))
}

func TestLawsOfTimeouts(t *testing.T) {
	laws(t, nat64.AllTimeouts, nil, rapid.Custom(func(t *rapid.T) nat64.Timeouts {
		seconds := func(label string) time.Duration { return kindrig.Pick(t, label, 0, time.Second, 1000*time.Second) }
		return nat64.Timeouts{UDP: kindrig.Pick(t, "UDP", time.Second, 7*time.Second), TCPEstablished: seconds("established"), TCPTransitory: seconds("transitory"), ICMP: seconds("ICMP")}
	}))
}

var tables = []desiredstate.Object{l3.Table{Name: "red", ID: 7}, l3.Table{Name: "blue", ID: 8}}

func kinds(c *vppnet.Conn, pool, prefix netip.Prefix) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		vppnet.Loopbacks(c), vppnet.LinkStates(c), l3.Tables(c), l3.Memberships(c), l3.Addresses(c),
		nat64.Interfaces(c, nat64.Sizes{}), nat64.Addresses(c, pool), nat64.Prefixes(c, prefix), nat64.Mappings(c, nat64.Sizes{}, pool), nat64.AllTimeouts(c),
	}
}

func laws[S desiredstate.Object](t *testing.T, kind func(*vppnet.Conn) *desiredstate.Kind[S], base []desiredstate.Object, gen *rapid.Generator[S]) {
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		kindrig.Laws(t, kindtest.Suite[S]{Gen: gen, Checks: checks, Open: func(t testing.TB) kindtest.World[S] {
			c := kindrig.Dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
			return kindrig.World(vpp, state, kind(c), base, kinds(c, ours, ours6))
		}})
	}
	kindrig.OnEachVPP(t, 8, strangers, state, run)
}

func state(p *vpptest.Proxy) string {
	return p.State(&interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}, &binding.Nat64InterfaceDump{},
		&binding.Nat64PoolAddrDump{}, &binding.Nat64PrefixDump{}, &binding.Nat64BibDump{Proto: 255}, &binding.Nat64GetTimeouts{})
}

// theirs are a stranger's.
var theirs, theirs6 = netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:9::/48")

// strangers make what is not ours.
func strangers(t *testing.T, socket string) {
	_, err := kindrig.Engine(kinds(kindrig.Dial(t, socket, "stranger"), theirs, theirs6)...).Ensure(t.Context(),
		vppnet.Loopback{Name: "lo"}, nat64.Interface{Interface: "lo", Inside: true}, nat64.Address{Address: addr("203.0.113.9")},
		l3.Table{Name: "theirs", ID: 9}, nat64.Prefix{Table: "theirs", Prefix: netip.MustParsePrefix("64:ff9b::/96")},
		nat64.Mapping{Local: addr("fd00::9"), External: addr("203.0.113.10"), Protocol: nat64.TCP, LocalPort: 80, ExternalPort: 80})
	require.NoError(t, err)
}
