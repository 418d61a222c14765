// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"context"
	"errors"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Interface says what an interface is to NAT. It comes with what hangs on the
// interface's table: an interface that has a Membership names its table here.
type Interface struct {
	Interface string
	Table     string // of its Membership, for IPv4; "": it has none

	Inside  bool // towards the hosts: the packets that come in are translated
	Outside bool // towards the world: the answers that come in are translated back
	Output  bool // towards the world: the packets that go out are translated, wherever they came in; neither Inside nor Outside
}

const interfaceSpace = "nat-interface"

// InterfaceKey is the key of an interface's Interface.
func InterfaceKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: interfaceSpace, Name: iface}
}

// Key is InterfaceKey(n.Interface).
func (n Interface) Key() desiredstate.Key { return InterfaceKey(n.Interface) }

// Deps lists NAT, the interface, its Membership and the table.
func (n Interface) Deps() []desiredstate.Key {
	return append(place.Deps(n.Interface, n.Table), PluginKey())
}

// Validate wants a role.
func (n Interface) Validate() error {
	if err := errors.Join(vppnet.CheckRef(place.InterfaceSpace, n.Interface), place.CheckTable(n.Table)); err != nil {
		return err
	}
	switch {
	case n.Output && (n.Inside || n.Outside):
		return errors.New("an output interface has no other role")
	case !n.Output && !n.Inside && !n.Outside:
		return errors.New("neither inside, nor outside, nor output: that is no role at all")
	}
	return nil
}

func (n Interface) role() (r place.Role) {
	if n.Inside {
		r |= place.Inside
	}
	if n.Outside {
		r |= place.Outside
	}
	if n.Output {
		r |= place.Output
	}
	return r
}

// Interfaces manages the roles of our interfaces, of those in tables of ours,
// and of those that are claimed (nat44_interface_add_del_feature,
// nat44_ed_add_del_output_interface, or nat44_ei_*). Roles change in place, a new
// one first; another table replaces.
//
// VPP has the routes by which an outside or output interface answers for the addresses
// of NAT once for a table: when one such interface goes, those of all others in its
// table, anybody's, go along (25.10). Give each a table of its own if they are to come
// and go.
func Interfaces(c *vppnet.Conn, variant Variant, claims ...vppnet.Claim) *desiredstate.Kind[Interface] {
	vpp, at := newClient(c, variant), interfaces.NewServiceClient(c)
	scope, roles := place.Scope(claims), place.NewRoles(vpp.roles, vpp.setRole)
	placed := func(ctx context.Context, v *desiredstate.View, n Interface) (uint32, error) {
		return scope.Placed(ctx, at, v, n.Interface, "Interface.Table", n.Table, false)
	}
	return place.Looking(c, scope, func(Interface) bool { return false }, &desiredstate.Kind[Interface]{
		Target: c.Target(), Variant: [2]any{variant, vppnet.Variant(claims...)},
		Name:     interfaceSpace,
		Requires: append(l3.Places(c), plugins(c, variant, false)),
		Shares:   func(x Interface) []desiredstate.Key { return place.UseKeys(x.Interface, x.Table, false) },
		Messages: c.Uses(vpp.messages(partRoles)...),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Interface], err error) {
			all, err := vpp.roles(ctx)
			for id, r := range all {
				table := l3.TableOf(v, id, false)
				out = append(out, desiredstate.Actual[Interface]{ID: id, Foreign: !scope.In(v, id, table), Spec: Interface{
					Interface: place.InterfaceName(v, id), Table: table,
					Inside: r&place.Inside != 0, Outside: r&place.Outside != 0, Output: r&place.Output != 0,
				}})
			}
			return out, err
		},
		Check:    func(v *desiredstate.View, n Interface) error { return scope.CheckIn(v, n.Interface, n.Table) },
		Disturbs: endsSessions[Interface],
		Foresee: func(ctx context.Context, v *desiredstate.View, _ uint32, n Interface) error {
			_, err := placed(ctx, v, n)
			return err
		},
		Create: func(ctx context.Context, v *desiredstate.View, n Interface) (uint32, error) {
			id, err := placed(ctx, v, n)
			if err != nil {
				return 0, err
			}
			return id, roles.Set(ctx, id, n.role())
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Interface], want Interface) error {
			return roles.Set(ctx, have.ID, want.role())
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Interface]) error {
			return vppnet.Gone(roles.Set(ctx, have.ID, 0), api.INVALID_SW_IF_INDEX, api.NO_SUCH_ENTRY)
		},
		InPlace: func(have desiredstate.Actual[Interface], want Interface) bool {
			return have.Spec.Table == want.Table
		},
	})
}
