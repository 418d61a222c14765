// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"cmp"
	"context"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/feature"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l3xc"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// CrossConnect sends all packets of a family that come in by an interface the way of its
// paths, whatever the interface's table says: to a next hop on a link, to whoever is on a
// link, or the way to a next hop in a table.
type CrossConnect struct {
	Interface string
	IPv6      bool   // of IPv6; not of IPv4
	Paths     []Path // 1 to 255, in any order; neither local nor lookups in a table, with next hops of the family
}

// CrossConnectKey is the key of a CrossConnect.
func CrossConnectKey(iface string, ipv6 bool) desiredstate.Key {
	return desiredstate.Key{Space: "l3-cross-connect", Name: iface + " " + inet.Family(ipv6)}
}

// Key is CrossConnectKey(x.Interface, x.IPv6).
func (x CrossConnect) Key() desiredstate.Key { return CrossConnectKey(x.Interface, x.IPv6) }

// Deps lists the interface, and those and the tables of the paths.
func (x CrossConnect) Deps() []desiredstate.Key {
	deps := []desiredstate.Key{vppnet.InterfaceKey(x.Interface)}
	for _, p := range x.Paths {
		deps = p.deps(deps)
	}
	return deps
}

// Validate checks interface and paths.
func (x CrossConnect) Validate() error {
	if err := vppnet.CheckRef(place.InterfaceSpace, x.Interface); err != nil {
		return err
	}
	return checkWays(x.IPv6, x.Paths)
}

// CrossConnects manages L3 cross-connects (l3xc_update) of our interfaces, of those in tables
// of ours, and of those that are claimed. All that changes replaces: VPP lists new paths, and
// sends by the old ones.
//
// VPP keeps a cross-connect when its interface goes, and lists it for the next one with the
// same index, to no effect. Such a one of ours is seen, and made anew, if VPP can be asked
// whether it is in effect (from 25.06 on).
func CrossConnects(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[CrossConnect] {
	k := crossConnects{c, l3xc.NewServiceClient(c), claims}
	messages := []api.Message{&l3xc.L3xcUpdate{}, &l3xc.L3xcDel{}, &l3xc.L3xcDump{}, &memclnt.ControlPing{}}
	if iface.Asks(k.c) {
		messages = append(messages, &feature.FeatureIsEnabled{})
	}
	return place.Looking(c, claims, func(x CrossConnect) bool { return x.IPv6 }, &desiredstate.Kind[CrossConnect]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "l3-cross-connect",
		Requires: Places(c),
		Deps:     func(x CrossConnect) []desiredstate.Key { return place.Scope(claims).Deps(x.Interface) },
		Shares:   func(x CrossConnect) []desiredstate.Key { return vppnet.UseKeys(x.Interface) },
		Messages: c.Uses(messages...),
		Dump:     k.dump,
		Check: func(v *desiredstate.View, x CrossConnect) error {
			return cmp.Or(place.Scope(claims).Check(v, x.Interface), checkTables(v, x.IPv6, x.Paths))
		},
		Foresee: func(_ context.Context, v *desiredstate.View, _ uint32, x CrossConnect) error {
			_, err := wireWays(v, x.IPv6, x.Paths)
			return err
		},
		Create: func(ctx context.Context, v *desiredstate.View, x CrossConnect) (uint32, error) {
			id, err := place.Scope(claims).TakeStill(ctx, interfaces.NewServiceClient(c), v, x.Interface, x.IPv6)
			if err != nil {
				return 0, err
			}
			ways, err := wireWays(v, x.IPv6, x.Paths)
			if err != nil {
				return 0, err
			}
			_, err = k.vpp.L3xcUpdate(ctx, &l3xc.L3xcUpdate{L3xc: l3xc.L3xc{SwIfIndex: interface_types.InterfaceIndex(id), IsIP6: x.IPv6, Paths: ways}})
			return id, err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[CrossConnect]) error {
			_, err := k.vpp.L3xcDel(ctx, &l3xc.L3xcDel{SwIfIndex: interface_types.InterfaceIndex(have.ID), IsIP6: have.Spec.IPv6})
			return vppnet.Gone(err, api.INVALID_VALUE, api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[CrossConnect], want CrossConnect) CrossConnect {
			if samePaths(everything(want.IPv6), have.Spec.Paths, want.Paths) {
				want.Paths = have.Spec.Paths
			}
			return want
		},
	})
}

type crossConnects struct {
	c      *vppnet.Conn
	vpp    l3xc.RPCService
	claims []vppnet.Claim
}

func (k crossConnects) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[CrossConnect], err error) {
	all, err := vppnet.Collect(k.vpp.L3xcDump(ctx, &l3xc.L3xcDump{SwIfIndex: interface_types.InterfaceIndex(place.None)}))
	if err != nil {
		return nil, err
	}
	var requests []api.Message
	for _, d := range all {
		id := uint32(d.L3xc.SwIfIndex)
		i, there := desiredstate.At[vppnet.Interface](v, id)
		if !there || len(d.L3xc.Paths) == 0 {
			continue
		}
		// VPP does not say of which family it is; its paths do.
		x := CrossConnect{Interface: i.Spec.Name}
		x.IPv6, x.Paths = readWays(v, d.L3xc.Paths)
		if !place.Scope(k.claims).In(v, id, TableOf(v, id, x.IPv6)) {
			continue
		}
		arc, name := "ip4-unicast", "l3xc-input-ip4"
		if x.IPv6 {
			arc, name = "ip6-unicast", "l3xc-input-ip6"
		}
		requests = append(requests, &feature.FeatureIsEnabled{ArcName: arc, FeatureName: name, SwIfIndex: d.L3xc.SwIfIndex})
		out = append(out, desiredstate.Actual[CrossConnect]{ID: id, Spec: x})
	}
	if !iface.Asks(k.c) {
		return out, nil
	}
	on, err := vppnet.AskEach[*feature.FeatureIsEnabledReply](ctx, k.c, requests...)
	for n, r := range on {
		if !r.IsEnabled {
			out[n].Broken = "it is listed, and has no effect"
		}
	}
	return out, err
}
