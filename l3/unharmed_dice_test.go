// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"time"

	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
)

var numbers = []uint32{0, 7, 8, 99, ^uint32(0)}

// A dice draws what objects are made of. Mad, it draws what makes no sense, too.
type dice struct {
	*rapid.T
	mad bool
}

func (d dice) yes(label string) bool { return kindrig.Pick(d.T, label, false, false, true) }

// place is an interface and the table that it is in.
func (d dice) place() (iface, table string) {
	if d.mad {
		return d.iface(), d.table()
	}
	if d.yes("b") {
		return "b", "red"
	}
	return "a", ""
}

func (d dice) iface() string {
	if d.mad {
		return kindrig.Pick(d.T, "interface", "a", "b", "vpp:local0", "vpp:local0", "vpp:99", "gone", "")
	}
	return kindrig.Pick(d.T, "interface", "a", "b")
}

func (d dice) table() string {
	if d.mad {
		return kindrig.Pick(d.T, "table", "", "red", "blue", "vpp:8", "gone", l3.DefaultTable)
	}
	return kindrig.Pick(d.T, "table", "", "red", "red", "blue")
}

func (d dice) addr(six bool) netip.Addr {
	texts := []string{"10.0.0.1", "10.0.0.2", "10.0.0.9", "203.0.113.1"}
	if six {
		texts = []string{"2001:db8::1", "2001:db8::2", "2001:db8::9"}
	}
	if d.mad {
		texts = append(texts, "10.0.0.1", "2001:db8::1", "fe80::5", "0.0.0.0", "255.255.255.255", "224.0.0.1", "ff02::1", "::", "::ffff:10.0.0.1", "127.0.0.1", "")
	}
	a, _ := netip.ParseAddr(kindrig.Pick(d.T, "address", texts...))
	return a
}

func (d dice) prefix(six bool) netip.Prefix {
	lengths := []int{24, 24, 32, 31}
	if six {
		lengths = []int{64, 64, 128}
	}
	if d.mad {
		lengths = append(lengths, 0, 1, 8, 33, 128)
	}
	return netip.PrefixFrom(d.addr(six), kindrig.Pick(d.T, "length", lengths...))
}

func many[T any](d dice, one func() T) (out []T) {
	for range kindrig.Pick(d.T, "how many", 0, 1, 1, 2, 3) {
		out = append(out, one())
	}
	return out
}

