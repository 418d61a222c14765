// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"
	"time"

	"go.fd.io/govpp/binapi/ip_neighbor"
	"go.fd.io/govpp/binapi/ip_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Every kind keeps the laws, on both VPPs.

func TestLawsOfTables(t *testing.T) {
	laws(t, l3.Tables, nil, rapid.Custom(func(t *rapid.T) l3.Table {
		f := kindrig.Pick(t, "families", 0, 1, 2)
		return l3.Table{
			Name: kindrig.Pick(t, "name", "a", "b"), ID: kindrig.Pick[uint32](t, "ID", 0, 5, 1<<32-2), NoIPv4: f == 1, NoIPv6: f == 2,
		}
	}))
}

// router is three tables, and interfaces: lo and up in the default one, in and in2 in red.
func router() []desiredstate.Object {
	return []desiredstate.Object{
		l3.Table{Name: "red", ID: 70},
		l3.Table{Name: "blue", ID: 71},
		l3.Table{Name: "four", ID: 72, NoIPv6: true},
		vppnet.Loopback{Name: "lo"},
		vppnet.Loopback{Name: "up"},
		vppnet.Loopback{Name: "in"},
		vppnet.Loopback{Name: "in2"},
		vppnet.LinkState{Interface: "up", Up: true},
		l3.Membership{Interface: "in", Table: "red"},
		l3.Membership{Interface: "in2", Table: "red"},
	}
}

func TestLawsOfMemberships(t *testing.T) {
	memberships := func(c *vppnet.Conn) *desiredstate.Kind[l3.Membership] { return l3.Memberships(c) }
	laws(t, memberships, router(), rapid.Custom(func(t *rapid.T) l3.Membership {
		m := l3.Membership{
			Interface: kindrig.Pick(t, "interface", "lo", "up", theirLoopback), Table: kindrig.Pick(t, "table", "red", "blue", "four", theirTable),
		}
		if m.Interface == theirLoopback && m.Table == theirTable {
			m.Table = "red"
		}
		f := kindrig.Pick(t, "families", 0, 1, 2)
		m.NoIPv4, m.NoIPv6 = f == 1 && m.Table != "four", f == 2 || m.Table == "four"
		return m
	}))
}

func TestLawsOfAddresses(t *testing.T) {
	kind := func(c *vppnet.Conn) *desiredstate.Kind[l3.Address] { return l3.Addresses(c, claimsOf(c)...) }
	base := append(router(), vppnet.LinkState{Interface: "in", MTU: 1400})
	laws(t, kind, base, rapid.Custom(func(t *rapid.T) l3.Address {
		a := l3.Address{
			Interface: kindrig.Pick(t, "interface", "lo", "up", "in", theirLoopback),
			Prefix:    netip.MustParsePrefix(kindrig.Pick(t, "prefix", "10.0.0.1/24", "10.0.0.1/31", "10.0.0.1/32", "10.0.0.1/12", "2001:db8::1/64", "2001:db8::1/128")),
		}
		if a.Interface == "in" {
			a.Table, a.LinkMTU = "red", kindrig.Pick[uint32](t, "MTU", 0, 1400)
		}
		return a
	}))
}

func TestLawsOfUnnumbereds(t *testing.T) {
	base := append(router(),
		l3.Address{Interface: "up", Prefix: netip.MustParsePrefix("10.0.0.1/24")},
		l3.Address{Interface: "in2", Prefix: netip.MustParsePrefix("10.0.0.1/24"), Table: "red"})
	kind := func(c *vppnet.Conn) *desiredstate.Kind[l3.Unnumbered] { return l3.Unnumbereds(c, claimsOf(c)...) }
	laws(t, kind, base, rapid.Custom(func(t *rapid.T) l3.Unnumbered {
		u := l3.Unnumbered{Interface: kindrig.Pick(t, "interface", "lo", theirLoopback, "in"), Lender: kindrig.Pick(t, "lender", "up", theirOther)}
		if u.Interface == "in" {
			u.Lender, u.Table = "in2", "red"
		}
		return u
	}))
}

