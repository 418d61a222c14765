// SPDX-License-Identifier: Apache-2.0

package wireguard_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	binding "go.fd.io/govpp/binapi/wireguard"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/wireguard"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Every kind keeps the laws, on both VPPs.

const none = ^uint32(0)

// private is the nth key. They differ in the last byte but one: of the last one X25519 does not take all bits.
func private(n byte) vppnet.Secret {
	return vppnet.NewSecret(strings.Repeat("A", 40) + string([]byte{"ABCDEFGH"[n], 'A', 'A', '='}))
}

func public(t testing.TB, n byte) wireguard.PublicKey {
	k, err := wireguard.PublicKeyOf(private(n))
	require.NoError(t, err)
	return k
}

func TestLawsOfInterfaces(t *testing.T) {
	laws(t, wireguard.Interfaces, nil, rapid.Custom(func(t *rapid.T) wireguard.Interface {
		name := kindrig.Pick(t, "name", "a", "b")
		return wireguard.Interface{
			Name: name, PrivateKey: private(kindrig.Pick[byte](t, "key", 1, 2)), Src: kindrig.Pick(t, "from", netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")),
			Port: kindrig.Pick[uint16](t, "port", 1, 2) + uint16(name[0]),
		}
	}))
}

func TestLawsOfPeers(t *testing.T) {
	base := []desiredstate.Object{
		wireguard.Interface{Name: "wan", PrivateKey: private(1), Src: netip.MustParseAddr("10.0.0.1"), Port: 51820},
		wireguard.Interface{Name: "lan", PrivateKey: private(2), Src: netip.MustParseAddr("2001:db8::2"), Port: 51821},
	}
	at := map[string]netip.AddrPort{"wan": netip.MustParseAddrPort("192.0.2.1:51820"), "lan": netip.MustParseAddrPort("[2001:db8::9]:1")}
	laws(t, func(c *vppnet.Conn) *desiredstate.Kind[wireguard.Peer] { return wireguard.Peers(c) }, base, rapid.Custom(func(t *rapid.T) wireguard.Peer {
		key, err := wireguard.PublicKeyOf(private(kindrig.Pick[byte](t, "key", 4, 5)))
		require.NoError(t, err)
		all := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("0.0.0.0/0")}
		on := kindrig.Pick(t, "interface", "wan", "lan")
		return wireguard.Peer{
			Interface: on, PublicKey: key, AllowedIPs: rapid.Permutation(all).Draw(t, "allowed")[:kindrig.Pick(t, "n", 1, 3)],
			Endpoint:  kindrig.Pick(t, "at", netip.AddrPort{}, at[on]),
			Keepalive: kindrig.Pick(t, "keepalive", 0, 25*time.Second, 65535*time.Second),
		}
	}))
}

// VPP would die of the first neighbour on a sub-interface of one.
func TestNoSubInterface(t *testing.T) {
	vpp := vpptest.New(t)
	c := kindrig.Dial(t, vpp.Socket(), "me")
	e := kindrig.Engine(append(kinds(c), vppnet.SubInterfaces(c))...)
	wan := wireguard.Interface{Name: "wan", PrivateKey: private(1), Src: netip.MustParseAddr("192.0.2.1"), Port: 51820}
	_, err := e.Ensure(t.Context(), wan, vppnet.SubInterface{Name: "wan.5", Parent: "wan", Outer: 5})
	require.ErrorIs(t, err, desiredstate.ErrInvalid)
	require.ErrorContains(t, err, "carries no VLANs")
}

// kinds are those of this package, and what they are tested with.
func kinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{wireguard.Interfaces(c), wireguard.Peers(c), vppnet.Loopbacks(c), vppnet.LinkStates(c)}
}

func laws[S desiredstate.Object](t *testing.T, kind func(*vppnet.Conn) *desiredstate.Kind[S], base []desiredstate.Object, gen *rapid.Generator[S]) {
	_, secret := any(*new(S)).(wireguard.Interface)
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		kindtest.Run(t, kindtest.Suite[S]{Gen: gen, Checks: checks, Secret: secret, Open: kindrig.Owners(vpp, state, base, kind, kinds)})
	}
	kindrig.OnEachVPP(t, 8, stranger, state, run)
}

// state is all that the kinds of this package can change.
func state(vpp *vpptest.Proxy) string {
	all := interface_types.InterfaceIndex(none)
	return vpp.State(&interfaces.SwInterfaceDump{SwIfIndex: all}, &binding.WireguardInterfaceDump{SwIfIndex: all, ShowPrivateKey: true}, &binding.WireguardPeersDump{PeerIndex: none})
}

// stranger makes what is not ours.
func stranger(t *testing.T, socket string) {
	_, err := desiredstate.New(kinds(kindrig.Dial(t, socket, "stranger"))...).Ensure(t.Context(),
		wireguard.Interface{Name: "a", PrivateKey: private(6), Src: netip.MustParseAddr("10.0.0.9"), Port: 9},
		wireguard.Peer{Interface: "a", PublicKey: public(t, 7), AllowedIPs: []netip.Prefix{netip.MustParsePrefix("::/0")}})
	require.NoError(t, err)
}

