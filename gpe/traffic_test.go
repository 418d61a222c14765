// SPDX-License-Identifier: Apache-2.0

//go:build linux

package gpe_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Hosts behind two VPPs reach each other by an overlay, with real frames: ARP and ND are
// answered where they are asked, two networks with the same addresses stay apart, and a MAC
// that moves from one VPP to the other is found there, in whichever order the two are told.
func TestOverlay(t *testing.T) {
	for _, under := range []struct {
		name string
		a, b string
	}{{"over IPv4", "192.0.2.1/24", "192.0.2.2/24"}, {"over IPv6", "2001:db8:9::1/64", "2001:db8:9::2/64"}} {
		t.Run(under.name, func(t *testing.T) { overlay(t, netip.MustParsePrefix(under.a), netip.MustParsePrefix(under.b)) })
	}
}

func overlay(t *testing.T, addrA, addrB netip.Prefix) {
	a, b := newNode(t, "a", addrA), newNode(t, "b", addrB)
	netrig.Veth(t, a.ns, "wire", b.ns, "wire")
	// The moving host has a port at each; one of them is down at a time.
	fixed := a.host(t, "fixed", 1, "red")
	far := b.host(t, "far", 2, "red")
	blue := a.host(t, "blue", 1, "blue")
	blueFar := b.host(t, "bluefar", 3, "blue")
	moverA, moverB := a.host(t, "mover", 9, "red"), b.host(t, "mover", 9, "red")
	a.start(t)
	b.start(t)
	a.lives, a.elsewhere = []who{{1, "red"}, {1, "blue"}, {9, "red"}}, []who{{2, "red"}, {3, "blue"}}
	b.lives, b.elsewhere = []who{{2, "red"}, {3, "blue"}}, []who{{1, "red"}, {1, "blue"}, {9, "red"}}
	a.sync(t, b)
	b.sync(t, a)

	fixed.Reaches(t, ip4(2))
	fixed.Reaches(t, ip6(2))
	far.Reaches(t, ip4(9))
	far.Reaches(t, ip6(9))
	blue.Reaches(t, ip4(3))
	fixed.Misses(t, ip4(3)) // it is in the other network, as is who has the address of fixed there
	blue.Misses(t, ip4(2))
	blueFar.Reaches(t, ip4(1))

	// A MAC moves, there and back. The two VPPs are told in one order or the other, and each of
	// the two facts in one order or the other: the new one before the old one is withdrawn.
	for _, first := range []string{"where it goes", "where it was"} {
		for _, from := range []*node{a, b} {
			to, here, there := b, moverA, moverB
			if from == b {
				to, here, there = a, moverB, moverA
			}
			neighbour := fixed // of where it was
			if from == b {
				neighbour = far
			}
			stop := neighbour.Pings(t, ip4(9))
			began := time.Now()
			here.IP(t, "link", "set", "dev", "eth0", "down")
			here.IP(t, "addr", "flush", "dev", "eth0")
			there.IP(t, "link", "set", "dev", "eth0", "up")
			there.Address(t, ip4(9)+"/24", ip6(9)+"/64")
			m := who{9, "red"}
			from.move(m, false)
			to.move(m, true)
			if first == "where it goes" {
				to.both(t, from, m) // both facts are wanted for a while, and who serves stays
				to.sync(t, from)
				from.sync(t, to)
			} else {
				from.both(t, to, m)
				from.sync(t, to)
				to.sync(t, from)
			}
			far.Reaches(t, ip4(9))
			fixed.Reaches(t, ip4(9))
			far.Reaches(t, ip6(9))
			answers, lost := stop()
			t.Logf("%s moved from %s to %s, told first: %s: %d of %d pings lost, which is %d ms of %v", ip4(9), from.name, to.name, first, lost, answers+lost, 50*lost, time.Since(began).Round(time.Millisecond))
			require.Less(t, 50*lost, 5000)
			a.settled(t, b)
			b.settled(t, a)
		}
	}
}

const (
	red  = 100
	blue = 1<<24 - 1
)

// A who is a host: its last byte, and its network.
type who struct {
	n   byte
	net string
}

func (w who) vni() uint32 { return map[string]uint32{"red": red, "blue": blue}[w.net] }
func (w who) eid() gpe.EID {
	return gpe.MACEID(vppnet.MAC{2, 0, 0, 0, byte(w.vni()), w.n})
}

func ip4(n byte) string { return fmt.Sprintf("10.0.0.%d", n) }
func ip6(n byte) string { return fmt.Sprintf("fd00:99::%d", n) }

// A node is a VPP of an overlay.
type node struct {
	name  string
	ns    netrig.NetNS
	addr  netip.Prefix
	e     *desiredstate.Engine
	ports []desiredstate.Object

	lives, elsewhere []who
}

