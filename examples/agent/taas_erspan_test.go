// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// decoderService is a service whose port decodes ERSPAN itself, and decoderFlow a flow to it.
func decoderService(number int, port, address string) string {
	return fmt.Sprintf(`{"tap_service":{"id":"x","name":"ts","port_id":%q,"erspan_dst_ip":%q},"taas_id":%d,"port":{"id":%q},"dest_type":"ERSPAN_INT"}`, port, address, number, port)
}

func decoderFlow(number int, service, source, way string, session int, mac, from, to string) string {
	return fmt.Sprintf(`{"tap_flow":{"tap_service_id":%q,"source_port":%q,"direction":%q,"erspan_session_id":%d},"taas_id":%d,"port":{},`+
		`"port_mac":"","ts_port_mac":%q,"tf_host":%q,"ts_host":%q,"dest_type":"ERSPAN_INT"}`, service, source, way, session, number, mac, from, to)
}

// On the decoder's host there is what comes to it, and on others what they send it by; two tenants
// can have the same address.
func TestDecoders(t *testing.T) {
	r := newRig(t)
	s1, s2 := r.siteOf("h1", nic), r.siteOf("h2", nic)
	s2.ERSPAN = netip.MustParseAddr("192.0.2.2")
	s1.ERSPAN = netip.MustParseAddr("192.0.2.1")
	v1, v2 := memory(t), memory(t)
	a, b := r.agent(s1, v1.Socket()), r.agent(s2, v2.Socket())
	const address, mac = "10.0.0.9", "fa:16:3e:00:10:01"
	r.put("h1", uuid(0), port(101))
	r.put("h1", uuid(1), port(102))
	r.put("h1", uuid(2), port(101))
	r.put("h2", uuid(3), port(101))
	r.bound("h1", uuid(0), uuid(1), uuid(2))
	r.bound("h2", uuid(3))
	r.converged(a)
	r.converged(b)
	before1, before2 := v1.String(), v2.String()
	r.flow("h2", 1, decoderFlow(3900, sid(1), uuid(3), "OUT", 7, mac, "h2", "h1"))
	r.flow("h2", 2, decoderFlow(3901, sid(2), uuid(3), "OUT", 7, mac, "h2", "h1"))
	r.problemAt("h2", "taas_flow/"+tfid(1), "h1 does not say that it has service")
	r.service("h1", 1, decoderService(3900, uuid(0), address))
	r.service("h1", 2, decoderService(3901, uuid(1), address))
	r.flow("h1", 3, decoderFlow(3900, sid(1), uuid(2), "BOTH", 8, "", "h1", "h1"))
	r.taps("h1", "taas_service/"+sid(1), "taas_service/"+sid(2), "taas_flow/"+tfid(3))
	said := r.taps("h2", "taas_flow/"+tfid(1), "taas_flow/"+tfid(2))["taas_flow/"+tfid(1)]
	for _, part := range []string{`"span_mode":3`, `"session_id":7`, `"dst_adr":"10.0.0.9"`, `"src_adr":"192.0.2.2"`} {
		require.Contains(t, said, part)
	}
	r.problemAt("h2", "taas_flow/"+tfid(1), "")

	want := func(a *running, o desiredstate.Object) {
		t.Helper()
		got, ok := a.store.Want(o.Key())
		require.True(t, ok, o.Key())
		require.Equal(t, o, got)
		status, _ := a.store.Status(o.Key())
		require.Equal(t, desiredstate.Applied, status.State)
	}
	to := netip.MustParseAddr(address)
	for number, by := range map[int]string{3900: "tap.physnet1.3900", 3901: "tap.physnet1.3901"} {
		table := fmt.Sprintf("tap.%d", number)
		want(b, vppnet.GRETunnel{Name: fmt.Sprintf("erspan.7-%d", number), Src: s2.ERSPAN, Dst: to, Table: table, Type: vppnet.GREMirror, Session: 7})
		want(b, l3.Neighbour{Interface: by, IP: to, MAC: vppnet.MAC{0xfa, 0x16, 0x3e, 0, 0x10, 1}, NoRoute: true})
		want(b, l3.Route{Table: table, Prefix: netip.PrefixFrom(to, 32), Paths: []l3.Path{{Interface: by, NextHop: to}}})
	}
	want(a, vppnet.CrossConnect{From: "tap.physnet1.3900", To: "port-" + uuid(0)})
	want(a, vppnet.CrossConnect{From: "tap.physnet1.3901", To: "port-" + uuid(1)})
	want(a, vppnet.CrossConnect{From: "tap.3900", To: "port-" + uuid(0)})
	want(a, l3.Neighbour{Interface: "tap.3900", IP: to, MAC: vppnet.MAC{0xfa, 0x16, 0x3e, 0, 0x10, 1}, NoRoute: true})

	a.stop()
	again := r.agent(s1, v1.Socket())
	r.converged(again)
	require.Zero(t, again.writes.Load())

	r.service("h1", 2, "") // and then the flows, in either order
	r.flow("h2", 2, "")
	r.flow("h2", 1, "")
	r.flow("h1", 3, "")
	r.service("h1", 1, tapService(3900, uuid(0))) // it does not decode any more
	r.taps("h1", "taas_service/"+sid(1))
	r.service("h1", 1, "")
	r.taps("h1")
	r.taps("h2")
	r.converged(again)
	r.converged(b)
	require.Equal(t, before2, v2.String())
	require.Equal(t, before1, v1.String())
}