// anything is an object, valid or not, of things that are there or not.
func anything(t *rapid.T) desiredstate.Object {
	d := dice{t, kindrig.Pick(t, "mad", false, false, true)}
	six := d.yes("IPv6")
	iface, table := d.place()
	port := func(label string) uint16 { return kindrig.Pick[uint16](t, label, 0, 1, 80, 65535) }
	side := func() (p nat.Protocol, one, two uint16) {
		if d.mad {
			return kindrig.Pick(t, "protocol", nat.NoProtocol, nat.TCP, nat.ICMP, 47), port("one"), port("two")
		}
		if d.yes("ports") {
			return kindrig.Pick(t, "protocol", nat.UDP, nat.TCP, nat.ICMP), kindrig.Pick[uint16](t, "one", 1, 80), kindrig.Pick[uint16](t, "two", 1, 80)
		}
		return nat.NoProtocol, 0, 0
	}
	name := kindrig.Pick(t, "name", "a", "b")
	switch kindrig.Pick(t, "kind", "loopback", "table", "link", "bridge", "port", "membership", "address", "address", "address", "unnumbered", "route", "route", "neighbour", "advertisement",
		"range", "proxy", "relay", "router", "router", "NAT", "NAT interface", "NAT address", "mapping", "identity", "exit") {
	case "loopback":
		return vppnet.Loopback{Name: name}
	case "table":
		t := l3.Table{Name: kindrig.Pick(t, "table", "red", "blue"), ID: kindrig.Pick[uint32](t, "ID", 0, 0, 7, 9)}
		if d.mad {
			t.ID, t.NoIPv4, t.NoIPv6 = kindrig.Pick(d.T, "ID", 0, 9, ^uint32(0)), d.yes("no IPv4"), d.yes("no IPv6")
		}
		return t
	case "link":
		return vppnet.LinkState{Interface: name, Up: !d.yes("down")}
	case "bridge":
		return vppnet.BridgeDomain{Name: "net", NoLearn: d.yes("no learn")}
	case "port":
		return vppnet.BridgePort{Bridge: "net", Interface: name, BVI: d.yes("BVI")}
	case "membership":
		return l3.Membership{Interface: d.iface(), Table: d.table(), NoIPv4: d.yes("no IPv4"), NoIPv6: d.yes("no IPv6")}
	case "address":
		return l3.Address{Interface: iface, Table: table, Prefix: d.prefix(six)}
	case "unnumbered":
		return l3.Unnumbered{Interface: iface, Lender: d.iface(), Table: table}
	case "route":
		return l3.Route{Table: d.table(), Prefix: d.prefix(six).Masked(), Paths: many(d, func() (p l3.Path) {
			p.Weight, p.Preference = kindrig.Pick[uint8](t, "weight", 0, 1, 255), kindrig.Pick[uint8](t, "preference", 0, 255)
			switch way := kindrig.Pick(t, "way", 0, 1, 2, 3, 4); {
			case d.mad:
				p.NextHop, p.Interface, p.Table, p.Local = d.addr(six), d.iface(), d.table(), d.yes("local")
			case way == 0:
				p.Local = true
			case way == 1:
				p.Interface = iface
			case way == 2:
				p.Table = kindrig.Pick(t, "elsewhere", "blue", "red", l3.DefaultTable)
			case way == 3:
				p.NextHop = d.addr(six)
			default:
				p.Interface, p.NextHop = iface, d.addr(six || d.yes("IPv6 hop"))
			}
			return p
		})}
	case "neighbour":
		n := l3.Neighbour{Interface: iface, IP: d.addr(six), MAC: kindrig.MAC(1), NoRoute: d.yes("no route")}
		if d.mad {
			n.MAC = kindrig.Pick(t, "MAC", vppnet.MAC{}, vppnet.MAC{1}, kindrig.MAC(2))
		}
		return n
	case "advertisement":
		r := l3.RouterAdvertisement{
			Interface: iface, Address: d.prefix(true), Managed: d.yes("managed"), NoDefaultRouter: d.yes("no router"),
			Prefixes: many(d, func() l3.AdvertisedPrefix { return l3.AdvertisedPrefix{Prefix: d.prefix(true).Masked()} }),
		}
		if d.mad {
			r.Lifetime, r.MaxInterval = kindrig.Pick(t, "lifetime", 0, time.Second, 1000*time.Hour, -1), kindrig.Pick(t, "longest", 0, time.Second, 1000*time.Hour)
		}
		return r
	case "range":
		return l3.ProxyARPRange{Table: d.table(), Low: d.addr(false), High: d.addr(false)}
	case "proxy":
		return l3.ProxyARP{Interface: iface}
	case "relay":
		return l3.DHCPRelay{Table: d.table(), Source: d.addr(six), Servers: many(d, func() l3.DHCPServer { return l3.DHCPServer{Addr: d.addr(six), Table: d.table()} })}
	case "router":
		r := vrrp.Router{
			Interface: iface, Table: table, ID: kindrig.Pick[uint8](t, "ID", 1, 2), Addresses: []netip.Addr{d.addr(six)}, Interval: kindrig.Pick(t, "interval", 0, 10*time.Millisecond, 30*time.Second),
			Priority: kindrig.Pick[uint8](t, "priority", 0, 1, 254), Accept: d.yes("accept"), Stopped: d.yes("stopped"),
		}
		if d.yes("peers") {
			r.Peers = many(d, func() netip.Addr { return d.addr(six) })
		}
		if d.yes("track") {
			r.Track = many(d, func() vrrp.TrackedInterface { return vrrp.TrackedInterface{Interface: d.iface(), Decrement: 10} })
		}
		if d.mad {
			r.ID, r.Priority, r.Addresses = kindrig.Pick[uint8](t, "ID", 0, 1, 255), kindrig.Pick[uint8](t, "priority", 0, 1, 255), many(d, func() netip.Addr { return d.addr(six) })
		}
		return r
	case "NAT":
		n := nat.Plugin{Sessions: 1000, MSS: port("MSS"), Restart: d.yes("restart")}
		if d.mad {
			n.InsideTable, n.OutsideTable, n.Sessions = d.table(), d.table(), kindrig.Pick[uint32](t, "sessions", 1, 1000)
		}
		return n
	case "NAT interface":
		n := nat.Interface{Interface: iface, Table: table, Inside: d.yes("inside"), Outside: d.yes("outside")}
		n.Output = !n.Inside && !n.Outside || d.mad && d.yes("output")
		return n
	case "NAT address":
		n := nat.Address{Address: d.addr(false), Table: d.table(), Twice: d.mad && d.yes("twice")}
		if d.yes("any table") {
			n.AnyTable, n.Table = true, ""
		}
		return n
	case "mapping":
		m := nat.Mapping{Name: name, Table: d.table(), Local: d.addr(false), External: d.addr(false), Pooled: d.yes("pooled"), OneWay: d.mad && d.yes("one way")}
		m.Protocol, m.LocalPort, m.ExternalPort = side()
		m.TwiceNAT, m.SelfTwiceNAT = m.Protocol != 0 && d.yes("twice"), d.mad && d.yes("self")
		return m
	case "identity":
		n := nat.Identity{Name: name, Table: d.table(), Address: d.addr(false), Pooled: d.yes("pooled")}
		n.Protocol, n.Port, _ = side()
		return n
	default:
		return nat.Exit{Table: d.table(), To: many(d, func() string { return kindrig.Pick(t, "to", "blue", "red", l3.DefaultTable) })}
	}
}

// plenty is there when the calls begin: most of what an object can refer to.
func plenty() []desiredstate.Object {
	return []desiredstate.Object{
		vppnet.Loopback{Name: "a"},
		vppnet.Loopback{Name: "b"},
		vppnet.LinkState{Interface: "a", Up: true},
		vppnet.LinkState{Interface: "b", Up: true},
		l3.Table{Name: "red"},
		l3.Table{Name: "blue"},
		l3.Membership{Interface: "b", Table: "red"},
		l3.Address{Interface: "a", Prefix: prefix("10.0.0.1/24")},
		l3.Address{Interface: "b", Table: "red", Prefix: prefix("2001:db8::1/64")},
		nat.Plugin{Sessions: 1000},
	}
}
