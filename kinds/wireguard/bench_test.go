// SPDX-License-Identifier: Apache-2.0

package wireguard_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ip_types"
	binding "go.fd.io/govpp/binapi/wireguard"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/wireguard"
)

// BenchmarkPeers makes 500 peers of one interface and takes them away, by the engine and by hand.
func BenchmarkPeers(b *testing.B) {
	wan := wireguard.Interface{Name: "wan", PrivateKey: private(1), Src: netip.MustParseAddr("10.0.0.1"), Port: 51820}
	x := kindrig.Contest{Kinds: kinds, Base: []desiredstate.Object{wan}}
	x.Before = []api.Message{&binding.WireguardInterfaceCreate{Interface: binding.WireguardInterface{
		UserInstance: none, Port: 51820, SrcIP: ip_types.Address{Un: ip_types.AddressUnionIP4([4]byte{10, 0, 0, 1})}, PrivateKey: make([]byte, 32), PublicKey: make([]byte, 32),
	}, GenerateKey: true}}
	for i := range uint32(500) {
		var key wireguard.PublicKey
		binary.BigEndian.PutUint32(key[:], i+1)
		to := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		x.Want = append(x.Want, wireguard.Peer{Interface: "wan", PublicKey: key, AllowedIPs: []netip.Prefix{netip.PrefixFrom(to, 32)}})
		x.Add = append(x.Add, &binding.WireguardPeerAdd{Peer: binding.WireguardPeer{
			PublicKey: key[:], SwIfIndex: 1, NAllowedIps: 1, AllowedIps: []ip_types.Prefix{{Address: ip_types.Address{Un: ip_types.AddressUnionIP4(to.As4())}, Len: 32}},
		}})
		x.Del = append(x.Del, &binding.WireguardPeerRemove{PeerIndex: i})
	}
	kindrig.Race(b, x)
}
