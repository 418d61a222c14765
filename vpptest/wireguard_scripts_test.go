// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"bytes"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/wireguard"

	"github.com/vppkit/vppkit/vpptest"
)

func wgKey(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func wg(instance uint32, key byte, port uint16, src string) api.Message {
	return &wireguard.WireguardInterfaceCreate{Interface: wireguard.WireguardInterface{UserInstance: instance, PrivateKey: wgKey(key), Port: port, SrcIP: ipOf(src)}}
}

func unwg(i index) api.Message { return &wireguard.WireguardInterfaceDelete{SwIfIndex: i} }

func wgPeer(i index, key byte, endpoint string, allowed ...string) *wireguard.WireguardPeerAdd {
	q := &wireguard.WireguardPeerAdd{Peer: wireguard.WireguardPeer{SwIfIndex: i, PublicKey: wgKey(key), Endpoint: ipOf(endpoint), Port: 51820, PersistentKeepalive: 25}}
	for _, a := range allowed {
		p, err := ip_types.ParsePrefix(a)
		if err != nil {
			panic(err)
		}
		q.Peer.AllowedIps = append(q.Peer.AllowedIps, p)
	}
	return q
}

func wgFeatures(i index) []vpptest.Step {
	return []vpptest.Step{isOn("ip4-output", "wg4-output-tun", i), isOn("ip6-output", "wg6-output-tun", i), isOn("ip4-output", "interface-output", i), isOn("ip6-output", "interface-output", i)}
}

var wgs, wgPeers = &wireguard.WireguardInterfaceDump{SwIfIndex: none}, &wireguard.WireguardPeersDump{PeerIndex: none}

var wireguardScripts = []vpptest.Script{
	{Name: "wireguard", About: "interfaces and peers, what is refused, and indexes that come again", Steps: steps(
		do(wgs), do(wgPeers), do(loopback()), do(wg(none, 1, 51820, "10.0.0.1")), do(dump(2)), do(wgs), do(&wireguard.WireguardInterfaceDump{SwIfIndex: 2}), do(&wireguard.WireguardInterfaceDump{SwIfIndex: 1}), do(&wireguard.WireguardInterfaceDump{SwIfIndex: 77}),
		note("taken", wg(0, 2, 51821, "10.0.0.1")), note("beyond all", wg(16*1024, 2, 51821, "10.0.0.1")), do(wg(7, 2, 51821, "2001:db8::1")), note("the key of another", wg(none, 1, 51822, "10.0.0.1")), note("no key", wg(none, 0, 0, "0.0.0.0")), do(wgs),
		do(&wireguard.WireguardInterfaceDump{ShowPrivateKey: true, SwIfIndex: 3}),
		wgFeatures(2), do(wgPeer(2, 9, "192.0.2.9")), do(wgPeer(1, 9, "192.0.2.9", "10.1.0.0/16")), do(wgPeer(77, 9, "192.0.2.9", "10.1.0.0/16")), do(wgPeer(2, 9, "192.0.2.9", "10.1.2.3/16", "2001:db8:1::/48")), wgFeatures(2), wgFeatures(3), do(wgPeers),
		note("on another", wgPeer(3, 9, "192.0.2.9", "10.1.0.0/16")), do(wgPeer(3, 8, "2001:db8::9", "0.0.0.0/0", "::/0")), do(wgPeer(2, 7, "0.0.0.0", "10.1.0.0/16")), note("its own", wgPeer(2, 1, "192.0.2.1", "10.7.0.0/16")),
		do(&wireguard.WireguardPeerAdd{Peer: wireguard.WireguardPeer{SwIfIndex: 2, PublicKey: wgKey(6), Endpoint: ipOf("192.0.2.6"), TableID: 77, AllowedIps: wgPeer(2, 1, "192.0.2.1", "10.7.0.0/16").Peer.AllowedIps}}), do(wgPeers),
		do(&wireguard.WireguardPeersDump{PeerIndex: 1}), do(&wireguard.WireguardPeersDump{PeerIndex: 77}), do(&wireguard.WireguardPeerRemove{PeerIndex: 77}), do(&wireguard.WireguardPeerRemove{PeerIndex: 0}), do(&wireguard.WireguardPeerRemove{PeerIndex: 0}), do(wgPeers), note("its index comes again", wgPeer(3, 5, "192.0.2.5", "10.5.0.0/16")), do(wgPeers),
		do(admin(2, up)), do(dump(2)), do(admin(2, 0)), do(dump(2)), do(mtu(2, 1420, 0, 0, 0)), do(dump(2)), do(hwMTU(2, 1420)), do(setMAC(2, mac(1))), do(vlan(2, 10)), do(join(2, 5)),
		do(unwg(1)), do(unwg(77)), do(&wireguard.WireguardPeerRemove{PeerIndex: 3}), do(&wireguard.WireguardPeerRemove{PeerIndex: 2}), note("its peer goes with it", unwg(2)), do(wgPeers), do(wgs), do(interfaces), do(wgPeer(2, 3, "192.0.2.5", "10.5.0.0/16")), do(wg(none, 3, 51820, "10.0.0.3")), do(dump(2)), do(wgs), do(wgPeer(2, 3, "192.0.2.5", "10.5.0.0/16")), wgFeatures(2), do(wgPeers),
	)},
	{Name: "wireguard-ports", About: "interfaces with one port, of which the first goes", Steps: steps(
		do(wg(none, 1, 51820, "10.0.0.1")), do(wg(none, 2, 51820, "10.0.0.1")), do(wg(none, 3, 51820, "10.0.0.1")), do(unwg(1)), do(wgs), do(unwg(3)), do(wgs), do(unwg(2)), do(wgs),
	)},
}