// What is wrong is said under its key, and all else is served.
func TestBadDecoders(t *testing.T) {
	r := newRig(t)
	site := r.siteOf("h1", nic)
	r.agent(site, memory(t).Socket())
	lone := r.siteOf("h2", nic)
	lone.NoRouters, lone.ERSPAN = true, netip.MustParseAddr("192.0.2.2")
	r.agent(lone, memory(t).Socket())
	const mac = "fa:16:3e:00:10:01"
	r.put("h1", uuid(0), port(101))
	r.put("h1", uuid(1), port(102))
	r.put("h2", uuid(2), port(102))
	services := map[int][2]string{
		1: {decoderService(3900, uuid(0), "10.0.0.300"), "erspan_dst_ip: "},
		2: {decoderService(3900, uuid(0), "224.0.0.1"), "is no address of another host"},
		3: {decoderService(3900, uuid(9), "10.0.0.9"), "is not on this host"},
		4: {decoderService(5000, uuid(0), "10.0.0.9"), "5000 is no VLAN"},
		5: {decoderService(101, uuid(0), "10.0.0.9"), "101 is the VLAN of a network on this host"},
		6: {`{"tap_service":{"port_id":"` + uuid(0) + `"},"taas_id":3900,"dest_type":"ERSPAN_INT"}`, "erspan_dst_ip is missing"},
	}
	r.service("h1", 10, tapService(3910, uuid(0)))
	r.service("h1", 11, decoderService(3911, uuid(0), "10.0.0.9"))
	said := func(n int, value string) { r.set(translate.TapState("h3", "taas_service/"+sid(n)), value) }
	said(20, `{"ts":{"tap_service":{"erspan_dst_ip":"10.0.0.9"}},"service_bridge":{"physnet":"physnet1","network_type":"vxlan"}}`)
	said(21, `{"ts":{"tap_service":{}},"service_bridge":{"physnet":"physnet1","network_type":"vlan"}}`)
	said(22, `{"service_bridge":{"physnet":"physnet1","network_type":"vlan"}}`)
	said(23, `{"ts":{"tap_service":{"erspan_dst_ip":"10.0.0.9"}},"service_bridge":{"physnet":"physnet1","network_type":"vlan"}}`)
	flows := map[int][2]string{
		1: {decoderFlow(3910, sid(10), uuid(1), "BOTH", 1, mac, "h1", "h1"), "decodes none"},
		2: {decoderFlow(3911, sid(11), uuid(1), "BOTH", 1024, mac, "h1", "h1"), "erspan_session_id: 1024"},
		3: {decoderFlow(3911, sid(11), uuid(0), "BOTH", 1, mac, "h1", "h1"), "is the service's own"},
		4: {decoderFlow(3911, sid(11), uuid(1), "BOTH", 1, mac, "h2", "h1"), "it is of h2, not of this host"},
		5: {decoderFlow(3911, sid(11), uuid(1), "BOTH", 1, mac, "h1", "h1"), "no address in an underlay, see --gpe-locator and --erspan-address"},
		6: {decoderFlow(3900, sid(20), uuid(1), "BOTH", 1, mac, "h1", "h3"), `by a VLAN, not by \"vxlan\"`},
		7: {decoderFlow(3900, sid(21), uuid(1), "BOTH", 1, mac, "h1", "h3"), "erspan_dst_ip is missing"},
		8: {decoderFlow(3900, sid(22), uuid(1), "BOTH", 1, mac, "h1", "h3"), "what the service's host says: ts is missing"},
		9: {decoderFlow(3900, sid(23), uuid(1), "BOTH", 1, "01:00:00:00:00:01", "h1", "h3"), "ts_port_mac: want the MAC"},
	}
	for n, x := range services {
		r.service("h1", n, x[0])
	}
	for n, x := range flows {
		r.flow("h1", n, x[0])
	}
	for n, x := range services {
		r.problemAt("h1", "taas_service/"+sid(n), x[1])
	}
	for n, x := range flows {
		r.problemAt("h1", "taas_flow/"+tfid(n), x[1])
	}
	r.flow("h2", 1, decoderFlow(3900, sid(23), uuid(2), "BOTH", 1, mac, "h2", "h3"))
	r.problemAt("h2", "taas_flow/"+tfid(1), "--no-routers leaves to others")
	r.taps("h1", "taas_service/"+sid(10), "taas_service/"+sid(11))
	r.bound("h1", uuid(0), uuid(1))
	lone.ERSPAN = netip.MustParseAddr("224.0.0.1")
	require.ErrorContains(t, lone.Validate(), "ERSPAN: 224.0.0.1")
}