func newNode(t *testing.T, name string, addr netip.Prefix) *node {
	return &node{name: name, ns: netrig.New(t, name), addr: addr}
}

func (n *node) host(t *testing.T, name string, last byte, network string) netrig.NetNS {
	h := netrig.New(t, name)
	netrig.Veth(t, n.ns, name, h, "eth0")
	w := who{last, network}
	h.IP(t, "link", "set", "dev", "eth0", "address", w.eid().String())
	if !(name == "mover" && n.name == "b") { // it begins at a
		h.Address(t, ip4(last)+"/24", ip6(last)+"/64")
	} else {
		h.IP(t, "link", "set", "dev", "eth0", "down")
	}
	n.ports = append(n.ports, vppnet.HostInterface{Name: name, Device: name}, vppnet.LinkState{Interface: name, Up: true}, vppnet.BridgePort{Bridge: network, Interface: name})
	return h
}

func (n *node) start(t *testing.T) {
	c := kindrig.Dial(t, vpptest.Real(t, vpptest.InNetNS(string(n.ns))).Socket(), n.name)
	n.e = desiredstate.New(append(kinds(c), gpe.Overlays(c))...)
}

// wants is all that a node is to have, if these live at it and those at the other one.
func (n *node) wants(other *node, lives, elsewhere []who) []desiredstate.Object {
	all := append([]desiredstate.Object{
		vppnet.HostInterface{Name: "wire", Device: "wire"},
		vppnet.LinkState{Interface: "wire", Up: true},
		l3.Address{Interface: "wire", Prefix: n.addr},
		vppnet.BridgeDomain{Name: "red"},
		vppnet.BridgeDomain{Name: "blue"},
		gpe.Overlay{},
		gpe.VNI{ID: red, Bridge: "red"},
		gpe.VNI{ID: blue, Bridge: "blue"},
		gpe.LocatorSet{Name: "here", Locators: []gpe.Locator{{Interface: "wire"}}, After: []desiredstate.Key{l3.AddressKey("wire", n.addr), vppnet.LinkKey("wire")}},
	}, n.ports...)
	for _, w := range lives {
		all = append(all, gpe.LocalEID{VNI: w.vni(), EID: w.eid(), LocatorSet: "here"})
	}
	for _, w := range elsewhere {
		all = append(all, gpe.RemoteEID{VNI: w.vni(), EID: w.eid(), Locators: []gpe.RemoteLocator{{Address: other.addr.Addr(), Priority: 1, Weight: 1}}})
	}
	for _, w := range append(append([]who(nil), lives...), elsewhere...) { // who lives here is asked for from here, too
		for _, addr := range []string{ip4(w.n), ip6(w.n)} {
			all = append(all, gpe.ARPEntry{Bridge: w.net, Address: netip.MustParseAddr(addr), MAC: w.eid().MAC})
		}
	}
	return all
}

func (n *node) sync(t *testing.T, other *node) {
	t.Helper()
	_, err := n.e.Sync(t.Context(), n.wants(other, n.lives, n.elsewhere)...)
	require.NoError(t, err)
}

// both has the node be told that somebody is here and elsewhere.
func (n *node) both(t *testing.T, other *node, m who) {
	t.Helper()
	want := n.wants(other, n.lives, n.elsewhere)
	var more desiredstate.Object = gpe.RemoteEID{VNI: m.vni(), EID: m.eid(), Locators: []gpe.RemoteLocator{{Address: other.addr.Addr(), Priority: 1, Weight: 1}}}
	for _, w := range n.elsewhere {
		if w == m {
			more = gpe.LocalEID{VNI: m.vni(), EID: m.eid(), LocatorSet: "here"}
		}
	}
	_, err := n.e.Sync(t.Context(), append(want, more)...)
	require.ErrorIs(t, err, desiredstate.ErrConflict)
}

func (n *node) move(m who, here bool) {
	drop := func(all []who) (out []who) {
		for _, w := range all {
			if w != m {
				out = append(out, w)
			}
		}
		return out
	}
	n.lives, n.elsewhere = drop(n.lives), drop(n.elsewhere)
	if here {
		n.lives = append(n.lives, m)
	} else {
		n.elsewhere = append(n.elsewhere, m)
	}
}

// settled demands that whoever looks anew finds nothing to do.
func (n *node) settled(t *testing.T, other *node) {
	t.Helper()
	n.e.Forget()
	r, err := n.e.Sync(t.Context(), n.wants(other, n.lives, n.elsewhere)...)
	require.NoError(t, err)
	require.Zero(t, r.Changed(), "%v", r)
}
