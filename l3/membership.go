// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Membership puts an interface into a table. An interface without one is in the
// default table. The zero value does it for both families.
type Membership struct {
	Interface string
	Table     string // not the default table

	NoIPv4 bool // leave IPv4 in the default table
	NoIPv6 bool // leave IPv6 in the default table
}

// MembershipKey is the key of an interface's Membership.
func MembershipKey(iface string) desiredstate.Key { return place.MembershipKey(iface) }

// Key is MembershipKey(m.Interface).
func (m Membership) Key() desiredstate.Key { return MembershipKey(m.Interface) }

// Deps lists the table and the interface.
func (m Membership) Deps() []desiredstate.Key {
	return []desiredstate.Key{TableKey(m.Table), vppnet.InterfaceKey(m.Interface)}
}

// Validate checks the names, and that there is a family.
func (m Membership) Validate() error {
	if err := vppnet.CheckRef(place.InterfaceSpace, m.Interface); err != nil {
		return err
	}
	if m.Table == "" || m.Table == DefaultTable {
		return errors.New("an interface without a Membership is in the default table")
	}
	if err := place.CheckTable(m.Table); err != nil {
		return err
	}
	if m.NoIPv4 && m.NoIPv6 {
		return errors.New("neither IPv4 nor IPv6: that is no membership at all")
	}
	return nil
}

// Memberships manages the tables of our interfaces, and the interfaces of our
// tables (sw_interface_set_table). A Membership is ours if its interface or its
// table is.
//
// VPP refuses to move an interface that has addresses, even to where it is. Name
// the table in the interface's Address objects: then they wait for the Membership,
// and give way to its change. A family is added in place; all else replaces.
//
// An Address of the default table has no Membership to wait for, or to be waited
// for. Into that table, and out of it, an interface with addresses may therefore
// move in two passes: the first fails, saying so, and takes the old ones away.
//
// An interface with a role in NAT, or a virtual router, of which VPP would leave routes behind, does
// not leave the default table before these: both go and come in one plan, or the Membership is refused.
//
// A reading costs two requests for each interface of VPP that is not disclaimed,
// unless there is no table but the default one.
func Memberships(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Membership] {
	k := members{c, interfaces.NewServiceClient(c), claims, newLeftNeighbours(c)}
	return &desiredstate.Kind[Membership]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     place.MembershipSpace,
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c), Tables(c)},
		Messages: c.Uses(append(k.left.messages(), &interfaces.SwInterfaceSetTable{}, &ip.IPTableDump{})...),
		Dump:     vppnet.RereadUnless(len(claims) > 0, c, k.dump),
		Shares:   func(x Membership) []desiredstate.Key { return vppnet.UseKeys(x.Interface) },
		Holds: func(x Membership) (held []desiredstate.Key) {
			for _, is6 := range x.families() {
				held = append(held, place.AtHome(x.Interface, is6))
			}
			return held
		},
		Check: func(v *desiredstate.View, m Membership) error {
			if !vppnet.Ours(m.Interface, true, k.claims) {
				return fmt.Errorf("%w: the vppnet.DisclaimInterfaces that Memberships was given leave the interface to others", desiredstate.ErrForeign)
			}
			return vppnet.CheckOurs(v, "neither the table nor the interface is", TableKey(m.Table), vppnet.InterfaceKey(m.Interface))
		},
		Foresee: func(ctx context.Context, v *desiredstate.View, _ uint32, m Membership) error {
			return k.foresee(ctx, v, m)
		},
		Create: func(ctx context.Context, v *desiredstate.View, m Membership) (uint32, error) {
			id, err := place.InterfaceID(v, m.Interface)
			if err != nil {
				return 0, err
			}
			// From a failed try, one family may be there.
			was4, was6, err := k.at(ctx, id)
			if err != nil {
				return 0, err
			}
			return id, k.move(ctx, v, id, was4, was6, m)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Membership], want Membership) error {
			was4, was6, err := k.at(ctx, have.ID)
			if err != nil {
				return err
			}
			for _, is6 := range have.Spec.families() {
				if is, err := k.still(ctx, v, have, is6); err != nil || !is {
					return cmp.Or(err, place.ErrMoved)
				}
			}
			return k.move(ctx, v, have.ID, was4, was6, want)
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Membership]) error {
			for _, is6 := range have.Spec.families() {
				is, err := k.still(ctx, v, have, is6)
				if err == nil && is {
					err = vppnet.Gone(k.set(ctx, have.ID, is6, 0), api.INVALID_SW_IF_INDEX)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
		InPlace: func(have desiredstate.Actual[Membership], want Membership) bool {
			return have.Spec.Table == want.Table && (have.Spec.NoIPv4 || !want.NoIPv4) && (have.Spec.NoIPv6 || !want.NoIPv6)
		},
	}
}

// families are those in which the interface is in the table: whether each is IPv6.
func (m Membership) families() (is6 []bool) {
	if !m.NoIPv4 {
		is6 = append(is6, false)
	}
	if !m.NoIPv6 {
		is6 = append(is6, true)
	}
	return is6
}

// still says whether a family is in a table of ours yet, if the interface is not ours.
func (k members) still(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Membership], is6 bool) (bool, error) {
	return place.Scope(k.claims).Still(ctx, k.vpp, v, have.ID, is6)
}

