// SPDX-License-Identifier: Apache-2.0

package bond

import (
	"context"
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/bond"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// Member makes an interface one of those that a [Bond] is made of. As long as it is one,
// it has the bond's MAC, and nothing else can be on it. Whether it is up, its own
// vppnet.LinkState says, not the bond's.
type Member struct {
	Bond      string
	Interface string // with a MAC, no sub-interface, no bond

	Passive     bool // of LACP: speaks only when spoken to
	LongTimeout bool // of LACP: takes silence of 90 s for the end of the other side, not of 3 s

	// Weight is of ActiveBackup: of the members that are up, the heaviest carries the frames.
	Weight uint32
}

// MemberKey is the key of the Member of an interface, which can be in one bond only.
func MemberKey(iface string) desiredstate.Key { return vppnet.MemberKey(iface) }

// Key is MemberKey(m.Interface).
func (m Member) Key() desiredstate.Key { return MemberKey(m.Interface) }

// Deps lists the bond and the interface.
func (m Member) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(m.Bond), vppnet.InterfaceKey(m.Interface)}
}

// Validate checks the names.
func (m Member) Validate() error {
	if err := vppnet.CheckRef("bond", m.Bond); err != nil {
		return err
	}
	if m.Bond == m.Interface {
		return errors.New("bond is its own member")
	}
	return vppnet.CheckRef("interface", m.Interface)
}

// Members manages the members of our bonds, and our interfaces' places in others'
// (bond_add_member). A member is ours if its bond or its interface is.
//
// The weight changes in place (sw_interface_set_bond_weight), all else takes the member out
// and in again. What VPP would take and not mean, or die of, is refused before it is told:
// a member that is a bond or a sub-interface, that has no MAC, or that is used for anything
// else; options that the bond's mode does not look at.
func Members(c *vppnet.Conn) *desiredstate.Kind[Member] {
	k := members{c, bond.NewServiceClient(c)}
	return &desiredstate.Kind[Member]{
		Target:   c.Target(),
		Name:     "bond-member",
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c), Bonds(c)},
		Messages: c.Uses(&bond.SwBondInterfaceDump{}, &bond.SwMemberInterfaceDump{}, &bond.BondAddMember{}, &bond.BondDetachMember{},
			&bond.SwInterfaceSetBondWeight{}, &interfaces.SwInterfaceDump{}),
		Dump: k.dump,
		Check: func(v *desiredstate.View, m Member) error {
			if id, err := v.ID(vppnet.InterfaceKey(m.Interface)); err == nil {
				if err := vppnet.CheckNoOverlay(v, id, m.Interface); err != nil {
					return err
				}
			}
			if err := m.fits(v.Known(vppnet.InterfaceKey(m.Bond)), v.Known(vppnet.InterfaceKey(m.Interface))); err != nil {
				return err
			}
			return vppnet.CheckOurs(v, "neither the bond nor the interface is", vppnet.InterfaceKey(m.Bond), vppnet.InterfaceKey(m.Interface))
		},
		Foresee: func(ctx context.Context, v *desiredstate.View, _ uint32, m Member) error {
			id, err := v.ID(vppnet.InterfaceKey(m.Interface))
			if err != nil {
				return err
			}
			to, err := v.ID(vppnet.InterfaceKey(m.Bond))
			if err != nil {
				return err
			}
			return k.check(ctx, id, to, m)
		},
		Create: func(ctx context.Context, v *desiredstate.View, m Member) (uint32, error) {
			id, err := v.ID(vppnet.InterfaceKey(m.Interface))
			if err != nil {
				return 0, err
			}
			return id, k.join(ctx, v, id, m)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Member], want Member) error {
			in, err := k.in(ctx, v, have)
			if err != nil || !in {
				return errors.Join(err, fmt.Errorf("%w: it has left the bond", desiredstate.ErrChanged))
			}
			return k.weigh(ctx, have.ID, want)
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Member]) error {
			in, err := k.in(ctx, v, have)
			if err != nil || !in {
				return err
			}
			return k.leave(ctx, have.ID)
		},
		Holds: func(m Member) []desiredstate.Key {
			return append(vppnet.UseKeys(m.Interface), vppnet.FrameKey(m.Interface))
		},
		Covers: func(m Member) []desiredstate.Key { // the MAC of one, which its own object or its link may say
			return []desiredstate.Key{vppnet.InterfaceKey(m.Interface), vppnet.LinkKey(m.Interface)}
		},
		InPlace: func(have desiredstate.Actual[Member], want Member) bool {
			have.Spec.Weight = want.Weight
			return have.Spec == want
		},
	}
}

