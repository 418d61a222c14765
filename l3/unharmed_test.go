// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/arping"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/memclnt"
	nat_ei "go.fd.io/govpp/binapi/nat44_ei"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// No sequence of calls of this package ends a VPP, however absurd they are, and
// whatever somebody else does in between.
func TestNothingHarmsVPP(t *testing.T) {
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t)
		mortal(t, vpp)
		rapid.Check(t, func(rt *rapid.T) { unharmed(t, rt, vpp.Socket()) })
	})
	t.Run("real", func(t *testing.T) {
		vpp := vpptest.Real(t)
		rapid.Check(t, func(rt *rapid.T) { unharmed(t, rt, vpp.Socket()) })
	})
}

// mortal fails the test where a real VPP would have died.
func mortal(t *testing.T, vpp *vpptest.VPP) {
	on := false
	vpptest.Handle(vpp, func(_ *vpptest.Call, q *nat_ei.Nat44EiPluginEnableDisable) *nat_ei.Nat44EiPluginEnableDisableReply {
		on = q.Enable
		return new(nat_ei.Nat44EiPluginEnableDisableReply)
	})
	vpptest.Handle(vpp, func(*vpptest.Call, *nat_ei.Nat44EiShowRunningConfig) *nat_ei.Nat44EiShowRunningConfigReply {
		r := new(nat_ei.Nat44EiShowRunningConfigReply)
		if on {
			r.Sessions, r.Users, r.UserSessions = 1000, 1024, 1000
		}
		return r
	})
	vpptest.HandleDump(vpp, func(*vpptest.Call, *nat_ei.Nat44EiUserSessionV2Dump) []*nat_ei.Nat44EiUserSessionV2Details {
		if !on {
			t.Error("sessions of a NAT that is off: VPP is dead")
		}
		return nil
	})
	vpptest.Handle(vpp, func(c *vpptest.Call, q *arping.Arping) *arping.ArpingReply {
		if q.SwIfIndex == 0 || !c.HasInterface(uint32(q.SwIfIndex)) {
			t.Errorf("announced by interface %d: VPP is dead", q.SwIfIndex)
		}
		return new(arping.ArpingReply)
	})
}

// unharmed makes calls, and looks after each whether VPP still answers.
func unharmed(t *testing.T, rt *rapid.T, socket string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, err := vppnet.Dial(ctx, socket, "me", vppnet.WithReplyTimeout(5*time.Second))
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	other, err := vppnet.Dial(ctx, socket, "other")
	require.NoError(t, err)
	defer func() { _ = other.Close() }()
	other.Uses(&memclnt.ControlPing{}, &interfaces.DeleteLoopback{}, &ip.IPTableAddDelV2{})
	alive := func(after string) {
		_, err := memclnt.NewServiceClient(other).ControlPing(ctx, &memclnt.ControlPing{})
		if err == nil {
			err = c.Err()
		}
		if err != nil {
			rt.Fatalf("after %s: %v", after, err)
		}
	}
	v := pick(rt, "variant", natVariants...)
	e := desiredstate.New(everyKind(c, v)...)
	e.MaxPrune = 1
	defer func() {
		_, _ = e.Sync(ctx)
		e.Forget()
		_, _ = e.Sync(ctx)
		alive("all was taken away")
	}()
	for range rapid.IntRange(1, 25).Draw(rt, "calls") {
		call := pick(rt, "call", "ensure", "ensure", "ensure", "ensure", "ensure", "ensure", "remove", "forget", "sync", "announce", "sessions", "end sessions", "states", "by hand", "by hand")
		switch call {
		case "ensure":
			var all []desiredstate.Object
			for range pick(rt, "objects", 1, 1, 2, 5) {
				all = append(all, anything(rt))
			}
			_, _ = e.Ensure(ctx, all...)
		case "remove":
			_, _ = e.Remove(ctx, anything(rt).Key())
		case "forget":
			e.Forget()
		case "sync":
			_, _ = e.Sync(ctx, anything(rt), anything(rt))
		case "announce":
			_ = l3.Announce(ctx, c, pick[uint32](rt, "index", 0, 1, 2, 3, 99, ^uint32(0)), anyAddr(rt), anyAddr(rt))
		case "sessions":
			_, _ = l3.NATSessions(ctx, c, pick(rt, "variant", natVariants...), anyAddr(rt), anyNumber(rt))
		case "end sessions":
			_, _ = l3.EndNATSessions(ctx, c, pick(rt, "variant", natVariants...), anyAddr(rt), anyNumber(rt), func(l3.NATSession) bool { return true })
		case "states":
			_, err := l3.RouterStates(ctx, c)
			require.NoError(t, err)
		case "by hand":
			if pick(rt, "what", "interface", "table") == "table" {
				_, _ = ip.NewServiceClient(other).IPTableAddDelV2(ctx, &ip.IPTableAddDelV2{
					IsAdd: pick(rt, "add", false, true), Table: ip.IPTable{TableID: pick[uint32](rt, "table", 7, 8, 9), IsIP6: pick(rt, "IPv6", false, true)},
				})
				break
			}
			_, _ = interfaces.NewServiceClient(other).DeleteLoopback(ctx, &interfaces.DeleteLoopback{SwIfIndex: pick[interface_types.InterfaceIndex](rt, "index", 1, 2, 3)})
		}
		alive(call)
	}
}

