// SPDX-License-Identifier: Apache-2.0

package gpe_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/lisp_gpe"
	"go.fd.io/govpp/binapi/one"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// All kinds keep the laws, on both VPPs.

// Nobody else has overlays here: who has, shares them, see TestSharedOverlay.
func TestLawsOfOverlays(t *testing.T) {
	laws(t, gpe.Overlays, nil, false, rapid.Custom(func(t *rapid.T) gpe.Overlay {
		return gpe.Overlay{VXLAN: kindrig.Pick(t, "VXLAN", false, true), PETR: kindrig.Pick(t, "PETR", false, true)}
	}))
}

func TestLawsOfVNIs(t *testing.T) {
	base := []desiredstate.Object{vppnet.BridgeDomain{Name: "net"}, vppnet.BridgeDomain{Name: "other"}}
	laws(t, vnis, base, true, rapid.Custom(func(t *rapid.T) gpe.VNI {
		return gpe.VNI{ID: kindrig.Pick[uint32](t, "ID", 1, 100, 1<<24-1), Bridge: kindrig.Pick(t, "bridge", "net", "other")}
	}))
}

// VNIs of both sorts cannot come and go: VPP mixes up their interfaces, which VNIs refuse.
func TestLawsOfTableVNIs(t *testing.T) {
	base := []desiredstate.Object{l3.Table{Name: "red", ID: 70}, l3.Table{Name: "blue", ID: 71}}
	laws(t, vnis, base, true, rapid.Custom(func(t *rapid.T) gpe.VNI {
		return gpe.VNI{ID: kindrig.Pick[uint32](t, "ID", 1, 100, 1<<24-1), Table: kindrig.Pick(t, "table", "red", "blue")}
	}))
}

func vnis(c *vppnet.Conn) *desiredstate.Kind[gpe.VNI] { return gpe.VNIs(c) }