type members struct {
	c   *vppnet.Conn
	vpp bond.RPCService
}

func (k members) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Member], err error) {
	var there []uint32
	for b := range desiredstate.All[Bond](v) {
		there = append(there, b.ID)
	}
	found, err := vppnet.BondMembers(ctx, k.c, there...)
	if err != nil {
		return nil, err
	}
	for b := range desiredstate.All[Bond](v) {
		for _, d := range found[b.ID] {
			i, ok := desiredstate.At[vppnet.Interface](v, uint32(d.SwIfIndex))
			if !ok {
				continue // gone since
			}
			out = append(out, desiredstate.Actual[Member]{ID: i.ID, Foreign: b.Foreign && i.Foreign, Spec: Member{
				Bond: b.Spec.Name, Interface: i.Spec.Name, Passive: d.IsPassive, LongTimeout: d.IsLongTimeout, Weight: d.Weight,
			}})
		}
	}
	return out, nil
}

// in says whether the member still is in its bond: whoever took it elsewhere has it.
func (k members) in(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Member]) (bool, error) {
	id, err := v.ID(vppnet.InterfaceKey(have.Spec.Bond))
	if err != nil {
		return false, nil // gone, and its members with it
	}
	found, err := vppnet.BondMembers(ctx, k.c, id)
	for _, d := range found[id] {
		if uint32(d.SwIfIndex) == have.ID {
			return true, err
		}
	}
	return false, err
}

func (k members) join(ctx context.Context, v *desiredstate.View, id uint32, m Member) error {
	to, err := v.ID(vppnet.InterfaceKey(m.Bond))
	if err != nil {
		return err
	}
	if err := k.check(ctx, id, to, m); err != nil {
		return err
	}
	if err := k.free(ctx, id, m, ""); err != nil {
		return err
	}
	_, err = k.vpp.BondAddMember(ctx, &bond.BondAddMember{
		SwIfIndex: interface_types.InterfaceIndex(id), BondSwIfIndex: interface_types.InterfaceIndex(to),
		IsPassive: m.Passive, IsLongTimeout: m.LongTimeout,
	})
	switch {
	case errors.Is(err, api.VALUE_EXIST):
		return fmt.Errorf("%w: somebody has made it a member of a bond by now: %w", desiredstate.ErrForeign, err)
	case errors.Is(err, api.INVALID_INTERFACE):
		return fmt.Errorf("VPP says that it can be no member of %s; if that has GSO, its members need it too: %w", m.Bond, err)
	case err != nil:
		return err
	}
	// Something of the same plan may have come to it in between.
	if err = k.free(ctx, id, m, vppnet.InBond); err == nil && m.Weight != 0 {
		err = k.weigh(ctx, id, m)
	}
	if err != nil {
		ctx, cancel := shared.Outlive(ctx)
		defer cancel()
		err = errors.Join(err, k.leave(ctx, id))
	}
	return err
}