func TestLawsOfRoutes(t *testing.T) {
	addr := func(t *rapid.T, label string, is6 bool) netip.Addr {
		if is6 {
			return netip.MustParseAddr(kindrig.Pick(t, label, "2001:db8:9::1", "2001:db8:9::2", "2001:db8:a::1"))
		}
		return netip.MustParseAddr(kindrig.Pick(t, label, "10.9.0.1", "10.9.0.2", "10.8.0.1"))
	}
	path := func(t *rapid.T, table string, is6 bool) l3.Path {
		p := l3.Path{Weight: kindrig.Pick[uint8](t, "weight", 0, 1, 3, 255), Preference: kindrig.Pick[uint8](t, "preference", 0, 7)}
		iface := kindrig.Pick(t, "interface", "up", "in", theirLoopback)
		elsewhere := kindrig.Pick(t, "elsewhere", "blue", l3.DefaultTable, theirTable)
		if elsewhere == l3.DefaultTable && table == "" {
			elsewhere = "red"
		}
		switch kindrig.Pick(t, "path", 0, 1, 2, 3, 4, 5) {
		case 0:
			p.Interface, p.NextHop = iface, addr(t, "hop", is6)
		case 1:
			p.Interface = iface
		case 2:
			p.NextHop = addr(t, "hop", is6)
		case 3:
			p.NextHop, p.Table = addr(t, "hop", is6), elsewhere
		case 4:
			p.Table = elsewhere
		case 5:
			p.Interface, p.NextHop = iface, addr(t, "hop", true)
		}
		return p
	}
	kind := func(c *vppnet.Conn) *desiredstate.Kind[l3.Route] {
		return l3.Routes(c, func(table string, prefix netip.Prefix) bool {
			return c.Owner() == "me" && table == "" && netip.MustParsePrefix("20.0.0.0/8").Overlaps(prefix) && prefix.Bits() >= 8
		})
	}
	laws(t, kind, router(), rapid.Custom(func(t *rapid.T) l3.Route {
		r := l3.Route{Table: kindrig.Pick(t, "table", "", "red")}
		text := kindrig.Pick(t, "prefix", "20.0.0.0/24", "20.0.0.1/32")
		if r.Table != "" {
			text = kindrig.Pick(t, "prefix", "20.0.0.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "2001:db8::1/128")
		}
		r.Prefix = netip.MustParsePrefix(text)
		is6 := r.Prefix.Addr().Is6()
		if kindrig.Pick(t, "local", false, false, false, true) {
			r.Paths = []l3.Path{{Local: true}}
			return r
		}
		for range kindrig.Pick(t, "paths", 0, 1, 1, 2, 3, 5) {
			next := r
			next.Paths = append(next.Paths, path(t, r.Table, is6))
			if next.Validate() == nil {
				r = next
			}
		}
		return r
	}))
}

func TestLawsOfNeighbours(t *testing.T) {
	kind := func(c *vppnet.Conn) *desiredstate.Kind[l3.Neighbour] { return l3.Neighbours(c, claimsOf(c)...) }
	laws(t, kind, router(), rapid.Custom(func(t *rapid.T) l3.Neighbour {
		return l3.Neighbour{
			Interface: kindrig.Pick(t, "interface", "lo", "in", theirLoopback), IP: netip.MustParseAddr(kindrig.Pick(t, "IP", "10.0.0.2", "2001:db8::2", "fe80::2")),
			MAC: kindrig.Pick(t, "MAC", kindrig.MAC(1), kindrig.MAC(2)), NoRoute: kindrig.Pick(t, "no route", false, true),
		}
	}))
}

// Nobody else's are told from ours, so no stranger has any.
func TestLawsOfNeighbourCaches(t *testing.T) {
	gen := rapid.Custom(func(t *rapid.T) l3.NeighbourCache {
		return l3.NeighbourCache{
			IPv6: kindrig.Pick(t, "IPv6", false, true), Age: kindrig.Pick[time.Duration](t, "age", 30, 1<<32-1) * time.Second,
			Max: kindrig.Pick[uint32](t, "max", 0, 7), Recycle: kindrig.Pick(t, "recycle", false, true),
		}
	})
	run := func(t *testing.T, vpp vpptest.Target, state func() string) {
		kindrig.Laws(t, kindtest.Suite[l3.NeighbourCache]{Gen: gen, Checks: 4, Open: func(t testing.TB) kindtest.World[l3.NeighbourCache] {
			c := kindrig.Dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
			return kindtest.World[l3.NeighbourCache]{Kind: l3.NeighbourCaches(c), State: state, Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal}
		}})
	}
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t)
		run(t, vpp, vpp.String)
	})
	t.Run("real", func(t *testing.T) {
		vpp := vpptest.NewProxy(t, vpptest.Real(t).Socket())
		run(t, vpp, func() string {
			return vpp.State(&ip_neighbor.IPNeighborConfigGet{}, &ip_neighbor.IPNeighborConfigGet{Af: ip_types.ADDRESS_IP6})
		})
	})
}

