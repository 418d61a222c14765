// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
)

// LinkState brings an interface up and sizes its packets. An interface without
// one is as VPP makes it: down, with the default MTU; so is one whose LinkState
// was removed.
type LinkState struct {
	Interface string
	Up        bool

	// MTU is of L3 packets, in bytes, 68 to 65535. 0: VPP's default. That is the parent's or, mostly, the link's; tunnels
	// of IP and vhost-user ports have their own, 9000, and a NIC of a driver of VPP's dev API startup.conf's: an MTU
	// above that one's link is left as it is.
	MTU uint32

	// MAC is of what no kind of ours makes with a MAC, a NIC; zero: left as it is, and so it
	// stays when the LinkState goes. A member of a bond has the bond's, until it leaves.
	MAC MAC

	// Parent is the interface that a sub-interface belongs to. Set it: VPP
	// refuses to bring a sub-interface up before its parent, so the parent's
	// LinkState is then a dependency. "": no order is kept. Another than VPP's is
	// refused once the interface is there.
	Parent string

	// After lists what has to be there before the link goes up, and only goes
	// when the link is down: an interface that is to be up in its bridge domain,
	// or behind its filter, is so After BridgePortKey(Interface). While the link
	// is down it lists nothing. VPP does not know of it, so it is no difference
	// by itself, and an engine that never was asked for it cannot keep it.
	After []desiredstate.Key
}

// Equal says whether two are the same.
func (l LinkState) Equal(o LinkState) bool {
	return l.Interface == o.Interface && l.Up == o.Up && l.MTU == o.MTU && l.MAC == o.MAC && l.Parent == o.Parent &&
		slices.Equal(l.After, o.After)
}

// linkNote is what is known of a link beside its LinkState.
type linkNote struct {
	mtu uint32 // VPP's default here, or one as good as that
}

// LinkKey is the key of an interface's LinkState.
func LinkKey(name string) desiredstate.Key { return desiredstate.Key{Space: "link", Name: name} }

// Key is LinkKey(l.Interface).
func (l LinkState) Key() desiredstate.Key { return LinkKey(l.Interface) }

// Deps lists the interface, the parent's LinkState and, if up, After.
func (l LinkState) Deps() []desiredstate.Key {
	deps := []desiredstate.Key{InterfaceKey(l.Interface)}
	if l.Parent != "" {
		deps = append(deps, LinkKey(l.Parent))
	}
	if l.Up {
		deps = append(deps, l.After...)
	}
	return deps
}

// Validate wants something that VPP shows: up, or an MTU.
func (l LinkState) Validate() error {
	if err := CheckRef("interface", l.Interface); err != nil {
		return err
	}
	if l.Parent != "" {
		if err := CheckRef("parent", l.Parent); err != nil {
			return err
		}
		if !l.MAC.IsZero() {
			return errors.New("a sub-interface has its parent's MAC")
		}
	}
	switch {
	case l.Parent == l.Interface:
		return errors.New("interface is its own parent")
	case l.MTU != 0 && (l.MTU < 68 || l.MTU > 65535):
		return fmt.Errorf("MTU %d, want 68 to 65535 bytes", l.MTU)
	case !l.Up && l.MTU == 0:
		return errors.New("neither up nor an MTU: that is no LinkState at all")
	}
	return cmp.Or(CheckAfter(l.Key(), l.After), l.MAC.CheckUnicast())
}