// check refuses what VPP would die of, or not mean.
func (k members) check(ctx context.Context, id, to uint32, m Member) error {
	all, err := vppnet.Ask(ctx, k.c,
		&interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(id)},
		&bond.SwBondInterfaceDump{SwIfIndex: noInterface})
	if err != nil {
		return err
	}
	mode, found := Mode(0), false
	for _, d := range all {
		switch d := d.(type) {
		case *interfaces.SwInterfaceDetails:
			if uint32(d.SwIfIndex) != id {
				continue // asked for index 0, VPP shows all
			}
			found = true
			switch {
			case d.SupSwIfIndex != id:
				return m.isSub()
			case vppnet.MAC(d.L2Address).IsZero():
				return fmt.Errorf("%w: %s has no MAC, and VPP dies of a member without", desiredstate.ErrInvalid, m.Interface)
			}
		case *bond.SwBondInterfaceDetails:
			switch uint32(d.SwIfIndex) {
			case id:
				return m.isBond()
			case to:
				mode = Mode(d.Mode)
			}
		}
	}
	switch {
	case !found:
		return fmt.Errorf("interface with index %d: %w", id, api.INVALID_SW_IF_INDEX)
	case mode == 0:
		return m.noBond()
	}
	return m.suits(mode)
}

// fits refuses the same of what is known: what the bond is or will be, and the interface. Nil: that
// is not known.
func (m Member) fits(to, iface desiredstate.Object) error {
	switch iface.(type) {
	case Bond:
		return m.isBond()
	case vppnet.SubInterface:
		return m.isSub()
	}
	switch to := to.(type) {
	case nil:
		return nil
	case Bond:
		return m.suits(to.Mode)
	}
	return m.noBond()
}

func (m Member) isSub() error {
	return fmt.Errorf("%w: %s is a sub-interface, whose frames are its parent's: make that the member", desiredstate.ErrInvalid, m.Interface)
}

func (m Member) isBond() error {
	return fmt.Errorf("%w: %s is a bond, which can be no member of one", desiredstate.ErrInvalid, m.Interface)
}

func (m Member) noBond() error {
	return fmt.Errorf("%w: %s is no bond", desiredstate.ErrInvalid, m.Bond)
}

// suits refuses options that a bond of this mode does not look at.
func (m Member) suits(mode Mode) error {
	switch {
	case mode != LACP && (m.Passive || m.LongTimeout):
		return fmt.Errorf("%w: passive, long timeout: the bond's mode is %v, which does not look at it", desiredstate.ErrInvalid, mode)
	case mode != ActiveBackup && m.Weight != 0:
		return fmt.Errorf("%w: weight %d: the bond's mode is %v, which does not look at it", desiredstate.ErrInvalid, m.Weight, mode)
	}
	return nil
}

// free refuses an interface that is used for anything but what is expected.
func (k members) free(ctx context.Context, id uint32, m Member, but string) error {
	used, err := vppnet.InUse(ctx, k.c, id)
	if err == nil && used == vppnet.InBond && but == "" {
		return fmt.Errorf("%w: interface %s: %s already, and can be of one only", desiredstate.ErrEarly, m.Interface, used)
	}
	if err == nil && used != "" && used != but {
		err = fmt.Errorf("%w: %w: interface %s: %s, and a member of a bond can have nothing of its own: take that away, or give it to the bond",
			desiredstate.ErrEarly, desiredstate.ErrConflict, m.Interface, used)
	}
	return err
}

func (k members) weigh(ctx context.Context, id uint32, m Member) error {
	_, err := k.vpp.SwInterfaceSetBondWeight(ctx, &bond.SwInterfaceSetBondWeight{SwIfIndex: interface_types.InterfaceIndex(id), Weight: m.Weight})
	if errors.Is(err, api.INVALID_ARGUMENT) {
		err = fmt.Errorf("%w: weight %d: the bond's mode does not look at it: %w", desiredstate.ErrInvalid, m.Weight, err)
	}
	return err
}

func (k members) leave(ctx context.Context, id uint32) error {
	_, err := k.vpp.BondDetachMember(ctx, &bond.BondDetachMember{SwIfIndex: interface_types.InterfaceIndex(id)})
	return vppnet.Gone(err, api.INVALID_SW_IF_INDEX, api.INVALID_INTERFACE)
}