func TestLawsOfRouterAdvertisements(t *testing.T) {
	own := netip.MustParsePrefix("2001:db8::1/64")
	base := append(router(),
		l3.Address{Interface: "up", Prefix: own}, l3.Address{Interface: "in", Prefix: own, Table: "red"})
	laws(t, func(c *vppnet.Conn) *desiredstate.Kind[l3.RouterAdvertisement] { return l3.RouterAdvertisements(c) }, base,
		rapid.Custom(func(t *rapid.T) l3.RouterAdvertisement {
			r := l3.RouterAdvertisement{
				Interface: kindrig.Pick(t, "interface", "up", "in"), Address: own, Managed: kindrig.Pick(t, "managed", false, true), Other: kindrig.Pick(t, "other", false, true),
				NoDefaultRouter: kindrig.Pick(t, "router", false, true), NoLinkAddress: kindrig.Pick(t, "link", false, true), Unicast: kindrig.Pick(t, "unicast", false, true),
				MaxInterval: kindrig.Pick[time.Duration](t, "longest", 0, 4, 5, 1800) * time.Second, MinInterval: kindrig.Pick[time.Duration](t, "shortest", 0, 3) * time.Second,
			}
			if !r.NoDefaultRouter {
				r.Lifetime = kindrig.Pick[time.Duration](t, "lifetime", 0, 5401, 9000) * time.Second
			}
			for _, text := range []string{"2001:db8::/64", "2001:db8:1::/64", "2001:db8:2::/56"} {
				if kindrig.Pick(t, "prefix", false, true) {
					p := l3.AdvertisedPrefix{
						Prefix: netip.MustParsePrefix(text), NoAutonomous: kindrig.Pick(t, "autonomous", false, true), OffLink: kindrig.Pick(t, "off link", false, true),
						Valid: kindrig.Pick(t, "valid", 0, 3*time.Hour), Preferred: 0,
					}
					if p.Valid != 0 {
						p.Preferred = kindrig.Pick(t, "preferred", 2*time.Hour, 3*time.Hour)
					}
					r.Prefixes = append(r.Prefixes, p)
				}
			}
			return r
		}))
}

func TestLawsOfProxyARPRanges(t *testing.T) {
	kind := func(c *vppnet.Conn) *desiredstate.Kind[l3.ProxyARPRange] {
		return l3.ProxyARPRanges(c, l3.ClaimTables(func(name string) bool { return name == l3.DefaultTable && c.Owner() == "me" }))
	}
	laws(t, kind, router(), rapid.Custom(func(t *rapid.T) l3.ProxyARPRange {
		low := netip.MustParseAddr(kindrig.Pick(t, "low", "10.0.0.10", "10.0.0.20"))
		return l3.ProxyARPRange{Table: kindrig.Pick(t, "table", "", "red", "four"), Low: low, High: kindrig.Pick(t, "high", low, low.Next())}
	}))
}

func TestLawsOfProxyARPs(t *testing.T) {
	kind := func(c *vppnet.Conn) *desiredstate.Kind[l3.ProxyARP] { return l3.ProxyARPs(c, claimsOf(c)...) }
	laws(t, kind, router(), rapid.Custom(func(t *rapid.T) l3.ProxyARP {
		return l3.ProxyARP{Interface: kindrig.Pick(t, "interface", "lo", "in", theirLoopback)}
	}))
}

func TestLawsOfDHCPRelays(t *testing.T) {
	kind := func(c *vppnet.Conn) *desiredstate.Kind[l3.DHCPRelay] {
		return l3.DHCPRelays(c, l3.ClaimTables(func(name string) bool { return name == l3.DefaultTable && c.Owner() == "me" }))
	}
	laws(t, kind, router(), rapid.Custom(func(t *rapid.T) l3.DHCPRelay {
		r := l3.DHCPRelay{Table: kindrig.Pick(t, "table", "", "red")}
		text, servers := kindrig.Pick(t, "source", "10.0.0.1", "10.0.0.2"), []string{"10.1.0.1", "10.1.0.2"}
		if kindrig.Pick(t, "IPv6", false, true) {
			text, servers = kindrig.Pick(t, "source", "2001:db8::1", "2001:db8::2"), []string{"2001:db8::9", "ff05::1:3"}
		}
		r.Source = netip.MustParseAddr(text)
		for _, s := range servers {
			for _, table := range []string{"", "blue", theirTable} {
				if kindrig.Pick(t, "server", false, true) {
					r.Servers = append(r.Servers, l3.DHCPServer{Addr: netip.MustParseAddr(s), Table: table})
				}
			}
		}
		if len(r.Servers) == 0 {
			r.Servers = []l3.DHCPServer{{Addr: netip.MustParseAddr(servers[0])}}
		}
		return r
	}))
}

// A kind of which a release before 25.10 only has the default table's.
const ranges, hidesTables = "proxy-arp-range", "24.10"