func TestLawsOfLocatorSets(t *testing.T) {
	base := []desiredstate.Object{vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"}, vppnet.Loopback{Name: "c"}}
	laws(t, gpe.LocatorSets, base, true, rapid.Custom(func(t *rapid.T) gpe.LocatorSet {
		s := gpe.LocatorSet{Name: kindrig.Pick(t, "name", "x", "y")}
		for _, iface := range []string{"a", "b", "c", "stranger/lo"} {
			if kindrig.Pick(t, iface, false, true) || iface == "stranger/lo" && len(s.Locators) == 0 {
				s.Locators = append(s.Locators, gpe.Locator{Interface: iface, Priority: kindrig.Pick[uint8](t, "priority", 0, 1, 255), Weight: kindrig.Pick[uint8](t, "weight", 0, 9)})
			}
		}
		if kindrig.Pick(t, "after", false, true) {
			s.After = []desiredstate.Key{vppnet.InterfaceKey("a")}
		}
		return s
	}))
}

// world is a network of MACs, or of prefixes, and two places.
func world(network ...desiredstate.Object) []desiredstate.Object {
	return append(network,
		vppnet.Loopback{Name: "under"},
		gpe.LocatorSet{Name: "here", Locators: []gpe.Locator{{Interface: "under"}}},
		gpe.LocatorSet{Name: "there", Locators: []gpe.Locator{{Interface: "under", Weight: 1}}},
	)
}

// sorts are those of EIDs: who is here, and who elsewhere. Of prefixes some are in others.
var sorts = map[string]struct {
	network         []desiredstate.Object
	here, elsewhere []string
}{
	"MACs": {
		[]desiredstate.Object{vppnet.BridgeDomain{Name: "net"}, gpe.VNI{ID: 100, Bridge: "net"}},
		[]string{"02:00:00:00:00:01", "02:00:00:00:00:02"},
		[]string{"02:00:00:00:00:0b", "02:00:00:00:00:0c"},
	},
	"prefixes": {
		[]desiredstate.Object{l3.Table{Name: "red", ID: 70}, gpe.VNI{ID: 100, Table: "red"}},
		[]string{"10.1.0.0/16", "2001:db8:1::/48"},
		[]string{"10.0.0.0/8", "10.1.1.7/32", "10.2.0.0/16", "2001:db8::/32", "2001:db8:1:1::7/128"},
	},
}

// eid draws one.
func eid(t *rapid.T, label string, from []string) gpe.EID {
	return eidOf(kindrig.Pick(t, label, from...))
}

func eidOf(text string) (e gpe.EID) {
	if err := e.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return e
}

func TestLawsOfLocalEIDs(t *testing.T) {
	for name, sort := range sorts {
		t.Run(name, func(t *testing.T) {
			laws(t, gpe.LocalEIDs, world(sort.network...), true, rapid.Custom(func(t *rapid.T) gpe.LocalEID {
				return gpe.LocalEID{VNI: 100, EID: eid(t, "EID", sort.here), LocatorSet: kindrig.Pick(t, "set", "here", "there")}
			}))
		})
	}
}

func TestLawsOfRemoteEIDs(t *testing.T) {
	for name, sort := range sorts {
		t.Run(name, func(t *testing.T) {
			base := world(sort.network...)
			for i, text := range sort.here {
				base = append(base, gpe.LocalEID{VNI: 100, EID: eidOf(text), LocatorSet: []string{"here", "there"}[i%2]})
			}
			laws(t, gpe.RemoteEIDs, base, true, rapid.Custom(func(t *rapid.T) gpe.RemoteEID {
				r := gpe.RemoteEID{VNI: 100, EID: eid(t, "EID", sort.elsewhere)}
				if kindrig.Pick(t, "is from", false, true) {
					r.From = eid(t, "from", sort.here)
				}
				for _, at := range []string{"203.0.113.2", "2001:db8::2"} {
					if kindrig.Pick(t, at, false, true) {
						r.Locators = append(r.Locators, gpe.RemoteLocator{Address: netip.MustParseAddr(at), Priority: kindrig.Pick[uint8](t, "priority", 0, 1), Weight: kindrig.Pick[uint8](t, "weight", 1, 2)})
					}
				}
				return r
			}))
		})
	}
}

func TestLawsOfARPEntries(t *testing.T) {
	base := []desiredstate.Object{vppnet.BridgeDomain{Name: "net"}, vppnet.BridgeDomain{Name: "other"}}
	laws(t, gpe.ARPEntries, base, true, rapid.Custom(func(t *rapid.T) gpe.ARPEntry {
		return gpe.ARPEntry{
			Bridge: kindrig.Pick(t, "bridge", "net", "other"), MAC: kindrig.MAC(kindrig.Pick[byte](t, "MAC", 1, 2)),
			Address: netip.MustParseAddr(kindrig.Pick(t, "address", "10.0.0.1", "10.0.0.2", "2001:db8::1", "fe80::1")),
		}
	}))
}

func laws[S desiredstate.Object](t *testing.T, kind func(*vppnet.Conn) *desiredstate.Kind[S], base []desiredstate.Object, crowded bool, gen *rapid.Generator[S]) {
	run := func(t *testing.T, checks int, patience time.Duration, vpp vpptest.Target, state func() string) {
		if crowded {
			stranger(t, vpp.Socket())
		}
		kindtest.Run(t, kindtest.Suite[S]{Gen: gen, Checks: checks, Open: func(t testing.TB) kindtest.World[S] {
			world := func(owner string) kindtest.World[S] {
				c := kindrig.Dial(t, vpp.Socket(), owner, vppnet.WithLostAfter(20*time.Millisecond))
				k := kind(c)
				if slices.ContainsFunc(base, isTable) {
					k.Target = nil // the law of sharing is about who reads alone, and would see the table that VPP keeps for good
				}
				return kindrig.World(vpp, state, k, base, kinds(c))
			}
			w := world("me")
			if crowded {
				w.Stranger = func() kindtest.World[S] { return world("namesake") }
			}
			return w
		}})
	}
	t.Parallel()
	for release, checks := range map[string]int{"": 4, "24.10": 1, "26.06": 1} {
		t.Run("in memory "+release, func(t *testing.T) {
			t.Parallel()
			vpp := vpptest.New(t, vpptest.Release(release))
			run(t, checks, 400*time.Millisecond, vpp, func() string {
				var lines []string
				for line := range strings.Lines(vpp.String()) {
					// Interfaces of VNIs stay, and are others' later; so does the table that they were in last.
					if !strings.Contains(line, "lisp_gpe") && !(strings.HasPrefix(line, "interface ") && strings.Contains(line, " tables ")) {
						lines = append(lines, line)
					}
				}
				return strings.Join(lines, "")
			})
		})
	}
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		vpp := vpptest.NewProxy(t, vpptest.Real(t).Socket())
		run(t, 3, 2*time.Second, vpp, func() string { // it makes room for all there may be when it is turned on
			dumps := []api.Message{
				&lisp.ShowLispStatus{}, &lisp_gpe.GpeGetEncapMode{}, &one.OneShowPetrMode{}, &lisp.LispLocatorSetDump{Filter: 1}, &lisp.LispEidTableDump{},
				&lisp.LispEidTableMapDump{IsL2: true}, &lisp.LispEidTableMapDump{}, &lisp.LispAdjacenciesGet{Vni: 100},
				&ip.IPTableDump{}, &l2.BridgeDomainDump{BdID: 1<<32 - 1, SwIfIndex: 1<<32 - 1},
			}
			for bd := range uint32(10) {
				dumps = append(dumps, &one.OneL2ArpEntriesGet{Bd: bd}, &one.OneNdpEntriesGet{Bd: bd})
			}
			return vpp.State(dumps...)
		})
	})
}

func isTable(o desiredstate.Object) bool { _, is := o.(l3.Table); return is }

// stranger turns overlays on, and has some of everything there.
func stranger(t *testing.T, socket string) {
	c := kindrig.Dial(t, socket, "stranger")
	_, err := desiredstate.New(append(kinds(c), gpe.Overlays(c))...).Ensure(t.Context(),
		gpe.Overlay{}, vppnet.Loopback{Name: "lo"}, vppnet.BridgeDomain{Name: "net"}, gpe.VNI{ID: 7, Bridge: "net"},
		gpe.LocatorSet{Name: "here", Locators: []gpe.Locator{{Interface: "lo"}}},
		gpe.LocalEID{VNI: 7, EID: gpe.MACEID(kindrig.MAC(1)), LocatorSet: "here"},
		gpe.RemoteEID{VNI: 7, EID: gpe.MACEID(kindrig.MAC(11)), Locators: []gpe.RemoteLocator{{Address: netip.MustParseAddr("203.0.113.9")}}, From: gpe.MACEID(kindrig.MAC(1))},
		gpe.ARPEntry{Bridge: "net", Address: netip.MustParseAddr("10.0.0.1"), MAC: kindrig.MAC(11)})
	require.NoError(t, err)
}

// kinds are those of this package but Overlays, and what they are tested with.
func kinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		gpe.VNIs(c), gpe.LocatorSets(c), gpe.LocalEIDs(c), gpe.RemoteEIDs(c), gpe.ARPEntries(c),
		vppnet.Loopbacks(c), vppnet.HostInterfaces(c), vppnet.LinkStates(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c),
		l3.Tables(c), l3.Addresses(c),
	}
}