// LinkStates manages the state of our interfaces, and of those that are claimed.
// The state of all others is known, so that ours can depend on it, and is never
// changed.
//
// All of a LinkState changes in place, by sw_interface_set_flags, _set_mtu (the
// L3 MTU; those of IP4, IP6 and MPLS follow it) and _set_mac_address; only that of a
// sub-interface that comes down is made anew. The MAC of an
// interface of ours whose own object has one is refused: only one can say it.
func LinkStates(c *Conn, claims ...Claim) *desiredstate.Kind[LinkState] {
	k := links{c, interfaces.NewServiceClient(c), claims}
	return &desiredstate.Kind[LinkState]{
		Target: c.Target(), Variant: Variant(claims...),
		Name: "link",
		// VPP does not show LinkState.After: who has just come does not know it.
		GoesFirst: true,
		Requires:  []desiredstate.AnyKind{Interfaces(c)},
		Messages:  c.Uses(append(MACMessages(), &interfaces.SwInterfaceSetFlags{}, &interfaces.SwInterfaceSetMtu{})...),
		Dump:      RereadUnless(len(claims) > 0, c, k.dump),
		Check: func(v *desiredstate.View, l LinkState) error {
			id, err := v.ID(InterfaceKey(l.Interface))
			if err != nil {
				return nil //nolint:nilerr // it is still to come
			}
			if _, ours := v.Owned("interface", id); !Ours(l.Interface, ours, claims) {
				return fmt.Errorf("%w: interface %s is not claimed: give LinkStates a vppnet.ClaimInterfaces of it", desiredstate.ErrForeign, l.Interface)
			}
			return nil
		},
		Disturbs: func(a desiredstate.Action, have desiredstate.Actual[LinkState], want LinkState) desiredstate.Disruption {
			if a == desiredstate.Update && (have.Spec.Up || have.Spec.MTU != want.MTU) {
				return desiredstate.DisturbsTraffic
			}
			return desiredstate.DisturbsNothing
		},
		Create: func(ctx context.Context, v *desiredstate.View, l LinkState) (uint32, error) {
			id, err := v.ID(InterfaceKey(l.Interface))
			if err != nil {
				return 0, err
			}
			if err := k.check(ctx, v, id, l); err != nil {
				return 0, err
			}
			return id, k.set(ctx, id, linkNote{}, bonded(v, l), LinkState{}, l)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[LinkState], want LinkState) error {
			if want.Parent != have.Spec.Parent {
				if err := k.checkParent(ctx, v, have.ID, want); err != nil {
					return err
				}
			}
			note, _ := have.Note.(linkNote)
			return k.set(ctx, have.ID, note, have.Covered || bonded(v, want), have.Spec, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[LinkState]) error {
			note, _ := have.Note.(linkNote)
			if have.Spec.Parent != "" {
				note = linkNote{} // what was said is taken back
			}
			return Gone(k.set(ctx, have.ID, note, have.Covered, have.Spec, LinkState{}), api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[LinkState], want LinkState) LinkState {
			note, _ := have.Note.(linkNote)
			if want.MTU == 0 {
				want.MTU = note.mtu
			}
			if want.MAC.IsZero() || have.Covered {
				want.MAC = have.Spec.MAC
			}
			if want.Parent == "" {
				want.Parent = have.Spec.Parent
			}
			want.After = have.Spec.After
			return want
		},
		Foresee: k.check,
		// VPP says no more by a device of which a sub-interface goes down, whether the LinkState goes or changes: only of what goes is Undoes asked.
		InPlace: func(have desiredstate.Actual[LinkState], want LinkState) bool {
			return have.Spec.Parent == "" || !have.Spec.Up || want.Up
		},
		Undoes: func(l LinkState) []desiredstate.Key { return saidBy(l.Parent) },
	}
}

type links struct {
	c      *Conn
	vpp    interfaces.RPCService
	claims []Claim
}

func (k links) dump(_ context.Context, v *desiredstate.View) (out []desiredstate.Actual[LinkState], err error) {
	for a := range desiredstate.All[Interface](v) {
		i := a.Spec
		foreign := !Ours(i.Name, !a.Foreign, k.claims)
		if std := i.defaultMTU(); foreign || i.Up || i.MTU != std {
			if i.Parent != "" && i.MTU == parentsMTU(v, i) { // said, as lcp-sync does, is as good as inherited
				std = i.MTU
			}
			mac, hidden := i.OwnMAC()
			out = append(out, desiredstate.Actual[LinkState]{
				ID: a.ID, Foreign: foreign, Covered: hidden, Note: linkNote{std},
				Spec: LinkState{Interface: i.Name, Up: i.Up, MTU: i.MTU, MAC: mac, Parent: i.Parent},
			})
		}
	}
	return out, nil
}

func parentsMTU(v *desiredstate.View, i Interface) uint32 {
	id, _ := v.ID(InterfaceKey(i.Parent))
	parent, _ := desiredstate.At[Interface](v, id)
	return parent.Spec.MTU
}

// set sends what differs: down first, up last; no MAC to a member of a bond.
func (k links) set(ctx context.Context, id uint32, note linkNote, bonded bool, have, want LinkState) error {
	index := interface_types.InterfaceIndex(id)
	flags := func(f interface_types.IfStatusFlags) error {
		_, err := k.vpp.SwInterfaceSetFlags(ctx, &interfaces.SwInterfaceSetFlags{SwIfIndex: index, Flags: f})
		return err
	}
	mac := !want.MAC.IsZero() && want.MAC != have.MAC && !bonded
	if mac {
		if err := k.mayHaveMAC(ctx, id, want.MAC); err != nil {
			return err
		}
	}
	if have.Up && !want.Up {
		if err := flags(0); err != nil {
			return err
		}
	}
	if mac {
		err := k.c.SetMAC(ctx, id, want.MAC)
		if errors.Is(err, api.UNIMPLEMENTED) {
			err = fmt.Errorf("%w: VPP cannot change the MAC of an interface of its type: leave it open: %w", desiredstate.ErrInvalid, err)
		}
		if err != nil {
			return err
		}
	}
	if want.MTU != have.MTU && (want.MTU != 0 || have.MTU != note.mtu) {
		mtu := want.MTU
		if mtu == 0 {
			var err error
			if mtu, err = k.defaultMTU(ctx, id); err != nil {
				return err
			}
		}
		done, err := k.c.mtuTurn(ctx, id)
		if err != nil {
			return err
		}
		_, err = k.vpp.SwInterfaceSetMtu(ctx, &interfaces.SwInterfaceSetMtu{SwIfIndex: index, Mtu: []uint32{mtu, 0, 0, 0}})
		done()
		if err != nil {
			return err
		}
	}
	if want.Up && !have.Up {
		err := flags(interface_types.IF_STATUS_API_FLAG_ADMIN_UP)
		if errors.Is(err, api.UNSPECIFIED) { // perhaps the parent's link comes in the same pass
			if i, why := k.c.at(ctx, id); why == nil && i.Parent != "" {
				err = fmt.Errorf("%w: it is a sub-interface, and its parent, VPP's %s, is down: bring that up, and say so by Parent: %w", desiredstate.ErrEarly, i.Parent, err)
			}
		}
		return err
	}
	return nil
}

// check refuses what VPP could not show, and a Parent that is not VPP's.
func (k links) check(ctx context.Context, v *desiredstate.View, id uint32, l LinkState) error {
	if err := k.checkParent(ctx, v, id, l); err != nil || l.Up {
		return err
	}
	std, err := k.defaultMTU(ctx, id)
	if err == nil && l.MTU == std {
		err = fmt.Errorf("%w: down, with VPP's default MTU of %d: that is no LinkState at all", desiredstate.ErrInvalid, std)
	}
	return err
}

// checkParent refuses a Parent that is not VPP's.
func (k links) checkParent(ctx context.Context, v *desiredstate.View, id uint32, l LinkState) error {
	if l.Parent == "" {
		return nil
	}
	want, err := v.ID(LinkKey(l.Parent))
	if err != nil {
		return err
	}
	d, err := k.c.detailsAt(ctx, id)
	switch {
	case err != nil:
		return err
	case d.SupSwIfIndex == id:
		return fmt.Errorf("%w: %s is no sub-interface: leave Parent open", desiredstate.ErrInvalid, l.Interface)
	case d.SupSwIfIndex != want:
		parent, _ := v.Name("interface", d.SupSwIfIndex)
		return fmt.Errorf("%w: %s is a sub-interface of %s, not of %s: say that Parent, or none", desiredstate.ErrInvalid, l.Interface, parent, l.Parent)
	}
	return nil
}

// mayHaveMAC refuses a MAC that the interface cannot have, and that of one of ours whose own kind
// says what it is: the two would change it back and forth.
func (k links) mayHaveMAC(ctx context.Context, id uint32, mac MAC) error {
	i, err := k.c.at(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case i.Parent != "":
		return fmt.Errorf("%w: a sub-interface has its parent's MAC: leave it open", desiredstate.ErrInvalid)
	case i.MAC.IsZero():
		return fmt.Errorf("%w: a %s interface has no MAC: leave it open", desiredstate.ErrInvalid, i.Device)
	}
	_, ours := k.c.Untag(i.Tag)
	if ours && i.MAC != mac && slices.Contains(haveMACs, i.Device) {
		return fmt.Errorf("%w: the MAC of a %s interface is what its own object says: set it there", desiredstate.ErrConflict, i.Device)
	}
	return nil
}

// haveMACs are VPP's device classes of the interfaces whose kinds have a MAC.
var haveMACs = []string{deviceLoopback, deviceBVI, deviceBond, deviceMemif, "af-packet", "vhost-user", "virtio", "GRE tunnel device"}

// bonded says whether the interface has become a member of a bond since it was read.
func bonded(v *desiredstate.View, l LinkState) bool {
	_, err := v.ID(MemberKey(l.Interface))
	return err == nil
}

func (k links) defaultMTU(ctx context.Context, id uint32) (uint32, error) {
	i, err := k.c.at(ctx, id)
	return i.defaultMTU(), err
}
