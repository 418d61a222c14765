// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
)

// SubInterface is what comes in on its parent with exactly these VLAN tags.
type SubInterface struct {
	Name    string
	Parent  string // an interface that is no sub-interface, ours or not
	Outer   uint16 // VLAN of the outer, or only, tag: 1 to 4094
	Inner   uint16 // VLAN of the inner tag: 1 to 4094; 0: there is none
	Dot1ad  bool   // the outer tag is 802.1ad (0x88a8), not 802.1Q (0x8100)
	Rewrite Rewrite

	// Pairable is for one of one tag that a linuxcp.Pair is made of: VPP's linux-cp takes what bears our
	// mark for an inner tag. The number in VPP's name for it then is no VLAN.
	Pairable bool
}

// Key is InterfaceKey(s.Name).
func (s SubInterface) Key() desiredstate.Key { return InterfaceKey(s.Name) }

// Deps lists the parent.
func (s SubInterface) Deps() []desiredstate.Key { return []desiredstate.Key{InterfaceKey(s.Parent)} }

// Validate checks names, VLANs and the rewrite.
func (s SubInterface) Validate() error {
	if err := CheckName(s.Name); err != nil {
		return err
	}
	if err := CheckRef("parent", s.Parent); err != nil {
		return err
	}
	tags := 1
	switch {
	case s.Parent == s.Name:
		return errors.New("sub-interface is its own parent")
	case s.Outer < 1 || s.Outer > 4094:
		return fmt.Errorf("outer VLAN %d, want 1 to 4094", s.Outer)
	case s.Inner > 4094:
		return fmt.Errorf("inner VLAN %d, want 1 to 4094, or 0 for none", s.Inner)
	case s.Inner > 0 && s.Pairable:
		return errors.New("field Pairable is for one tag: with two, each is")
	case s.Inner > 0:
		tags = 2
	}
	return s.Rewrite.check(tags)
}

// mark is what create_subif is told of s beside its tags, so that it is known for ours
// before it has its own: for one VLAN tag an inner VLAN, which VPP keeps and shows and
// does not look at; for two, or if it is Pairable, the number in VPP's name for it. Else that
// number is the VLAN, "eth0.100".
func (s SubInterface) mark(owner string) (id uint32, inner uint16) {
	id = uint32(s.Outer)
	if s.Inner != 0 {
		id = id<<12 | uint32(s.Inner)
	}
	if s.Dot1ad {
		id |= 1 << 24
	}
	sum := sha256.Sum256([]byte("sub-interface of " + owner))
	if s.Inner != 0 || s.Pairable {
		return 1<<31 | id ^ binary.BigEndian.Uint32(sum[:])>>1, s.Inner
	}
	return id, 1<<15 | binary.BigEndian.Uint16(sum[:]) ^ s.Outer
}

func (s SubInterface) flags() interface_types.SubIfFlags {
	f := interface_types.SUB_IF_API_FLAG_EXACT_MATCH | interface_types.SUB_IF_API_FLAG_ONE_TAG
	if s.Inner != 0 {
		f = interface_types.SUB_IF_API_FLAG_EXACT_MATCH | interface_types.SUB_IF_API_FLAG_TWO_TAGS
	}
	if s.Dot1ad {
		f |= interface_types.SUB_IF_API_FLAG_DOT1AD
	}
	return f
}

// deviceWireGuard is VPP's class of WireGuard's interfaces.
const deviceWireGuard = "Wireguard Tunnel"

// vlan is what one parent can have only once, however a sub-interface of it is
// numbered and named.
func (s SubInterface) vlan() desiredstate.Key {
	kind := "dot1q"
	if s.Dot1ad {
		kind = "dot1ad"
	}
	return desiredstate.Key{Space: "vlan", Name: fmt.Sprintf("%s %s %d.%d", s.Parent, kind, s.Outer, s.Inner)}
}

// saidBy is what VPP says no more by a device of which a sub-interface went down, and still has on: the key of lldp.Port.
func saidBy(parent string) []desiredstate.Key {
	if parent == "" {
		return nil
	}
	return []desiredstate.Key{{Space: "lldp", Name: parent}}
}

