// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// wires are all kinds of this package that lead elsewhere.
func wires(c *vppnet.Conn) *desiredstate.Engine {
	e := desiredstate.New(
		vppnet.Loopbacks(c), vppnet.LinkStates(c), l3.Tables(c),
		vppnet.MemifSockets(c, "/run/memif"), vppnet.Memifs(c), vppnet.VXLANTunnels(c, l3.Tables(c)), vppnet.Mirrors(c), vppnet.GRETunnels(c, l3.Tables(c)), vppnet.TAPs(c), vppnet.CrossConnects(c),
	)
	e.MaxPrune, e.Parallel = 1, 1
	return e
}

func allWires() []desiredstate.Object {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	return []desiredstate.Object{
		vppnet.Loopback{Name: "lo"},
		l3.Table{Name: "blue"},
		vppnet.MemifSocket{Path: "/run/memif/a"},
		vppnet.MemifSocket{Path: "/run/memif/b", ID: 7},
		vppnet.Memif{Name: "master", Socket: "/run/memif/a", MAC: mac(1), Secret: vppnet.NewSecret("one")},
		vppnet.Memif{Name: "slave", Socket: "/run/memif/b", ID: 1, Slave: true, RingSize: 256},
		vppnet.Memif{Name: "packets", Socket: "/run/memif/b", ID: 2, Slave: true, IP: true},
		vppnet.VXLANTunnel{Name: "vxlan", Src: a, Dst: b, VNI: 7, Table: "blue"},
		vppnet.VXLANTunnel{Name: "group", Src: a, Dst: netip.MustParseAddr("239.0.0.1"), Group: "lo", Payload: vppnet.Packets4},
		vppnet.GRETunnel{Name: "gre", Src: a, Dst: b},
		vppnet.GRETunnel{Name: "erspan", Src: a, Dst: b, Type: vppnet.GREMirror, Session: 7, Table: "blue"},
		vppnet.TAP{Name: "tap", MAC: mac(2), RxQueues: 2, Host: vppnet.TAPHost{Device: "tap7", Gateway4: b}},
		vppnet.CrossConnect{From: "vxlan", To: "lo"},
		vppnet.Mirror{From: "lo", To: "vxlan"},
		vppnet.Mirror{From: "lo", To: "master", NoTx: true, L2: true},
	}
}

// Whatever is wanted after a crash at whatever message, nothing of ours is left; and if the
// same is wanted, it is there.
func TestWiresSurviveDeath(t *testing.T) {
	want := allWires()
	for _, kind := range []vpptest.FaultKind{vpptest.CutBefore, vpptest.CutAfter} {
		for _, again := range [][]desiredstate.Object{nil, want} {
			for nth := 1; ; nth++ {
				vpp := vpptest.New(t)
				empty := vpp.String()
				mortal := wires(dialVPP(t, vpp.Socket()))
				vpp.Inject(vpptest.Fault{Kind: kind, Nth: nth})
				_, died := mortal.Sync(t.Context(), want...)
				vpp.Heal()
				if again != nil {
					_, err := wires(dialVPP(t, vpp.Socket())).Sync(t.Context(), slices.Clone(again)...)
					require.NoError(t, err, "%v %d", kind, nth)
					p, err := wires(dialVPP(t, vpp.Socket())).Plan(t.Context(), again...)
					require.NoError(t, err)
					require.True(t, p.Empty(), "%v %d: %s", kind, nth, p)
				}
				_, err := wires(dialVPP(t, vpp.Socket())).Sync(t.Context())
				require.NoError(t, err, "%v %d", kind, nth)
				require.Equal(t, empty, vpp.String(), "%v %d", kind, nth)
				if died == nil {
					require.Greater(t, nth, 20)
					break
				}
			}
		}
	}
}
