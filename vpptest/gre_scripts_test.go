// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/gre"
	"go.fd.io/govpp/binapi/tunnel_types"

	"github.com/vppkit/vppkit/vpptest"
)

var gres = &gre.GreTunnelDump{SwIfIndex: none}

var gresV2 = &gre.GreTunnelDumpV2{SwIfIndex: none}

func greKeyed(add bool, src, dst string, key uint32) api.Message {
	return &gre.GreTunnelAddDelV2{IsAdd: add, Tunnel: gre.GreTunnelV2{Instance: none, Src: ipOf(src), Dst: ipOf(dst), Key: key}}
}

// greTo is a tunnel, changed by set.
func greTo(add bool, src, dst string, set ...func(*gre.GreTunnel)) api.Message {
	t := gre.GreTunnel{Instance: none, Src: ipOf(src), Dst: ipOf(dst)}
	for _, f := range set {
		f(&t)
	}
	return &gre.GreTunnelAddDel{IsAdd: add, Tunnel: t}
}

func teb(t *gre.GreTunnel) { t.Type = gre.GRE_API_TUNNEL_TYPE_TEB }

func erspan(session uint16) func(*gre.GreTunnel) {
	return func(t *gre.GreTunnel) { t.Type, t.SessionID = gre.GRE_API_TUNNEL_TYPE_ERSPAN, session }
}

func greIn(table uint32) func(*gre.GreTunnel) {
	return func(t *gre.GreTunnel) { t.OuterTableID = table }
}
func greNumber(n uint32) func(*gre.GreTunnel) { return func(t *gre.GreTunnel) { t.Instance = n } }

var greScripts = []vpptest.Script{
	{Name: "gre", About: "tunnels of packets, of frames and of mirrors", Steps: []vpptest.Step{
		do(gres), do(greTo(true, "10.0.0.1", "10.0.0.2")), do(dump(1)), do(gres), do(&gre.GreTunnelDump{SwIfIndex: 1}), do(&gre.GreTunnelDump{SwIfIndex: 0}), do(&gre.GreTunnelDump{SwIfIndex: 77}),
		note("there is one", greTo(true, "10.0.0.1", "10.0.0.2")), note("of another type", greTo(true, "10.0.0.1", "10.0.0.2", teb)), do(greTo(true, "10.0.0.1", "10.0.0.2", erspan(5))), note("of another session", greTo(true, "10.0.0.1", "10.0.0.2", erspan(1023))), note("too high", greTo(true, "10.0.0.1", "10.0.0.2", erspan(1024))), note("again", greTo(true, "10.0.0.1", "10.0.0.2", erspan(5))),
		note("a session of what is none", greTo(true, "10.0.0.1", "10.0.0.3", func(t *gre.GreTunnel) { t.SessionID = 7 })), do(greTo(true, "10.0.0.1", "10.0.0.3")),
		note("to itself", greTo(true, "10.0.0.1", "10.0.0.1")), note("two families", greTo(true, "10.0.0.1", "2001:db8::1")), note("no such table", greTo(true, "10.0.0.1", "10.0.0.2", greIn(77))),
		note("no such type", greTo(true, "10.0.0.1", "10.0.0.2", func(t *gre.GreTunnel) { t.Type = 3 })), note("no such mode", greTo(true, "10.0.0.1", "10.0.0.2", func(t *gre.GreTunnel) { t.Mode = 2 })), note("one to many has no other end", greTo(true, "10.0.0.1", "10.0.0.2", func(t *gre.GreTunnel) { t.Mode = tunnel_types.TUNNEL_API_MODE_MP })), do(greTo(true, "10.0.0.1", "0.0.0.0", func(t *gre.GreTunnel) { t.Mode = tunnel_types.TUNNEL_API_MODE_MP })),
		do(vrf(7, false, "")), do(greTo(true, "10.0.0.1", "10.0.0.2", greIn(7))), do(greTo(true, "2001:db8::1", "2001:db8::2", teb)), note("another source", greTo(true, "2001:db8::3", "2001:db8::2", teb)), note("a number of its own", greTo(true, "10.0.0.1", "10.0.0.9", greNumber(1<<31-1))), note("taken", greTo(true, "10.0.0.1", "10.0.0.8", greNumber(1<<31-1))), do(gres), do(interfaces),
		do(routes(0, false, srcAPI)), do(admin(1, up)), do(dump(1)), do(admin(2, up)), do(dump(2)), do(setMAC(1, mac(1))), do(setMAC(2, mac(2))), do(hwMTU(1, 1500)), do(hwMTU(2, 1500)), do(hwMTU(2, 65535)), do(mtu(1, 1400, 0, 0, 0)), do(dump(1)), do(dump(2)), do(features(1)), do(features(2)),
		do(join(2, 5)), do(join(1, 5)), do(domains), do(features(1)), do(features(2)), do(vlan(2, 10)), do(interfaces), do(admin(1, 0)), do(dump(1)),
		do(greTo(false, "10.0.0.1", "10.0.0.2")), note("gone", greTo(false, "10.0.0.1", "10.0.0.2")), do(greTo(false, "10.0.0.1", "10.0.0.2", teb)), do(greTo(false, "10.0.0.1", "10.0.0.2", erspan(6))), do(greTo(false, "10.0.0.1", "10.0.0.2", erspan(5))), do(domains), do(interfaces), do(gres),
		note("index and number are given again", greTo(true, "10.0.0.5", "10.0.0.2", teb)), do(gres), do(interfaces),
	}},
	{Name: "gre-key", About: "tunnels whose packets bear a key", Steps: []vpptest.Step{
		do(gresV2), do(greTo(true, "10.0.0.1", "10.0.0.2")), do(greKeyed(true, "10.0.0.1", "10.0.0.2", 0)), do(greKeyed(true, "10.0.0.1", "10.0.0.2", 7)), do(greKeyed(true, "10.0.0.1", "10.0.0.2", 7)), do(greKeyed(true, "10.0.0.1", "10.0.0.2", none)), do(greKeyed(true, "10.0.0.1", "10.0.0.1", 7)),
		do(gres), do(gresV2), do(&gre.GreTunnelDumpV2{SwIfIndex: 2}), do(&gre.GreTunnelDumpV2{SwIfIndex: 77}), do(greTo(false, "10.0.0.1", "10.0.0.2")), do(greTo(false, "10.0.0.1", "10.0.0.2")), do(greKeyed(false, "10.0.0.1", "10.0.0.2", 7)), do(greKeyed(false, "10.0.0.1", "10.0.0.2", 8)), do(gresV2),
	}},
	{Name: "gre-routes", About: "what tunnels look up, once they are up", Steps: []vpptest.Step{
		do(greTo(true, "10.0.0.1", "10.0.0.2")), do(greTo(true, "10.0.0.1", "10.0.0.3", teb)), do(routes(0, false, srcAll)), do(admin(1, up)), do(routes(0, false, srcAll)), do(admin(2, up)), do(routes(0, false, srcAll)),
		do(address(1, "192.0.2.1/24")), do(routes(0, false, srcAll)), do(admin(1, 0)), do(admin(2, 0)), do(routes(0, false, srcAll)), do(greTo(false, "10.0.0.1", "10.0.0.3", teb)), do(routes(0, false, srcAll)),
	}},
}