// A private key is shown nowhere, and one that was found is not written again.
func TestSecrets(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		wan := wireguard.Interface{Name: "wan", PrivateKey: wireguard.NewPrivateKey(), Src: netip.MustParseAddr("10.0.0.1"), Port: 51820}
		e := kindrig.Engine(kinds(c)...)
		p, err := e.Plan(t.Context(), wan)
		require.NoError(t, err)
		text, err := json.Marshal(wan)
		require.NoError(t, err)
		for _, shown := range []string{p.String(), string(text), fmt.Sprintf("%+v %#v", wan, wan)} {
			require.NotContains(t, shown, wan.PrivateKey.Reveal())
		}
		_, err = e.Apply(t.Context(), p)
		require.NoError(t, err)
		kindrig.Steady(t, e, wan)
		other := wan
		other.PrivateKey = wireguard.NewPrivateKey()
		p, err = e.Plan(t.Context(), other)
		require.NoError(t, err)
		require.Equal(t, 1, p.Count(desiredstate.Replace), "%s", p)
		require.NotContains(t, p.String(), other.PrivateKey.Reveal())
	})
}

// What merely has the index of a WireGuard interface that has gone gets no peer.
func TestIndexOfOneThatHasGone(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		e := kindrig.Engine(kinds(c)...)
		peer := wireguard.Peer{Interface: "x", PublicKey: public(t, 4), AllowedIPs: []netip.Prefix{netip.MustParsePrefix("::/0")}}
		_, err := e.Ensure(t.Context(), wireguard.Interface{Name: "x", PrivateKey: private(1), Src: netip.MustParseAddr("10.0.0.1"), Port: 51820}, peer)
		require.NoError(t, err)
		_, err = e.Sync(t.Context(), vppnet.Loopback{Name: "x"})
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), vppnet.Loopback{Name: "x"}, peer)
		require.ErrorContains(t, err, "x is no WireGuard interface")
	})
}

// An interface is no peer of its own, not in place of another one either.
func TestOwnKey(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		e := kindrig.Engine(kinds(kindrig.Dial(t, vpp.Socket(), "me"))...)
		wg := wireguard.Interface{Name: "wg", PrivateKey: private(1), Src: netip.MustParseAddr("10.0.0.1"), Port: 51820}
		other := wg
		other.Name, other.Port, other.PrivateKey = "other", 51821, private(2)
		own := behind(t, 1, "10.1.0.0/16")
		elsewhere := own
		elsewhere.Interface = "other"
		_, err := e.Ensure(t.Context(), wg, other, elsewhere)
		require.NoError(t, err)
		writes := vpp.Writes()
		_, err = e.Ensure(t.Context(), own)
		require.ErrorIs(t, err, desiredstate.ErrInvalid)
		require.ErrorContains(t, err, "is the public key of wg itself")
		require.Equal(t, writes, vpp.Writes())
		kindrig.Steady(t, e, wg, other, elsewhere)
	})
}

func TestRefused(t *testing.T) {
	at := netip.MustParseAddr("10.0.0.1")
	for why, o := range map[string]desiredstate.Object{
		"want 32 bytes in base64": wireguard.Interface{Name: "a", PrivateKey: vppnet.NewSecret("hunter2"), Src: at, Port: 1},
		"no port":                 wireguard.Interface{Name: "a", PrivateKey: private(1), Src: at},
		"source ::":               wireguard.Interface{Name: "a", PrivateKey: private(1), Src: netip.IPv6Unspecified(), Port: 1},
		"no public key":           wireguard.Peer{Interface: "a"},
		"0 allowed prefixes":      wireguard.Peer{Interface: "a", PublicKey: wireguard.PublicKey{1}},
		"without host bits":       wireguard.Peer{Interface: "a", PublicKey: wireguard.PublicKey{1}, AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}},
		"want whole seconds":      wireguard.Peer{Interface: "a", PublicKey: wireguard.PublicKey{1}, AllowedIPs: []netip.Prefix{netip.MustParsePrefix("::/0")}, Keepalive: time.Millisecond},
		"and a port":              wireguard.Peer{Interface: "a", PublicKey: wireguard.PublicKey{1}, Endpoint: netip.AddrPortFrom(at, 0), AllowedIPs: []netip.Prefix{netip.MustParsePrefix("::/0")}},
	} {
		err := o.Validate()
		require.ErrorContains(t, err, why)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := wireguard.ParsePublicKey("AAAA")
	require.ErrorContains(t, err, "32 bytes")
	c := kindrig.Dial(t, vpptest.New(t).Socket(), "me")
	i := wireguard.Interface{Name: "a", PrivateKey: private(1), Src: at, Port: 51820}
	j := i
	j.Name = "b"
	_, err = kindrig.Engine(kinds(c)...).Ensure(t.Context(), i, j)
	require.ErrorIs(t, err, desiredstate.ErrConflict, "one port")
	away := wireguard.Peer{Interface: "a", PublicKey: public(t, 2), Endpoint: netip.MustParseAddrPort("[2001:db8::9]:1"), AllowedIPs: []netip.Prefix{netip.MustParsePrefix("::/0")}}
	_, err = kindrig.Engine(kinds(c)...).Ensure(t.Context(), i, away)
	require.ErrorIs(t, err, desiredstate.ErrInvalid)
	require.ErrorContains(t, err, "want both of one family")
}