type members struct {
	c      *vppnet.Conn
	vpp    interfaces.RPCService
	claims []vppnet.Claim
	left   leftNeighbours
}

func (k members) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Membership], err error) {
	others := false
	for t := range desiredstate.All[Table](v) {
		others = others || t.ID != 0
	}
	if !others {
		return nil, nil
	}
	var found []desiredstate.Actual[vppnet.Interface]
	var reqs []api.Message
	for i := range desiredstate.All[vppnet.Interface](v) {
		if !vppnet.Ours(i.Spec.Name, true, k.claims) {
			continue // disclaimed
		}
		index := interface_types.InterfaceIndex(i.ID)
		found = append(found, i)
		reqs = append(reqs, &interfaces.SwInterfaceGetTable{SwIfIndex: index}, &interfaces.SwInterfaceGetTable{SwIfIndex: index, IsIPv6: true})
	}
	in, err := vppnet.AskEach[*interfaces.SwInterfaceGetTableReply](ctx, k.c, reqs...)
	if err != nil {
		return nil, err
	}
	for n, i := range found {
		four, six := in[2*n], in[2*n+1]
		if four.Retval != 0 || six.Retval != 0 {
			continue // it has gone
		}
		add := func(id, other uint32, no4, no6 bool) {
			if id == 0 {
				return
			}
			table, ours := place.TableName(v, id)
			overlay := i.Spec.Device == "LISP_GPE" // VPP puts those into tables itself, and never takes them out
			m := desiredstate.Actual[Membership]{ID: i.ID, Foreign: i.Foreign && (!ours || overlay), Spec: Membership{
				Interface: i.Spec.Name, Table: table, NoIPv4: no4, NoIPv6: no6,
			}}
			if other != id && other != 0 { // see TableOf
				m.Note, _ = place.TableName(v, other)
			}
			out = append(out, m)
		}
		if four.VrfID == six.VrfID {
			add(four.VrfID, four.VrfID, false, false)
			continue
		}
		add(four.VrfID, six.VrfID, false, true)
		add(six.VrfID, four.VrfID, true, false)
	}
	return out, nil
}

func (k members) at(ctx context.Context, id uint32) (four, six uint32, err error) {
	if four, err = place.TableAt(ctx, k.vpp, id, false); err == nil {
		six, err = place.TableAt(ctx, k.vpp, id, true)
	}
	return four, six, err
}

// foresee refuses a family that the table lacks.
func (k members) foresee(ctx context.Context, v *desiredstate.View, m Membership) error {
	table, err := v.ID(TableKey(m.Table))
	if err != nil {
		return err
	}
	all, err := vppnet.Collect(ip.NewServiceClient(k.c).IPTableDump(ctx, &ip.IPTableDump{}))
	for _, is6 := range m.families() {
		if err == nil && !slices.ContainsFunc(all, func(d *ip.IPTableDetails) bool { return d.Table.TableID == table && d.Table.IsIP6 == is6 }) {
			err = m.lacks(is6)
		}
	}
	return err
}

func (m Membership) lacks(is6 bool) error {
	return fmt.Errorf("%w: table %s has no %s: give it that, or leave it out here", desiredstate.ErrEarly, m.Table, inet.Family(is6))
}

// move binds the families that are not where they should be, and those only: on
// its way into the table it is in, an interface lets go of it first, and may have
// been the last to keep it.
func (k members) move(ctx context.Context, v *desiredstate.View, id, was4, was6 uint32, m Membership) error {
	table, err := v.ID(TableKey(m.Table))
	if err != nil {
		return err
	}
	for _, f := range []struct {
		skip, is6 bool
		was       uint32
	}{{m.NoIPv4, false, was4}, {m.NoIPv6, true, was6}} {
		if f.skip || f.was == table {
			continue
		}
		if err := k.theirs(ctx, v, id, f.is6, f.was); err != nil {
			return err
		}
		err := k.set(ctx, id, f.is6, table)
		switch {
		case errors.Is(err, api.ADDRESS_FOUND_FOR_INTERFACE):
			return fmt.Errorf("%w: it still has %s addresses; those that are not said to be in table %s go first: %w",
				desiredstate.ErrEarly, inet.Family(f.is6), m.Table, err)
		case errors.Is(err, api.NO_SUCH_FIB):
			return fmt.Errorf("%w: %w", m.lacks(f.is6), err)
		case err != nil:
			return err
		}
	}
	return nil
}

// theirs refuses a family in which somebody else's interface is in another table of his.
func (k members) theirs(ctx context.Context, v *desiredstate.View, id uint32, is6 bool, in uint32) error {
	if in == 0 {
		return nil
	}
	ours, err := place.Scope(k.claims).Still(ctx, k.vpp, v, id, is6)
	if err == nil && !ours {
		err = fmt.Errorf("%w: %s of it is in table number %d, which is not ours: leave that family out here, or have its owner take it out there",
			desiredstate.ErrForeign, inet.Family(is6), in)
	}
	return err
}

func (k members) set(ctx context.Context, id uint32, is6 bool, table uint32) error {
	if err := k.left.stays(ctx, id, is6, table); err != nil {
		return err
	}
	_, err := k.vpp.SwInterfaceSetTable(ctx, &interfaces.SwInterfaceSetTable{
		SwIfIndex: interface_types.InterfaceIndex(id), IsIPv6: is6, VrfID: table,
	})
	return err
}
