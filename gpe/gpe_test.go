// SPDX-License-Identifier: Apache-2.0

package gpe_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/lisp"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func both(t *testing.T, f func(t *testing.T, socket string)) {
	t.Run("in memory", func(t *testing.T) { f(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { f(t, vpptest.Real(t).Socket()) })
}

func everything(c *vppnet.Conn) *desiredstate.Engine {
	e := desiredstate.New(append(kinds(c), gpe.Overlays(c), l3.Memberships(c))...)
	e.MaxPrune = 1
	return e
}

// Of two owners who want overlays, the last to leave turns them off; modes are those of who
// came first.
func TestSharedOverlay(t *testing.T) {
	both(t, func(t *testing.T, socket string) {
		on := func(c *vppnet.Conn) bool {
			c.Uses(&lisp.ShowLispStatus{})
			r, err := lisp.NewServiceClient(c).ShowLispStatus(t.Context(), &lisp.ShowLispStatus{})
			require.NoError(t, err)
			return r.IsLispEnabled
		}
		a, b := kindrig.Dial(t, socket, "a"), kindrig.Dial(t, socket, "b")
		ea, eb := everything(a), everything(b)
		set := gpe.LocatorSet{Name: "x", Locators: []gpe.Locator{{Interface: "lo"}}}
		_, err := ea.Sync(t.Context(), gpe.Overlay{}, vppnet.Loopback{Name: "lo"}, set)
		require.NoError(t, err)
		_, err = eb.Sync(t.Context(), gpe.Overlay{PETR: true})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		_, err = eb.Sync(t.Context(), gpe.Overlay{}, vppnet.Loopback{Name: "lo"}, set)
		require.NoError(t, err)
		// Neither of them changes what both have.
		for _, x := range []struct {
			e *desiredstate.Engine
			o gpe.Overlay
		}{{ea, gpe.Overlay{PETR: true}}, {eb, gpe.Overlay{VXLAN: true}}} {
			_, err = x.e.Ensure(t.Context(), x.o)
			require.ErrorIs(t, err, desiredstate.ErrForeign)
			for _, e := range []*desiredstate.Engine{ea, eb} {
				e.Forget()
				p, err := e.Plan(t.Context(), gpe.Overlay{}, vppnet.Loopback{Name: "lo"}, set)
				require.NoError(t, err)
				require.Empty(t, p.Steps, "%s", p)
			}
		}
		_, err = ea.Sync(t.Context())
		require.NoError(t, err)
		require.True(t, on(a), "it is in use")
		r, err := eb.Sync(t.Context(), gpe.Overlay{}, vppnet.Loopback{Name: "lo"}, set)
		require.NoError(t, err)
		require.Zero(t, r.Changed())
		_, err = eb.Sync(t.Context())
		require.NoError(t, err)
		require.False(t, on(a))
	})
}

// An overlay of a bridge domain is not pruned by the kind of its ports, nor one of a table
// by the kind of what is in that; prefixes are EIDs as MACs are.
func TestBesideOtherKinds(t *testing.T) {
	both(t, func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		lan, far := gpe.PrefixEID(netip.MustParsePrefix("10.0.0.0/24")), gpe.PrefixEID(netip.MustParsePrefix("2001:db8:7::/48"))
		want := []desiredstate.Object{
			gpe.Overlay{VXLAN: true},
			vppnet.Loopback{Name: "lo"},
			gpe.LocatorSet{Name: "x", Locators: []gpe.Locator{{Interface: "lo", Priority: 1}}},
			vppnet.BridgeDomain{Name: "net"},
			gpe.VNI{ID: 5, Bridge: "net"},
			l3.Table{Name: "red"},
			gpe.VNI{ID: 5, Table: "red"},
			gpe.LocalEID{VNI: 5, EID: lan, LocatorSet: "x"},
			gpe.LocalEID{VNI: 5, EID: gpe.MACEID(kindrig.MAC(1)), LocatorSet: "x"},
			gpe.RemoteEID{VNI: 5, EID: far, Locators: []gpe.RemoteLocator{{Address: netip.MustParseAddr("203.0.113.7"), Weight: 1}}, From: lan},
			gpe.RemoteEID{VNI: 5, EID: gpe.MACEID(kindrig.MAC(2))},
		}
		_, err := everything(c).Sync(t.Context(), want...)
		require.NoError(t, err)
		for range 2 {
			r, err := everything(c).Sync(t.Context(), want...)
			require.NoError(t, err)
			require.Zero(t, r.Changed(), "%v", r)
		}
		_, err = everything(c).Ensure(t.Context(), gpe.Overlay{})
		require.ErrorContains(t, err, "something is forwarded: remove the remote EIDs first")
		_, err = everything(c).Sync(t.Context(), want[:5]...)
		require.NoError(t, err, "VPP keeps the table, but not what was in it")
	})
}

