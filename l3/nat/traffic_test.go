// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nat_test

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What the world and the hosts see of each other through a NAT, in both variants.
func TestNATTraffic(t *testing.T) {
	for _, v := range natVariants {
		t.Run(v.String(), func(t *testing.T) { natTraffic(t, v) })
	}
}

func natTraffic(t *testing.T, v nat.Variant) {
	n := newNATLab(t, v)
	n.sync(t)

	old := n.flow(t, "a", outside)
	require.Equal(t, shared, old.seen(t), "hosts share an address")
	require.Equal(t, shared, n.flow(t, "b", outside).seen(t), "hosts share an address")
	in := n.flow(t, "ext", floating)
	require.False(t, in.seen(t).IsValid(), "nobody has the address yet")

	a := nat.Mapping{Name: "fip-a", Local: hostA, External: floating}
	b := nat.Mapping{Name: "fip-b", Local: hostB, External: other}
	n.sync(t, a, b)
	require.Equal(t, outside, in.seen(t), "the world reaches the host")
	out := n.flow(t, "a", outside)
	require.Equal(t, floating, out.seen(t), "what the host begins is from its own address")
	vanish := map[string]func() bool{ // what must go with the mapping
		"from the world": func() bool { return in.seen(t).IsValid() },
		"a new one":      func() bool { return n.flow(t, "ext", floating).seen(t).IsValid() },
	}
	if v == nat.EndpointDependent {
		require.Equal(t, floating, n.flow(t, "a", other).seen(t), "from one floating IP to another")
		back, conn := n.flow(t, "b", floating), n.tcp(t, "b", floating)
		require.Equal(t, other, back.seen(t), "and the other way round")
		require.NoError(t, conn.echo(2*time.Second))
		vanish["from another host"] = func() bool { return back.seen(t).IsValid() }
		vanish["TCP from another host"] = func() bool { return conn.echo(time.Second) == nil }
	}

	if v == nat.EndpointDependent {
		require.Equal(t, shared, old.seen(t), "what was there before stays as it was")
		ended, err := nat.EndSessions(t.Context(), n.c, v, hostA, 0, func(s nat.Session) bool { return !s.Static })
		require.NoError(t, err)
		require.NotZero(t, ended)
	}
	require.Equal(t, floating, old.seen(t), "until it ends")

	n.sync(t, b)
	for _, h := range []netip.Addr{hostA, hostB} {
		left, err := nat.Sessions(t.Context(), n.c, v, h, 0)
		require.NoError(t, err)
		for _, s := range left {
			require.NotEqual(t, floating, s.Outside.Addr(), "%+v", s)
			require.NotEqual(t, floating, s.Peer.Addr(), "%+v", s)
		}
	}
	for what, answered := range vanish {
		require.False(t, answered(), "the mapping is gone, and so are its sessions: %s", what)
	}
	require.Equal(t, shared, out.seen(t), "back to the shared address")
	require.Equal(t, shared, n.flow(t, "a", outside).seen(t), "back to the shared address")
}

// Two tenants have the same addresses, each in a table of its own, and are seen as
// two; so are their floating IPs.
func TestNATOfTenants(t *testing.T) {
	for _, v := range natVariants {
		t.Run(v.String(), func(t *testing.T) {
			n := newNATLab(t, v)
			n.ns["b"].IP(t, "addr", "flush", "dev", "eth0")
			n.ns["b"].Address(t, hostA.String()+"/24")
			n.ns["b"].IP(t, "route", "add", "default", "via", hostA.Prev().String())
			second := netip.MustParseAddr("203.0.113.100")
			tenants := slices.Concat(world(), tenant("a", "red", shared), tenant("b", "blue", second))
			n.converge(t, tenants...)
			require.Equal(t, shared, n.flow(t, "a", outside).seen(t), "red")
			require.Equal(t, second, n.flow(t, "b", outside).seen(t), "blue")

			n.converge(t, append(tenants,
				nat.Mapping{Name: "red", Table: "red", Local: hostA, External: floating},
				nat.Mapping{Name: "blue", Table: "blue", Local: hostA, External: other})...)
			require.Equal(t, floating, n.flow(t, "a", outside).seen(t), "red")
			require.Equal(t, other, n.flow(t, "b", outside).seen(t), "blue")
			require.Equal(t, outside, n.flow(t, "ext", floating).seen(t), "into red")
			require.Equal(t, outside, n.flow(t, "ext", other).seen(t), "into blue")
		})
	}
}

