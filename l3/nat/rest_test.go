// SPDX-License-Identifier: Apache-2.0

package nat_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/nat44_ed"
	"go.fd.io/govpp/binapi/nat44_ei"
	"go.fd.io/govpp/binapi/nat_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// foreignRest are what others may have in NAT that no kind of ours makes, or not so, each alone.
func foreignRest(v nat.Variant, loop interface_types.InterfaceIndex) map[string][]api.Message {
	host := func(last byte) ip_types.IP4Address { return ip_types.IP4Address{10, 9, 0, last} }
	if v == nat.EndpointIndependent {
		return map[string][]api.Message{
			"an interface's addresses":            {&nat44_ei.Nat44EiAddDelInterfaceAddr{IsAdd: true, SwIfIndex: loop}},
			"a mapping by an interface's address": {&nat44_ei.Nat44EiAddDelStaticMapping{IsAdd: true, Flags: nat44_ei.NAT44_EI_ADDR_ONLY_MAPPING, LocalIPAddress: host(1), ExternalSwIfIndex: loop}},
		}
	}
	return map[string][]api.Message{
		"an interface's addresses":            {&nat44_ed.Nat44AddDelInterfaceAddr{IsAdd: true, SwIfIndex: loop}},
		"a mapping by an interface's address": {&nat44_ed.Nat44AddDelStaticMappingV2{IsAdd: true, Flags: nat_types.NAT_IS_ADDR_ONLY, LocalIPAddress: host(1), ExternalSwIfIndex: loop}},
		"an exit":                             {&nat44_ed.Nat44EdAddDelVrfTable{IsAdd: true, TableVrfID: 99}},
		"a mapping to several hosts": {&nat44_ed.Nat44AddDelLbStaticMapping{
			IsAdd: true, Flags: nat_types.NAT_IS_OUT2IN_ONLY, ExternalAddr: ip_types.IP4Address{203, 0, 113, 7}, ExternalPort: 80, Protocol: 6,
			Locals: []nat44_ed.Nat44LbAddrPort{{Addr: host(1), Port: 80, Probability: 50}, {Addr: host(2), Port: 80, Probability: 50}},
		}},
	}
}

// takesRest has the in-memory VPP take those that it does not know, and tell of them.
func takesRest(vpp *vpptest.VPP) {
	takes[nat44_ed.Nat44AddDelLbStaticMapping, nat44_ed.Nat44AddDelLbStaticMappingReply, nat44_ed.Nat44LbStaticMappingDump](vpp, nat44_ed.Nat44LbStaticMappingDetails{ExternalPort: 80, Protocol: 6})
	takes[nat44_ed.Nat44AddDelInterfaceAddr, nat44_ed.Nat44AddDelInterfaceAddrReply, nat44_ed.Nat44InterfaceAddrDump](vpp, nat44_ed.Nat44InterfaceAddrDetails{SwIfIndex: 1})
	takes[nat44_ei.Nat44EiAddDelInterfaceAddr, nat44_ei.Nat44EiAddDelInterfaceAddrReply, nat44_ei.Nat44EiInterfaceAddrDump](vpp, nat44_ei.Nat44EiInterfaceAddrDetails{SwIfIndex: 1})
}

// takes has it take a message Q, with R, and tell of d from then on, if asked by a dump P.
func takes[Q, R, P, D any, PQ vpptest.Message[Q], PR vpptest.Message[R], PP vpptest.Message[P], PD vpptest.Message[D]](vpp *vpptest.VPP, d D) {
	var made []*D
	vpptest.Handle[Q, R, PQ, PR](vpp, func(*vpptest.Call, *Q) *R { made = []*D{&d}; return new(R) })
	vpptest.HandleDump[P, D, PP, PD](vpp, func(*vpptest.Call, *P) []*D { return made })
}

// NAT is not turned off beside what others have in it, of whatever sort: not to begin anew, and not when ours is removed.
func TestRestOfOthersKeepsNATOn(t *testing.T) {
	for _, v := range natVariants {
		for what := range foreignRest(v, 0) {
			t.Run(v.String()+", "+what, func(t *testing.T) {
				kindrig.Both(t, natState, func(t *testing.T, target vpptest.Target, _ func() string) {
					if vpp, is := target.(*vpptest.VPP); is {
						takesRest(vpp)
					}
					c, them := kindrig.Dial(t, target.Socket(), "me"), kindrig.Dial(t, target.Socket(), "stranger")
					theirs, err := desiredstate.New(vppnet.Loopbacks(them), l3.Tables(them)).Ensure(t.Context(), vppnet.Loopback{Name: "a"}, l3.Table{Name: "theirs", ID: 99})
					require.NoError(t, err)
					loop, _ := theirs.Of(vppnet.Loopback{Name: "a"}.Key())

					e := desiredstate.New(nat.Plugins(c, v))
					_, err = e.Sync(t.Context(), nat.Plugin{Sessions: 1000})
					require.NoError(t, err)
					made := foreignRest(v, interface_types.InterfaceIndex(loop.ID))[what]
					them.Uses(made...)
					_, err = vppnet.Ask(t.Context(), them, made...)
					require.NoError(t, err)
					_, err = e.Sync(t.Context(), nat.Plugin{Sessions: 2000, Restart: true})
					require.ErrorIs(t, err, desiredstate.ErrForeign)
					require.ErrorContains(t, err, what)
					_, err = e.Remove(t.Context(), nat.PluginKey())
					require.NoError(t, err)

					// Another program finds NAT on, and that it is not its own.
					found, err := desiredstate.New(nat.Plugins(kindrig.Dial(t, target.Socket(), "me"), v)).Found(t.Context())
					require.NoError(t, err)
					require.False(t, slices.ContainsFunc(found, func(f desiredstate.Found) bool { return f.Key == nat.PluginKey() }), "%v", found)
					_, err = desiredstate.New(nat.Plugins(c, v)).Ensure(t.Context(), nat.Plugin{Sessions: 3000})
					require.ErrorIs(t, err, desiredstate.ErrForeign, "NAT is on")
				})
			})
		}
	}
}