// What VPP would take for something else is refused.
func TestInterfaceOfTheOtherSort(t *testing.T) {
	both(t, func(t *testing.T, socket string) {
		e := everything(kindrig.Dial(t, socket, "me"))
		_, err := e.Ensure(t.Context(), gpe.Overlay{}, l3.Table{Name: "red"}, gpe.VNI{ID: 5, Table: "red"}, vppnet.BridgeDomain{Name: "net"})
		require.NoError(t, err)
		_, err = e.Remove(t.Context(), gpe.TableVNIKey(5))
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), gpe.VNI{ID: 6, Bridge: "net"})
		require.ErrorContains(t, err, "that was a LISP_GPE, and it has to be a L2_LISP_GPE")
		e.Forget()
		found, err := e.Found(t.Context())
		require.NoError(t, err)
		for _, f := range found {
			require.NotEqual(t, gpe.BridgeVNIKey(6), f.Key, "it is left half-made")
		}
		_, err = e.Ensure(t.Context(), gpe.VNI{ID: 7, Table: "red"})
		require.NoError(t, err)
	})
}

func TestValidate(t *testing.T) {
	one := []gpe.RemoteLocator{{Address: netip.MustParseAddr("192.0.2.1")}}
	eid := gpe.MACEID(kindrig.MAC(1))
	for why, o := range map[string]desiredstate.Object{
		"VNI 0, want 1 to 16777215":          gpe.VNI{Bridge: "net"},
		"VNI 16777216":                       gpe.VNI{ID: 1 << 24, Bridge: "net"},
		"bridge domain and table: want one":  gpe.VNI{ID: 1, Bridge: "net", Table: "red"},
		"no bridge domain, and no table":     gpe.VNI{ID: 1},
		"the default one, which VPP refuses": gpe.VNI{ID: 1, Table: "vpp:0"},
		"no locators":                        gpe.LocatorSet{Name: "x"},
		"want each interface once, in order": gpe.LocatorSet{Name: "x", Locators: []gpe.Locator{{Interface: "b"}, {Interface: "a"}}},
		"local0, which has no address":       gpe.LocatorSet{Name: "x", Locators: []gpe.Locator{{Interface: "vpp:local0"}}},
		"EID has no MAC, and no prefix":      gpe.LocalEID{VNI: 1, LocatorSet: "x"},
		"multicast":                          gpe.LocalEID{VNI: 1, EID: gpe.MACEID(vppnet.MAC{1}), LocatorSet: "x"},
		"want 10.0.0.0/8":                    gpe.LocalEID{VNI: 1, EID: gpe.PrefixEID(netip.MustParsePrefix("10.1.0.0/8")), LocatorSet: "x"},
		"locator set":                        gpe.LocalEID{VNI: 1, EID: eid},
		"want a unicast address":             gpe.RemoteEID{VNI: 1, EID: eid, Locators: []gpe.RemoteLocator{{Address: netip.MustParseAddr("224.0.0.1")}}},
		"is there twice":                     gpe.RemoteEID{VNI: 1, EID: eid, Locators: append(one, one...)},
		"want another EID of the same sort":  gpe.RemoteEID{VNI: 1, EID: eid, From: eid},
		"MAC is not set":                     gpe.ARPEntry{Bridge: "net", Address: netip.MustParseAddr("10.0.0.1")},
		"want a unicast one":                 gpe.ARPEntry{Bridge: "net", MAC: kindrig.MAC(1)},
	} {
		require.ErrorContains(t, o.Validate(), why)
	}
}

func TestEIDText(t *testing.T) {
	for _, text := range []string{`"02:00:00:00:00:01"`, `"10.0.0.0/24"`, `"2001:db8::/32"`, `""`} {
		var e gpe.EID
		require.NoError(t, json.Unmarshal([]byte(text), &e))
		again, err := json.Marshal(e)
		require.NoError(t, err)
		require.Equal(t, text, string(again))
	}
	var e gpe.EID
	require.Error(t, json.Unmarshal([]byte(`"somebody"`), &e))
}