// A TCP connection to a floating IP goes on through another VPP, made like the first,
// if NAT is endpoint-independent. Otherwise it does not.
func TestNATFailover(t *testing.T) {
	for _, v := range natVariants {
		t.Run(v.String(), func(t *testing.T) {
			n := newNATLab(t, v)
			fip := nat.Mapping{Name: "fip", Local: hostA, External: floating}
			n.sync(t, fip)
			conn := n.tcp(t, "ext", floating)
			require.NoError(t, conn.echo(2*time.Second))

			require.NoError(t, n.vpp.Restart())
			n.connect(t)
			n.sync(t, fip)
			require.Equal(t, v == nat.EndpointIndependent, conn.echo(8*time.Second) == nil)
			require.NoError(t, n.tcp(t, "ext", floating).echo(5*time.Second), "a new one")
		})
	}
}

// natLab is a VPP between two hosts, "a" and "b", and the world, "ext", each of which
// answers whoever asks on port 7777 with the address that it sees.
type natLab struct {
	variant nat.Variant
	vpp     *vpptest.RealVPP
	c       *vppnet.Conn
	e       *desiredstate.Engine
	ns      map[string]netrig.NetNS
}

func newNATLab(t *testing.T, v nat.Variant) *natLab {
	t.Helper()
	r1 := netrig.New(t, "r1")
	ns := map[string]netrig.NetNS{}
	for name, addr := range map[string]netip.Addr{"a": hostA, "b": hostB, "ext": outside} {
		ns[name] = netrig.Host(t, name, r1, name, addr.String()+"/24")
		if name != "ext" {
			ns[name].IP(t, "route", "add", "default", "via", addr.Prev().String())
		}
		serve(t, ns[name])
	}
	n := &natLab{variant: v, vpp: vpptest.Real(t, vpptest.InNetNS(string(r1))), ns: ns}
	n.connect(t)
	return n
}

func (n *natLab) connect(t *testing.T) {
	t.Helper()
	n.c = kindrig.Dial(t, n.vpp.Socket(), "me")
	n.e = desiredstate.New(vppnet.HostInterfaces(n.c), vppnet.LinkStates(n.c), l3.Tables(n.c), l3.Memberships(n.c), l3.Addresses(n.c), l3.Routes(n.c),
		nat.Plugins(n.c, n.variant), nat.Interfaces(n.c, n.variant),
		nat.Addresses(n.c, n.variant, netip.MustParsePrefix("203.0.113.0/24")), nat.Mappings(n.c, n.variant))
	n.e.MaxPrune = 1
}

// sync has the two hosts in one table, where they share an address.
func (n *natLab) sync(t *testing.T, mappings ...desiredstate.Object) {
	t.Helper()
	n.converge(t, slices.Concat(mappings, world(), leg("a", "10.1.0.1/24", "", true), leg("b", "10.2.0.1/24", "", true),
		[]desiredstate.Object{nat.Address{Address: shared, AnyTable: true}})...)
}

func (n *natLab) converge(t *testing.T, want ...desiredstate.Object) {
	t.Helper()
	_, err := n.e.Sync(t.Context(), want...)
	require.NoError(t, err)
}

// leg is an interface of the router.
func leg(name, prefix, table string, inside bool) []desiredstate.Object {
	return []desiredstate.Object{
		vppnet.HostInterface{Name: name, Device: name},
		vppnet.LinkState{Interface: name, Up: true},
		l3.Address{Interface: name, Table: table, Prefix: netip.MustParsePrefix(prefix)},
		nat.Interface{Interface: name, Table: table, Inside: inside, Outside: !inside},
	}
}

