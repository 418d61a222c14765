// SPDX-License-Identifier: Apache-2.0

package gpe_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/lisp_gpe"
	"go.fd.io/govpp/binapi/lisp_types"
	"go.fd.io/govpp/binapi/one"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// foreignOverlays are what others may have that no kind of ours makes, or not so, each alone, with what they turn on for it.
func foreignOverlays(on api.Message) map[string][]api.Message {
	eid := func(n byte) lisp_types.Eid {
		return lisp_types.Eid{Type: lisp_types.EID_TYPE_API_MAC, Address: lisp_types.EidAddressUnionMac(ethernet_types.MacAddress{2, 0, 0, 0, 0, n})}
	}
	prefix := lisp_types.EidAddressUnionPrefix(ip_types.Prefix{Address: ip_types.Address{Un: ip_types.AddressUnionIP4(ip_types.IP4Address{10})}, Len: 8})
	return map[string][]api.Message{
		"an entry":           {on, &lisp_gpe.GpeAddDelFwdEntry{IsAdd: true, RmtEid: eid(1), LclEid: eid(2), Vni: 9, DpTable: 7, Action: 2}},
		"an interface":       {on, &lisp_gpe.GpeAddDelIface{IsAdd: true, IsL2: true, Vni: 9, DpTable: 7}},
		"an EID of no table": {&lisp.LispEnableDisable{IsEnable: true}, on, &one.OneAddDelRemoteMapping{IsAdd: true, Deid: lisp_types.Eid{Type: lisp_types.EID_TYPE_API_PREFIX, Address: prefix}}},
	}
}

// takesOverlays has the in-memory VPP take those that it does not know, and tell of them.
func takesOverlays(vpp *vpptest.VPP) {
	var forwards bool
	vpptest.Handle(vpp, func(*vpptest.Call, *lisp_gpe.GpeAddDelFwdEntry) *lisp_gpe.GpeAddDelFwdEntryReply {
		forwards = true
		return new(lisp_gpe.GpeAddDelFwdEntryReply)
	})
	vpptest.Handle(vpp, func(*vpptest.Call, *lisp_gpe.GpeFwdEntryVnisGet) *lisp_gpe.GpeFwdEntryVnisGetReply {
		if forwards {
			return &lisp_gpe.GpeFwdEntryVnisGetReply{Count: 1, Vnis: []uint32{9}}
		}
		return new(lisp_gpe.GpeFwdEntryVnisGetReply)
	})
	vpptest.Handle(vpp, func(c *vpptest.Call, _ *lisp_gpe.GpeAddDelIface) *lisp_gpe.GpeAddDelIfaceReply {
		c.AddInterface(vpptest.NewInterface{Name: "l2_lisp_gpe9", DevType: "L2_LISP_GPE", Up: true, NotEthernet: true})
		return new(lisp_gpe.GpeAddDelIfaceReply)
	})
}

// Overlays are not turned off beside what others have in them, of whatever sort, and are theirs then.
func TestRestOfOthersKeepsOverlaysOn(t *testing.T) {
	all := &lisp.LispEnableDisable{IsEnable: true}
	for what, made := range foreignOverlays(all) {
		t.Run(what, func(t *testing.T) {
			state := func(p *vpptest.Proxy) string {
				return p.State(&lisp_gpe.GpeFwdEntryVnisGet{}, &lisp.LispEidTableDump{}, &lisp_gpe.GpeGetEncapMode{})
			}
			kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
				if m, is := vpp.(*vpptest.VPP); is {
					takesOverlays(m)
				} else { // what forwards is on alone, where that suffices
					made = foreignOverlays(&lisp_gpe.GpeEnableDisable{IsEnable: true})[what]
				}
				c, them := kindrig.Dial(t, vpp.Socket(), "me"), kindrig.Dial(t, vpp.Socket(), "stranger")
				_, err := everything(them).Ensure(t.Context(), vppnet.BridgeDomain{Name: "b", ID: 7})
				require.NoError(t, err)
				them.Uses(made...)
				_, err = vppnet.Ask(t.Context(), them, made...)
				require.NoError(t, err)

				e := desiredstate.New(gpe.Overlays(c))
				e.MaxPrune = 1
				_, err = e.Ensure(t.Context(), gpe.Overlay{PETR: true})
				require.ErrorIs(t, err, desiredstate.ErrForeign)
				e.Forget()
				_, err = e.Ensure(t.Context(), gpe.Overlay{})
				require.NoError(t, err)
				_, err = e.Remove(t.Context(), gpe.OverlayKey())
				require.NoError(t, err)

				// Another program finds them on, and that they are not its own.
				r, err := desiredstate.New(gpe.Overlays(kindrig.Dial(t, vpp.Socket(), "me"))).Sync(t.Context())
				require.NoError(t, err)
				require.Zero(t, r.Changed(), "%v", r)
				them.Uses(&lisp.ShowLispStatus{})
				status, err := lisp.NewServiceClient(them).ShowLispStatus(t.Context(), &lisp.ShowLispStatus{})
				require.NoError(t, err)
				require.True(t, status.IsLispEnabled)
			})
		})
	}
}
