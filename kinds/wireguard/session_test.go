// SPDX-License-Identifier: Apache-2.0

package wireguard_test

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/wireguard"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/wireguard"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// end is one of two VPPs that a memif joins, and what it is to have.
type end struct {
	c    *vppnet.Conn
	e    *desiredstate.Engine
	want []desiredstate.Object
}

func newEnd(t *testing.T, vpp *vpptest.RealVPP, dir string, slave bool, own netip.Addr, key byte, peer wireguard.Peer) *end {
	c := kindrig.Dial(t, vpp.Socket(), "me")
	peer.Interface, peer.AllowedIPs = "wg", []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}
	socket := filepath.Join(dir, "wire")
	return &end{
		c, kindrig.Engine(append(kinds(c), l3.Tables(c), l3.Addresses(c), vppnet.MemifSockets(c, dir), vppnet.Memifs(c))...),
		[]desiredstate.Object{
			vppnet.MemifSocket{Path: socket},
			vppnet.Memif{Name: "wire", Socket: socket, Slave: slave},
			vppnet.LinkState{Interface: "wire", Up: true},
			l3.Address{Interface: "wire", Prefix: netip.PrefixFrom(own, 24)},
			wireguard.Interface{Name: "wg", PrivateKey: private(key), Src: own, Port: 51820},
			vppnet.LinkState{Interface: "wg", Up: true},
			peer,
		},
	}
}

// Two VPPs begin a session. Where the peer then is, VPP knows best: it is left as it is, be
// another endpoint wanted, for as long as there is a session.
func TestSession(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	first := vpptest.Real(t)
	called := wireguard.Peer{PublicKey: public(t, 2), Endpoint: netip.AddrPortFrom(b, 51820), Keepalive: time.Second}
	caller := newEnd(t, first, first.Dir(), false, a, 1, called)
	other := newEnd(t, vpptest.Real(t), first.Dir(), true, b, 2, wireguard.Peer{PublicKey: public(t, 1)})
	for _, x := range []*end{caller, other} {
		_, err := x.e.Ensure(t.Context(), x.want...)
		require.NoError(t, err)
		x.c.Uses(&binding.WireguardPeersDump{})
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		found, err := vppnet.Ask(t.Context(), caller.c, &binding.WireguardPeersDump{PeerIndex: none})
		require.NoError(t, err)
		if found[0].(*binding.WireguardPeersDetails).Peer.Flags&binding.WIREGUARD_PEER_ESTABLISHED != 0 {
			break
		}
		require.True(t, time.Now().Before(deadline), "no session begins")
	}
	peer := caller.want[6].(wireguard.Peer)
	peer.Endpoint = netip.MustParseAddrPort("192.0.2.9:1")
	caller.want[6] = peer
	caller.e.Forget()
	p, err := caller.e.Plan(t.Context(), caller.want...)
	require.NoError(t, err)
	require.True(t, p.Empty(), "%s", p)
	other.e.Forget()
	p, err = other.e.Plan(t.Context(), other.want...)
	require.NoError(t, err)
	require.True(t, p.Empty(), "who waits to be called has been: %s", p)

	peer.Keepalive = 0
	caller.want[6] = peer
	_, err = caller.e.Ensure(t.Context(), caller.want...)
	require.NoError(t, err)
	kindrig.Steady(t, caller.e, caller.want...)
}