// everyKind manages all there is, whosever it is.
func everyKind(c *vppnet.Conn, v l3.NATVariant) []desiredstate.AnyKind {
	all := func(string) bool { return true }
	claim, tables := vppnet.ClaimInterfaces(all), l3.ClaimTables(all)
	kinds := []desiredstate.AnyKind{
		vppnet.Loopbacks(c), vppnet.LinkStates(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c),
		l3.Tables(c), l3.Memberships(c, claim), l3.Addresses(c, claim), l3.Unnumbereds(c, claim),
		l3.Routes(c, func(table string, p netip.Prefix) bool { return p.Bits() > 0 && p.Addr().Is4() }),
		l3.Neighbours(c, claim), l3.RouterAdvertisements(c, claim), l3.ProxyARPRanges(c, tables), l3.ProxyARPs(c, claim), l3.DHCPRelays(c, tables),
		l3.VirtualRouters(c, claim), l3.NATs(c, v), l3.NATInterfaces(c, v, claim), l3.NATAddresses(c, v, prefix("0.0.0.0/0")),
		l3.NATMappings(c, v), l3.NATIdentities(c, v),
	}
	if v == l3.EndpointDependent {
		kinds = append(kinds, l3.NATExits(c))
	}
	return kinds
}

func anyIface(t *rapid.T) string {
	return pick(t, "interface", "a", "a", "a", "b", "b", "vpp:local0", "vpp:99", "gone", "")
}

func anyTable(t *rapid.T) string {
	return pick(t, "table", "", "", "", "red", "red", "blue", "vpp:8", "gone", l3.DefaultTable)
}

func anyNumber(t *rapid.T) uint32 { return pick[uint32](t, "number", 0, 7, 8, 99, ^uint32(0)) }

func anyAddr(t *rapid.T) netip.Addr {
	text := pick(t, "address", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.9", "203.0.113.1", "2001:db8::1", "2001:db8::1", "2001:db8::9", "fe80::5", "fe80::9",
		"0.0.0.0", "255.255.255.255", "224.0.0.1", "ff02::1", "::", "::ffff:10.0.0.1", "127.0.0.1", "")
	a, _ := netip.ParseAddr(text)
	return a
}

func anyPrefix(t *rapid.T) netip.Prefix {
	a := anyAddr(t)
	p := netip.PrefixFrom(a, pick(t, "length", 24, 24, 32, 64, 64, 128, 0, 1, 31, 8))
	if pick(t, "masked", false, true) {
		p = p.Masked()
	}
	return p
}

func many[T any](t *rapid.T, label string, one func(*rapid.T) T) (out []T) {
	for range pick(t, label, 0, 1, 1, 2, 3) {
		out = append(out, one(t))
	}
	return out
}

