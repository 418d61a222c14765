// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// loosely says the same as a rule in one of its other ways: what fits all can be written
// out, what a prefix tells be left out.
func loosely(t *rapid.T, r acl.Rule) acl.Rule {
	any := netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	icmp, ports := r.Protocol == acl.ICMP || r.Protocol == acl.ICMPv6, r.Protocol == acl.TCP || r.Protocol == acl.UDP
	if r.Family == acl.IPv4 {
		any = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	for _, p := range []*netip.Prefix{&r.Src, &r.Dst} {
		if !p.IsValid() && rapid.Bool().Draw(t, "any prefix") {
			*p = any
		}
	}
	out := func(ranges []*acl.Range, most uint16) {
		for _, x := range ranges {
			if x.IsZero() && rapid.Bool().Draw(t, "any range") {
				*x = acl.Between(0, most)
			}
		}
	}
	if ports {
		out([]*acl.Range{&r.SrcPorts, &r.DstPorts}, 65535)
	}
	if icmp {
		out([]*acl.Range{&r.ICMPTypes, &r.ICMPCodes}, 255)
	}
	if (r.Src.IsValid() || r.Dst.IsValid()) && rapid.Bool().Draw(t, "family by prefix") {
		r.Family = 0
	}
	return r
}

func looselyMACIP(t *rapid.T, r acl.MACIPRule) acl.MACIPRule {
	if !r.Src.IsValid() && rapid.Bool().Draw(t, "any prefix") {
		r.Src = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if r.Family == acl.IPv6 {
			r.Src = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	}
	if r.Mask.IsZero() && !r.MAC.IsZero() && rapid.Bool().Draw(t, "whole mask") {
		r.Mask = vppnet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	if r.Src.IsValid() && rapid.Bool().Draw(t, "family by prefix") {
		r.Family = 0
	}
	return r
}

// The handle that an object got when it was made is that by which it is found, and what
// was just made or changed is as it was wanted, in whatever way that was written.
func TestNothingDrifts(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		e := engine(c)
		e.MaxPrune = 1
		sets := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y"}), 0, 2, rapid.ID)
		types := rapid.SliceOfNDistinct(rapid.SampledFrom([]uint16{0x806, 0x88cc, 0x8847, 0xffff}), 0, 3, rapid.ID)
		rapid.Check(t, func(t *rapid.T) {
			iface := pick(t, "interface", "lo", "port")
			want := []desiredstate.Object{
				vppnet.BridgeDomain{Name: "net"},
				vppnet.Loopback{Name: "lo"},
				vppnet.Loopback{Name: "port"},
				vppnet.BridgePort{Bridge: "net", Interface: "port"},
			}
			for _, name := range []string{"x", "y"} {
				s, m := acl.Set{Name: name}, acl.MACIPSet{Name: name}
				for _, r := range rapid.SliceOfN(rapid.Custom(drawRule), 0, 4).Draw(t, "rules") {
					s.Rules = append(s.Rules, loosely(t, r))
				}
				draw := rapid.SliceOfN(rapid.Custom(drawMACIPRule), 1, 4).Filter(func(r []acl.MACIPRule) bool { return acl.MACIPSet{Name: "m", Rules: r}.Validate() == nil })
				for _, r := range draw.Draw(t, "sources") {
					m.Rules = append(m.Rules, looselyMACIP(t, r))
				}
				want = append(want, s, m)
			}
			if b := (acl.Binding{Interface: iface, Input: sets.Draw(t, "in"), Output: sets.Draw(t, "out"), After: after(iface)}); b.Validate() == nil {
				want = append(want, b)
			}
			if e := (acl.EtherTypes{Interface: iface, Input: types.Draw(t, "in"), Output: types.Draw(t, "out")}); e.Validate() == nil {
				want = append(want, e)
			}
			if set := rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "macip"); set != "" {
				want = append(want, acl.MACIPBinding{Interface: iface, Set: set, After: after(iface)})
			}
			made, err := e.Sync(t.Context(), want...)
			require.NoError(t, err)
			handles := func(r desiredstate.Report) map[desiredstate.Key]uint32 {
				ids := map[desiredstate.Key]uint32{}
				for _, x := range r {
					if x.Action != desiredstate.Delete {
						ids[x.Key] = x.ID
					}
				}
				return ids
			}
			for _, anew := range []*desiredstate.Engine{e, engine(c)} {
				anew.Forget()
				plan, err := anew.Plan(t.Context(), want...)
				require.NoError(t, err)
				require.Empty(t, plan.Steps, "%s\n%v\n%v", plan, made, want[8:])
				found, err := anew.Ensure(t.Context(), want...)
				require.NoError(t, err)
				require.Equal(t, handles(made), handles(found))
			}
		})
	})
}
