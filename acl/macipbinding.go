// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// MACIPBinding puts a MACIP set on what comes in from an interface, which can
// have one.
type MACIPBinding struct {
	Interface string
	Set       string

	// After is as in Binding: a bridged interface's comes after
	// vppnet.BridgePortKey(Interface).
	After []desiredstate.Key

	lost bool // as read: the set is bound but has no effect on L2
}

// MACIPBindingKey is the key of the MACIPBinding of an interface.
func MACIPBindingKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "macip-binding", Name: iface}
}

// Key is MACIPBindingKey(b.Interface).
func (b MACIPBinding) Key() desiredstate.Key { return MACIPBindingKey(b.Interface) }

// Deps lists the interface, the set and After.
func (b MACIPBinding) Deps() []desiredstate.Key {
	return slices.Concat([]desiredstate.Key{vppnet.InterfaceKey(b.Interface), MACIPKey(b.Set)}, b.After)
}

// Validate checks the names.
func (b MACIPBinding) Validate() error {
	if err := cmp.Or(vppnet.CheckRef("interface", b.Interface), vppnet.CheckAfter(b.Key(), b.After)); err != nil {
		return err
	}
	if err := vppnet.CheckName(b.Set); err != nil {
		return fmt.Errorf("set: %w", err)
	}
	return nil
}

// MACIPBindings manages which MACIP set is on an interface
// (macip_acl_interface_add_del). A binding is ours if its set or its interface is.
//
// One set takes the place of another in place, by one message that VPP executes
// while no packet moves. As with [Bindings], a reading finds bindings that have
// lost their effect; binding again mends that.
func MACIPBindings(c *vppnet.Conn) *desiredstate.Kind[MACIPBinding] {
	k := macipBindings{acl.NewServiceClient(c)}
	return &desiredstate.Kind[MACIPBinding]{
		Name:     "macip-binding",
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c), MACIPSets(c), filters(c)},
		Messages: c.Uses(&acl.MacipACLInterfaceListDump{}, &acl.MacipACLInterfaceAddDel{}),
		Dump:     k.dump,
		Create: func(ctx context.Context, v *desiredstate.View, b MACIPBinding) (uint32, error) {
			id, err := v.ID(vppnet.InterfaceKey(b.Interface))
			if err != nil {
				return 0, err
			}
			return id, k.bind(ctx, v, id, b)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[MACIPBinding], want MACIPBinding) error {
			return k.bind(ctx, v, have.ID, want)
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[MACIPBinding]) error {
			if ours, err := k.ours(ctx, v, have.ID); err != nil || !ours {
				return err
			}
			_, err := k.vpp.MacipACLInterfaceAddDel(ctx, &acl.MacipACLInterfaceAddDel{SwIfIndex: interface_types.InterfaceIndex(have.ID)})
			return vppnet.Gone(err, api.NO_SUCH_ENTRY, api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have, want MACIPBinding) MACIPBinding {
			want.After = have.After
			return want
		},
	}
}

type macipBindings struct{ vpp acl.RPCService }

func (k macipBindings) dump(_ context.Context, v *desiredstate.View) (out []desiredstate.Actual[MACIPBinding], err error) {
	for f := range desiredstate.All[filtered](v) {
		iface, there := v.Name("interface", f.ID)
		set, known := v.Name(MACIPKey("").Space, f.Spec.macip)
		if !there || !known {
			continue // there is none, or it has gone since
		}
		out = append(out, desiredstate.Actual[MACIPBinding]{
			ID: f.ID, Foreign: !mine(v, f.ID, f.Spec.macip),
			Spec: MACIPBinding{Interface: iface, Set: set, lost: f.Spec.features&featMACIP == 0},
		})
	}
	return out, nil
}

// mine says whether interface or set is ours.
func mine(v *desiredstate.View, iface, set uint32) bool {
	_, i := v.Owned(vppnet.InterfaceKey("").Space, iface)
	_, s := v.Owned(MACIPKey("").Space, set)
	return i || s
}

// ours says whether what is bound to an interface at this moment may be changed;
// nothing may.
func (k macipBindings) ours(ctx context.Context, v *desiredstate.View, id uint32) (bool, error) {
	found, err := vppnet.Collect(k.vpp.MacipACLInterfaceListDump(ctx, &acl.MacipACLInterfaceListDump{SwIfIndex: interface_types.InterfaceIndex(id)}))
	if err != nil {
		return false, err
	}
	for _, d := range found {
		if len(d.Acls) > 0 && d.Acls[0] != all && !mine(v, id, d.Acls[0]) {
			return false, nil
		}
	}
	return true, nil
}

func (k macipBindings) bind(ctx context.Context, v *desiredstate.View, id uint32, b MACIPBinding) error {
	set, err := v.ID(MACIPKey(b.Set))
	if err != nil {
		return err
	}
	ours, err := k.ours(ctx, v, id)
	if err != nil {
		return err
	}
	if !ours {
		return fmt.Errorf("%w: somebody else's MACIP set is on it", desiredstate.ErrForeign)
	}
	_, err = k.vpp.MacipACLInterfaceAddDel(ctx, &acl.MacipACLInterfaceAddDel{
		IsAdd: true, SwIfIndex: interface_types.InterfaceIndex(id), ACLIndex: set,
	})
	return err
}
