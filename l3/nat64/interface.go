// SPDX-License-Identifier: Apache-2.0

package nat64

import (
	"context"
	"errors"

	"go.fd.io/govpp/api"
	ifs "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	binding "go.fd.io/govpp/binapi/nat64"
	"go.fd.io/govpp/binapi/nat_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Interface says who is behind an interface. It comes with what hangs on the interface's table:
// an interface that has a Membership names its table here.
type Interface struct {
	Interface string
	Table     string // of its Membership, for IPv6 if Inside, else for IPv4; "": it has none
	Inside    bool   // the hosts, with IPv6; else the world, with IPv4
}

// InterfaceKey is the key of an interface's Interface.
func InterfaceKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "nat64-interface", Name: iface}
}

// Key is InterfaceKey(n.Interface).
func (n Interface) Key() desiredstate.Key { return InterfaceKey(n.Interface) }

// Deps lists the interface, its Membership and the table.
func (n Interface) Deps() []desiredstate.Key { return place.Deps(n.Interface, n.Table) }

// Validate checks the names.
func (n Interface) Validate() error {
	return errors.Join(vppnet.CheckRef(place.InterfaceSpace, n.Interface), place.CheckTable(n.Table))
}

func (n Interface) role() place.Role {
	if n.Inside {
		return place.Inside
	}
	return place.Outside
}

// feature is what is on while packets are translated.
func (n Interface) feature() iface.Feature {
	if n.Inside {
		return iface.Feature{Arc: "ip6-unicast", End: "ip6-lookup", Name: "nat64-in2out"}
	}
	return iface.Feature{Arc: "ip4-unicast", End: "ip4-lookup", Name: "nat64-out2in"}
}

// Interfaces manages the sides of our interfaces, of those in tables of ours, and of those that
// are claimed (nat64_add_del_interface). The other side, or another table, replaces. One that
// somebody else has put on both sides is put on one again: VPP does not answer for the addresses
// of NAT64 by such a one.
//
// VPP answers for an Address by routes in the tables of outside interfaces, one in each; of a new
// Address only in that of the first one. When an outside interface goes, those of all others in
// its table go along. So have all of them in one table, and addresses before them.
//
// VPP keeps the side when the interface goes, lists it for the next one with its number, to no
// effect, and dies of any change of the pool until there is one: remove the Interface first.
func Interfaces(c *vppnet.Conn, sizes Sizes, claims ...vppnet.Claim) *desiredstate.Kind[Interface] {
	k, scope, power := interfaces{binding.NewServiceClient(c)}, place.Scope(claims), newPower(c, sizes)
	roles, at := place.NewRoles(k.roles, k.set), ifs.NewServiceClient(c)
	placed := func(ctx context.Context, v *desiredstate.View, n Interface) (uint32, error) {
		return scope.Placed(ctx, at, v, n.Interface, "Interface.Table", n.Table, n.Inside)
	}
	return place.Looking(c, scope, func(n Interface) bool { return n.Inside }, &desiredstate.Kind[Interface]{
		Target: c.Target(), Variant: [2]any{sizes, vppnet.Variant(claims...)},
		Name:     "nat64-interface",
		Requires: l3.Places(c),
		Messages: iface.Uses(c, &binding.Nat64PluginEnableDisable{}, &binding.Nat64AddDelInterface{}, &binding.Nat64InterfaceDump{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Interface], err error) {
			all, err := k.roles(ctx)
			if err != nil {
				return nil, err
			}
			for id, r := range all {
				if i, ok := desiredstate.At[vppnet.Interface](v, id); ok {
					n := Interface{Interface: i.Spec.Name, Inside: r&place.Inside != 0}
					n.Table = l3.TableOf(v, id, n.Inside)
					out = append(out, desiredstate.Actual[Interface]{ID: id, Foreign: !scope.In(v, id, n.Table), Spec: n})
				}
			}
			out, err = iface.Broken(ctx, c, out, Interface.feature)
			for n, a := range out {
				if all[a.ID] == place.Inside|place.Outside {
					out[n].Broken = "it is on both sides"
				}
			}
			return out, err
		},
		Check: func(v *desiredstate.View, n Interface) error {
			return errors.Join(sizes.check(), scope.CheckIn(v, n.Interface, n.Table))
		},
		Shares:   func(x Interface) []desiredstate.Key { return place.UseKeys(x.Interface, x.Table, x.Inside) },
		Disturbs: endsSessions[Interface],
		Foresee: func(ctx context.Context, v *desiredstate.View, _ uint32, n Interface) error {
			_, err := placed(ctx, v, n)
			return err
		},
		Create: func(ctx context.Context, v *desiredstate.View, n Interface) (uint32, error) {
			id, err := placed(ctx, v, n)
			if err == nil {
				err = power.on(ctx)
			}
			if err != nil {
				return 0, err
			}
			return id, roles.Set(ctx, id, n.role())
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Interface]) error {
			return vppnet.Gone(roles.Set(ctx, have.ID, 0), api.INVALID_SW_IF_INDEX, api.NO_SUCH_ENTRY)
		},
	})
}

// endsSessions says that any change ends what it translates.
func endsSessions[S desiredstate.Object](desiredstate.Action, desiredstate.Actual[S], S) desiredstate.Disruption {
	return desiredstate.DisturbsSessions
}

// interfaces are those that NAT64 is on.
type interfaces struct{ vpp binding.RPCService }

func (k interfaces) roles(ctx context.Context) (map[uint32]place.Role, error) {
	all, err := vppnet.Collect(k.vpp.Nat64InterfaceDump(ctx, &binding.Nat64InterfaceDump{}))
	out := make(map[uint32]place.Role, len(all))
	for _, d := range all {
		out[uint32(d.SwIfIndex)] = place.RoleOf(d.Flags)
	}
	return out, err
}

func (k interfaces) set(ctx context.Context, id uint32, r place.Role, add bool) error {
	q := &binding.Nat64AddDelInterface{IsAdd: add, SwIfIndex: interface_types.InterfaceIndex(id)}
	if r == place.Inside {
		q.Flags = nat_types.NAT_IS_INSIDE
	}
	_, err := k.vpp.Nat64AddDelInterface(ctx, q)
	return err
}