// anything is an object, valid or not, of things that are there or not.
func anything(t *rapid.T) desiredstate.Object {
	yes := func(label string) bool { return pick(t, label, false, false, true) }
	seconds := func(label string) time.Duration { return pick(t, label, 0, 0, time.Second, 200*time.Second, 1000*time.Hour, -1) }
	port := func(label string) uint16 { return pick[uint16](t, label, 0, 1, 80, 65535) }
	protocol := func() l3.Protocol { return pick(t, "protocol", l3.NoProtocol, l3.NoProtocol, l3.TCP, l3.ICMP, 47) }
	name := func() string { return pick(t, "name", "a", "b", "", "vpp:7") }
	switch pick(t, "kind", "loopback", "loopback", "table", "table", "link", "bridge", "port", "membership", "membership", "address", "address", "address", "unnumbered",
		"route", "route", "neighbour", "advertisement", "range", "proxy", "relay", "router", "router", "NAT", "NAT", "NAT interface", "NAT interface", "NAT address", "mapping", "identity", "exit") {
	case "loopback":
		return vppnet.Loopback{Name: pick(t, "loopback", "a", "b")}
	case "table":
		return l3.Table{Name: pick(t, "table", "red", "blue"), ID: pick[uint32](t, "ID", 0, 7, 9, ^uint32(0)), NoIPv4: yes("no IPv4"), NoIPv6: yes("no IPv6")}
	case "link":
		return vppnet.LinkState{Interface: pick(t, "interface", "a", "b"), Up: !yes("down")}
	case "bridge":
		return vppnet.BridgeDomain{Name: "net", NoLearn: yes("no learn")}
	case "port":
		return vppnet.BridgePort{Bridge: "net", Interface: pick(t, "interface", "a", "b"), BVI: yes("BVI")}
	case "membership":
		return l3.Membership{Interface: anyIface(t), Table: anyTable(t), NoIPv4: yes("no IPv4"), NoIPv6: yes("no IPv6")}
	case "address":
		return l3.Address{Interface: anyIface(t), Table: anyTable(t), Prefix: anyPrefix(t)}
	case "unnumbered":
		return l3.Unnumbered{Interface: anyIface(t), Lender: anyIface(t), Table: anyTable(t)}
	case "route":
		return l3.Route{Table: anyTable(t), Prefix: anyPrefix(t), Paths: many(t, "paths", func(t *rapid.T) l3.Path {
			p := l3.Path{Weight: pick[uint8](t, "weight", 0, 1, 255), Preference: pick[uint8](t, "preference", 0, 255), Local: pick(t, "local", false, false, false, true)}
			if yes("hop") {
				p.NextHop = anyAddr(t)
			}
			if yes("by") {
				p.Interface = anyIface(t)
			}
			if yes("in") {
				p.Table = anyTable(t)
			}
			return p
		})}
	case "neighbour":
		return l3.Neighbour{Interface: anyIface(t), IP: anyAddr(t), MAC: pick(t, "MAC", mac(1), mac(2), vppnet.MAC{}, vppnet.MAC{1}), NoRoute: yes("no route")}
	case "advertisement":
		return l3.RouterAdvertisement{
			Interface: anyIface(t), Address: anyPrefix(t), Managed: yes("managed"), NoDefaultRouter: yes("no router"), Lifetime: seconds("lifetime"), MaxInterval: seconds("longest"),
			Prefixes: many(t, "prefixes", func(t *rapid.T) l3.AdvertisedPrefix { return l3.AdvertisedPrefix{Prefix: anyPrefix(t)} }),
		}
	case "range":
		return l3.ProxyARPRange{Table: anyTable(t), Low: anyAddr(t), High: anyAddr(t)}
	case "proxy":
		return l3.ProxyARP{Interface: anyIface(t)}
	case "relay":
		return l3.DHCPRelay{Table: anyTable(t), Source: anyAddr(t), Servers: many(t, "servers", func(t *rapid.T) l3.DHCPServer {
			return l3.DHCPServer{Addr: anyAddr(t), Table: anyTable(t)}
		})}
	case "router":
		return l3.VirtualRouter{
			Interface: anyIface(t), Table: anyTable(t), ID: pick[uint8](t, "ID", 0, 1, 255), Addresses: many(t, "addresses", anyAddr), Priority: pick[uint8](t, "priority", 0, 1, 255),
			Interval: pick(t, "interval", 0, 10*time.Millisecond, time.Hour), Accept: yes("accept"), Peers: pick(t, "peers", nil, nil, many(t, "peers", anyAddr)), Stopped: yes("stopped"),
			Track: pick(t, "track", nil, nil, many(t, "tracked", func(t *rapid.T) l3.TrackedInterface {
				return l3.TrackedInterface{Interface: anyIface(t), Decrement: pick[uint8](t, "decrement", 0, 1, 254, 255)}
			})),
		}
	case "NAT":
		return l3.NAT{InsideTable: anyTable(t), OutsideTable: anyTable(t), Sessions: pick[uint32](t, "sessions", 0, 1000), MSS: port("MSS"), Restart: yes("restart")}
	case "NAT interface":
		return l3.NATInterface{Interface: anyIface(t), Table: anyTable(t), Inside: yes("inside"), Outside: yes("outside"), Output: yes("output")}
	case "NAT address":
		return l3.NATAddress{Address: anyAddr(t), Table: anyTable(t), AnyTable: yes("any table"), Twice: yes("twice")}
	case "mapping":
		return l3.NATMapping{
			Name: name(), Table: anyTable(t), Local: anyAddr(t), External: anyAddr(t), Protocol: protocol(), LocalPort: port("local"), ExternalPort: port("external"),
			TwiceNAT: yes("twice"), SelfTwiceNAT: yes("self"), OneWay: yes("one way"), Pooled: yes("pooled"),
		}
	case "identity":
		return l3.NATIdentity{Name: name(), Table: anyTable(t), Address: anyAddr(t), Protocol: protocol(), Port: port("port"), Pooled: yes("pooled")}
	default:
		return l3.NATExit{Table: anyTable(t), To: many(t, "to", anyTable)}
	}
}