// SubInterfaces manages VLAN sub-interfaces (create_subif) and their tag rewrite
// (l2_interface_vlan_tag_rewrite), which changes in place; all else replaces, but that one is
// Pairable and need not be.
//
// VPP answers a second claim to a VLAN with an error that silently kills the
// sub-interface which has the VLAN, so nothing is sent for a VLAN that anybody
// was seen to have. Let nobody else make sub-interfaces of the same parent
// behind our back.
func SubInterfaces(c *Conn) *desiredstate.Kind[SubInterface] {
	vpp := interfaces.NewServiceClient(c)
	k := Tagged(c, &desiredstate.Kind[SubInterface]{
		Name:     "sub-interface",
		Messages: c.Uses(&interfaces.CreateSubif{}, &interfaces.DeleteSubif{}, &interfaces.SwInterfaceDump{}, &l2.L2InterfaceVlanTagRewrite{}),
		Dump: func(_ context.Context, v *desiredstate.View) (out []desiredstate.Actual[SubInterface], err error) {
			for a := range desiredstate.All[Interface](v) {
				i := a.Spec
				s := SubInterface{Name: i.Name, Parent: i.Parent, Outer: i.Outer, Inner: i.Inner, Dot1ad: i.Dot1ad, Rewrite: i.Rewrite, Pairable: i.Tags == 1 && i.inner == 0}
				if i.Parent == "" || i.Outer == 0 || i.Inner == 0 && i.Tags == 2 {
					continue // none of ours can be in its way
				}
				out = append(out, desiredstate.Actual[SubInterface]{Spec: s, ID: a.ID})
			}
			return out, nil
		},
		Check: func(v *desiredstate.View, s SubInterface) error {
			if known, ok := v.Known(InterfaceKey(s.Parent)).(interface{ Device() string }); ok {
				return s.checkParent(known.Device())
			}
			return nil
		},
		Foresee: func(ctx context.Context, v *desiredstate.View, _ uint32, s SubInterface) error {
			_, err := parentOf(ctx, vpp, v, s)
			return err
		},
		Create: func(ctx context.Context, v *desiredstate.View, s SubInterface) (uint32, error) {
			parent, err := parentOf(ctx, vpp, v, s)
			if err != nil {
				return 0, err
			}
			number, inner := s.mark(c.Owner())
			r, err := vpp.CreateSubif(ctx, &interfaces.CreateSubif{
				SwIfIndex: interface_types.InterfaceIndex(parent), SubID: number, SubIfFlags: s.flags(),
				OuterVlanID: s.Outer, InnerVlanID: inner,
			})
			if err != nil {
				return 0, err
			}
			return uint32(r.SwIfIndex), nil
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[SubInterface], want SubInterface) error {
			return c.rewrite(ctx, have.ID, want.Rewrite)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[SubInterface]) error {
			// The next interface with this index would inherit the rewrite.
			if have.Spec.Rewrite != (Rewrite{}) {
				if err := c.rewrite(ctx, have.ID, Rewrite{}); err != nil {
					return Gone(err, api.INVALID_SW_IF_INDEX)
				}
			}
			_, err := vpp.DeleteSubif(ctx, &interfaces.DeleteSubif{SwIfIndex: interface_types.InterfaceIndex(have.ID)})
			return Gone(err, api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[SubInterface], want SubInterface) SubInterface {
			want.Pairable = want.Pairable || have.Spec.Pairable
			return want
		},
		InPlace: func(have desiredstate.Actual[SubInterface], want SubInterface) bool {
			have.Spec.Rewrite = want.Rewrite
			return have.Spec == want
		},
		Shares: func(s SubInterface) []desiredstate.Key { return UseKeys(s.Parent) },
		Holds:  func(s SubInterface) []desiredstate.Key { return []desiredstate.Key{s.vlan()} },
		Undoes: func(s SubInterface) []desiredstate.Key { return saidBy(s.Parent) },
	}, Orphan[SubInterface]{
		Mark: func(want SubInterface) string { return want.vlan().Name },
		Marked: func(found SubInterface, i Interface) (string, bool) {
			id, inner := found.mark(c.Owner())
			return found.vlan().Name, i.Exact && i.SubID == id && i.inner == inner
		},
	})
	create := k.Create
	k.Create = func(ctx context.Context, v *desiredstate.View, s SubInterface) (uint32, error) {
		id, err := create(ctx, v, s)
		if err != nil {
			return 0, err
		}
		// Even if there is none: the last interface with this index may have left one.
		return id, c.rewrite(ctx, id, s.Rewrite)
	}
	return k
}

// parentOf is the index of a parent that can have sub-interfaces.
func parentOf(ctx context.Context, vpp interfaces.RPCService, v *desiredstate.View, s SubInterface) (uint32, error) {
	parent, err := v.ID(InterfaceKey(s.Parent))
	if err != nil {
		return 0, err
	}
	if err := CheckNoOverlay(v, parent, s.Parent); err != nil {
		return 0, err
	}
	device, err := deviceOf(ctx, vpp, v, parent)
	if err != nil {
		return 0, err
	}
	return parent, s.checkParent(device)
}

// checkParent refuses a parent by VPP's class of it.
func (s SubInterface) checkParent(device string) error {
	switch device {
	case devicePipe:
		return fmt.Errorf("%w: %s is a pipe or an end of one: VPP would die of its next pipe_dump; give the bridge domain at its other end the sub-interface", desiredstate.ErrInvalid, s.Parent)
	case deviceWireGuard:
		return fmt.Errorf("%w: %s is WireGuard's, which carries no VLANs: VPP would die of the first neighbour on the sub-interface", desiredstate.ErrInvalid, s.Parent)
	}
	return nil
}

// deviceOf is the device class of an interface; VPP is asked if it was made since it was read.
func deviceOf(ctx context.Context, vpp interfaces.RPCService, v *desiredstate.View, id uint32) (string, error) {
	if i, ok := desiredstate.At[Interface](v, id); ok {
		return i.Spec.Device, nil
	}
	all, err := Collect(vpp.SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(id)}))
	if err != nil || len(all) != 1 {
		return "", err
	}
	return all[0].InterfaceDevType, nil
}