func world() []desiredstate.Object {
	return append(leg("ext", "203.0.113.1/24", "", false), nat.Plugin{})
}

// tenant is a table, whose host has an address to share, and a way to the world.
func tenant(host, table string, shared netip.Addr) []desiredstate.Object {
	return append(leg(host, "10.1.0.1/24", table, true),
		l3.Table{Name: table, NoIPv6: true}, l3.Membership{Interface: host, Table: table, NoIPv6: true},
		nat.Address{Address: shared, Table: table},
		l3.Route{Table: table, Prefix: netip.MustParsePrefix("0.0.0.0/0"), Paths: []l3.Path{{Interface: "ext", NextHop: outside}}},
	)
}

// natFlow is a UDP socket of a host, connected to a server.
type natFlow struct {
	conn net.Conn
	said int
}

func (n *natLab) flow(t *testing.T, from string, to netip.Addr) *natFlow {
	t.Helper()
	f := new(natFlow)
	n.ns[from].Do(t, func() (err error) {
		f.conn, err = net.Dial("udp4", netip.AddrPortFrom(to, 7777).String())
		return err
	})
	t.Cleanup(func() { _ = f.conn.Close() })
	return f
}

// seen is the address that the server sees; zero: it does not answer.
func (f *natFlow) seen(t *testing.T) netip.Addr {
	t.Helper()
	buf := make([]byte, 64)
	for range 5 { // the first may wait for ARP in vain
		f.said++
		question := strconv.Itoa(f.said)
		_, _ = f.conn.Write([]byte(question))
		_ = f.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		for {
			k, err := f.conn.Read(buf)
			if err != nil {
				break
			}
			if to, addr, _ := strings.Cut(string(buf[:k]), " "); to == question { // and not a late one
				a, err := netip.ParseAddr(addr)
				require.NoError(t, err)
				return a
			}
		}
	}
	return netip.Addr{}
}

// natConn is a TCP connection to a server, which says what it is told.
type natConn struct {
	conn net.Conn
	in   *bufio.Reader
	said int
}

func (n *natLab) tcp(t *testing.T, from string, to netip.Addr) *natConn {
	t.Helper()
	c := new(natConn)
	n.ns[from].Do(t, func() (err error) {
		for range 5 {
			if c.conn, err = net.DialTimeout("tcp4", netip.AddrPortFrom(to, 7777).String(), 2*time.Second); err == nil {
				break
			}
		}
		return err
	})
	t.Cleanup(func() { _ = c.conn.Close() })
	c.in = bufio.NewReader(c.conn)
	return c
}

func (c *natConn) echo(patience time.Duration) error {
	c.said++
	if _, err := fmt.Fprintln(c.conn, c.said); err != nil {
		return err
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		var heard int
		if _, err := fmt.Fscanln(c.in, &heard); err != nil {
			return err
		}
		if heard == c.said {
			return nil
		}
	}
}

// serve answers in a namespace.
func serve(t *testing.T, ns netrig.NetNS) {
	t.Helper()
	var udp net.PacketConn
	var tcp net.Listener
	ns.Do(t, func() (err error) {
		if udp, err = net.ListenPacket("udp4", ":7777"); err == nil {
			tcp, err = net.Listen("tcp4", ":7777")
		}
		return err
	})
	t.Cleanup(func() { _ = udp.Close(); _ = tcp.Close() })
	go func() {
		buf := make([]byte, 64)
		for {
			k, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = udp.WriteTo(fmt.Appendf(nil, "%s %v", buf[:k], from.(*net.UDPAddr).IP), from)
		}
	}()
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for s := bufio.NewScanner(conn); s.Scan(); {
					_, _ = fmt.Fprintln(conn, s.Text())
				}
			}()
		}
	}()
}
