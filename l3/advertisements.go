// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip6_nd"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// RouterAdvertisements manages what our interfaces, those in tables of ours, and
// those that are claimed, advertise (sw_interface_ip6nd_ra_config, _ra_prefix).
// Everything changes in place; a prefix that changes is taken back for a moment,
// so that its lifetimes count anew.
//
// A reading costs a request for each of these interfaces, in one round trip.
func RouterAdvertisements(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[RouterAdvertisement] {
	k := advertisements{c, ip6_nd.NewServiceClient(c), claims}
	return place.Looking(c, claims, func(RouterAdvertisement) bool { return true }, &desiredstate.Kind[RouterAdvertisement]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "router-advertisement",
		Requires: Places(c),
		Deps:     func(x RouterAdvertisement) []desiredstate.Key { return k.Scope.Deps(x.Interface) },
		Shares:   func(x RouterAdvertisement) []desiredstate.Key { return vppnet.UseKeys(x.Interface) },
		Messages: c.Uses(&ip6_nd.SwInterfaceIP6ndRaDump{}, &ip6_nd.SwInterfaceIP6ndRaConfig{}, &ip6_nd.SwInterfaceIP6ndRaPrefix{}, &memclnt.ControlPing{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[RouterAdvertisement], err error) {
			var ids []uint32
			for i := range desiredstate.All[vppnet.Interface](v) {
				if k.In(v, i.ID, TableOf(v, i.ID, true)) {
					ids = append(ids, i.ID)
				}
			}
			all, err := k.read(ctx, ids...)
			for _, d := range all {
				if id := uint32(d.SwIfIndex); d.SendRadv {
					r := advertised(d)
					r.Interface = place.InterfaceName(v, id)
					a := desiredstate.Actual[RouterAdvertisement]{ID: id, Spec: r}
					if d.CeaseRadv {
						a.Broken = "it only says that it will say no more"
					}
					out = append(out, a)
				}
			}
			return out, err
		},
		Check: func(v *desiredstate.View, r RouterAdvertisement) error { return k.Check(v, r.Interface) },
		Create: func(ctx context.Context, v *desiredstate.View, r RouterAdvertisement) (uint32, error) {
			id, err := k.TakeStill(ctx, interfaces.NewServiceClient(c), v, r.Interface, true)
			if err != nil {
				return 0, err
			}
			// Something may be left of an earlier one.
			all, err := k.read(ctx, id)
			if err != nil {
				return 0, err
			}
			if len(all) == 0 {
				return 0, errors.New("the interface has no IPv6 address")
			}
			return id, k.set(ctx, id, all[0].CeaseRadv, advertised(all[0]), r)
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[RouterAdvertisement], want RouterAdvertisement) error {
			return k.set(ctx, have.ID, have.Broken != "", have.Spec, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[RouterAdvertisement]) error {
			return vppnet.Gone(k.clear(ctx, have.ID, have.Spec), api.INVALID_SW_IF_INDEX, api.IP6_NOT_ENABLED)
		},
		Fill: func(have desiredstate.Actual[RouterAdvertisement], want RouterAdvertisement) RouterAdvertisement {
			return want.over(have.Spec)
		},
	})
}

type advertisements struct {
	c   *vppnet.Conn
	vpp ip6_nd.RPCService
	place.Scope
}

func (k advertisements) read(ctx context.Context, ids ...uint32) ([]*ip6_nd.SwInterfaceIP6ndRaDetails, error) {
	var reqs []api.Message
	for _, id := range ids {
		reqs = append(reqs, &ip6_nd.SwInterfaceIP6ndRaDump{SwIfIndex: interface_types.InterfaceIndex(id)})
	}
	all, err := vppnet.Ask(ctx, k.c, reqs...)
	if err != nil {
		return nil, err
	}
	return vppnet.As[*ip6_nd.SwInterfaceIP6ndRaDetails](all)
}

// advertised is what VPP has, all of it said.
func advertised(d *ip6_nd.SwInterfaceIP6ndRaDetails) RouterAdvertisement {
	r := RouterAdvertisement{
		Managed: d.AdvManagedFlag, Other: d.AdvOtherFlag, NoDefaultRouter: d.AdvRouterLifetime == 0,
		NoLinkAddress: !d.AdvLinkLayerAddress, Unicast: d.SendUnicast,
		Lifetime:    time.Duration(d.AdvRouterLifetime) * time.Second,
		MaxInterval: time.Duration(d.MaxRadvInterval) * time.Second, MinInterval: time.Duration(d.MinRadvInterval) * time.Second,
	}
	for _, p := range d.Prefixes {
		a := AdvertisedPrefix{
			Prefix: inet.ReadPrefix(p.Prefix), NoAutonomous: !p.AutonomousFlag, OffLink: !p.OnlinkFlag,
			hidden: p.NoAdvertise || p.ValLifetime == 0 || p.PrefLifetime == 0,
		}
		if p.ValLifetime != forever {
			a.Valid, a.Preferred = time.Duration(p.ValLifetime)*time.Second, time.Duration(p.PrefLifetime)*time.Second
		}
		r.Prefixes = append(r.Prefixes, a)
	}
	return r.normal()
}

// set sends what differs. VPP sets a flag with one message and resets it with
// another.
func (k advertisements) set(ctx context.Context, id uint32, ceased bool, have, want RouterAdvertisement) error {
	want = want.over(have)
	flag := func(on bool) uint8 {
		if on {
			return 1
		}
		return 0
	}
	index := interface_types.InterfaceIndex(id)
	reset := ip6_nd.SwInterfaceIP6ndRaConfig{
		SwIfIndex: index, IsNo: true,
		Managed: flag(have.Managed && !want.Managed), Other: flag(have.Other && !want.Other),
		LlOption:    flag(have.NoLinkAddress && !want.NoLinkAddress),
		SendUnicast: flag(have.Unicast && !want.Unicast), Cease: flag(ceased),
	}
	if reset != (ip6_nd.SwInterfaceIP6ndRaConfig{SwIfIndex: index, IsNo: true}) {
		if _, err := k.vpp.SwInterfaceIP6ndRaConfig(ctx, &reset); err != nil {
			return err
		}
	}
	keep := prefixSet(want.Prefixes)
	for _, p := range have.Prefixes {
		if !keep[p] {
			if err := k.withdraw(ctx, index, p); err != nil {
				return err
			}
		}
	}
	there := prefixSet(have.Prefixes)
	for _, p := range want.Prefixes {
		if there[p] {
			continue
		}
		req := &ip6_nd.SwInterfaceIP6ndRaPrefix{
			SwIfIndex: index, Prefix: inet.Prefix(p.Prefix), NoAutoconfig: p.NoAutonomous, OffLink: p.OffLink,
			ValLifetime: forever, PrefLifetime: forever,
		}
		if p.Valid != 0 {
			req.ValLifetime, req.PrefLifetime = uint32(p.Valid/time.Second), uint32(p.Preferred/time.Second)
		}
		_, err := k.vpp.SwInterfaceIP6ndRaPrefix(ctx, req)
		if err != nil {
			return fmt.Errorf("prefix %v: %w", p.Prefix, err)
		}
	}
	// Last, because it is what turns advertising on.
	_, err := k.vpp.SwInterfaceIP6ndRaConfig(ctx, &ip6_nd.SwInterfaceIP6ndRaConfig{
		SwIfIndex: index, Managed: flag(want.Managed), Other: flag(want.Other),
		LlOption: flag(want.NoLinkAddress), SendUnicast: flag(want.Unicast),
		DefaultRouter: 1, Lifetime: uint32(want.Lifetime / time.Second),
		MaxInterval: uint32(want.MaxInterval / time.Second), MinInterval: uint32(want.MinInterval / time.Second),
	})
	return err
}

func prefixSet(all []AdvertisedPrefix) map[AdvertisedPrefix]bool {
	out := make(map[AdvertisedPrefix]bool, len(all))
	for _, p := range all {
		out[p] = true
	}
	return out
}

// clear makes everything as VPP made it, and silent. What dies in between is still
// seen to advertise.
func (k advertisements) clear(ctx context.Context, id uint32, have RouterAdvertisement) error {
	index := interface_types.InterfaceIndex(id)
	for _, p := range have.Prefixes {
		if err := k.withdraw(ctx, index, p); err != nil {
			return err
		}
	}
	_, err := k.vpp.SwInterfaceIP6ndRaConfig(ctx, &ip6_nd.SwInterfaceIP6ndRaConfig{
		SwIfIndex: index, IsNo: true, Managed: 1, Other: 1, LlOption: 1, SendUnicast: 1, Cease: 1,
		DefaultRouter: 1, Lifetime: 1, MaxInterval: 1, MinInterval: 1,
	})
	if err != nil {
		return err
	}
	_, err = k.vpp.SwInterfaceIP6ndRaConfig(ctx, &ip6_nd.SwInterfaceIP6ndRaConfig{SwIfIndex: index, Suppress: 1})
	return err
}

func (k advertisements) withdraw(ctx context.Context, index interface_types.InterfaceIndex, p AdvertisedPrefix) error {
	_, err := k.vpp.SwInterfaceIP6ndRaPrefix(ctx, &ip6_nd.SwInterfaceIP6ndRaPrefix{
		SwIfIndex: index, Prefix: inet.Prefix(p.Prefix), IsNo: true,
	})
	if err = vppnet.Gone(err, api.INVALID_VALUE); err != nil {
		return fmt.Errorf("prefix %v: %w", p.Prefix, err)
	}
	return nil
}