// What would end a VPP is refused with words that say what to do.
func TestLethalCallsAreRefused(t *testing.T) {
	test := func(t *testing.T, socket string) {
		c := dialVPP(t, socket, "me")
		for _, index := range []uint32{0, 99, ^uint32(0)} {
			require.Error(t, l3.Announce(t.Context(), c, index, addr("10.0.0.1"), addr("2001:db8::1")))
		}
		require.ErrorIs(t, l3.Announce(t.Context(), c, 99, addr("10.0.0.1")), api.INVALID_SW_IF_INDEX)
		require.ErrorContains(t, l3.Announce(t.Context(), c, 0, addr("10.0.0.1")), "name another one")
		for _, v := range natVariants {
			_, err := l3.NATSessions(t.Context(), c, v, hostA, 0)
			require.ErrorIs(t, err, desiredstate.ErrMissing)
			require.ErrorContains(t, err, "turn it on")
			_, err = l3.EndNATSessions(t.Context(), c, v, hostA, 10, func(l3.NATSession) bool { return true })
			require.ErrorIs(t, err, desiredstate.ErrMissing)

			e := natEngine(c, v)
			_, err = e.Ensure(t.Context(), l3.NAT{Sessions: 1000})
			require.NoError(t, err)
			for _, table := range []uint32{0, 10} {
				all, err := l3.NATSessions(t.Context(), c, v, hostA, table)
				require.NoError(t, err)
				require.Empty(t, all)
			}
			_, err = e.Remove(t.Context(), l3.NATKey())
			require.NoError(t, err)
			_, err = l3.NATSessions(t.Context(), c, v, hostA, 0)
			require.ErrorIs(t, err, desiredstate.ErrMissing, "it is off again")
		}
		// NAT that somebody has turned on to keep no sessions.
		c.Uses(&nat_ei.Nat44EiPluginEnableDisable{})
		toggle := func(on bool) {
			_, err := nat_ei.NewServiceClient(c).Nat44EiPluginEnableDisable(t.Context(), &nat_ei.Nat44EiPluginEnableDisable{Enable: on, Flags: nat_ei.NAT44_EI_STATIC_MAPPING_ONLY})
			require.NoError(t, err)
		}
		toggle(true)
		_, _ = l3.NATSessions(t.Context(), c, l3.EndpointIndependent, hostA, 0) // VPP says that it is so only if it is real
		toggle(false)
		_, err := vppnet.Loopbacks(c).Ensure(t.Context(), vppnet.Loopback{Name: "alive"})
		require.NoError(t, err)
	}
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { test(t, vpptest.Real(t).Socket()) })
}
