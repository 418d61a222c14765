// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/classify"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/shared"
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
}

// Equal says whether two are the same.
func (b MACIPBinding) Equal(o MACIPBinding) bool {
	return b.Interface == o.Interface && b.Set == o.Set && slices.Equal(b.After, o.After)
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
// (macip_acl_interface_add_del). A binding is ours if its set is, or if its interface is
// and nobody else's tag is on the set: an interface has one, and who came first stays.
//
// One set takes the place of another in place, by one message that VPP executes
// while no packet moves. As with [Bindings], a reading finds bindings that have
// lost their effect; binding again mends that.
//
// VPP keeps a set where a table of the classifier goes that filters what an interface
// receives (input_acl_set_interface), and binds it to no effect where there is one, whoever's.
// So it is refused there (ErrConflict), before and after it is bound, and a reading finds where
// it is so (classify_table_by_interface).
func MACIPBindings(c *vppnet.Conn) *desiredstate.Kind[MACIPBinding] {
	k := &macipBindings{conn: c, vpp: acl.NewServiceClient(c), sets: macipSweep()}
	k.lists = vppnet.NewSweep(func(id uint32) api.Message {
		return &acl.MacipACLInterfaceListDump{SwIfIndex: interface_types.InterfaceIndex(id)}
	})
	k.bound = shared.NewBatch(k.readBound)
	return &desiredstate.Kind[MACIPBinding]{
		Target:   c.Target(),
		Name:     "macip-binding",
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c), MACIPSets(c), filters(c)},
		Messages: c.Uses(&acl.MacipACLInterfaceListDump{}, &acl.MacipACLInterfaceAddDel{},
			&classify.ClassifyTableByInterface{}, &l2.L2Flags{}, &memclnt.ControlPing{}),
		Dump:   k.dump,
		Shares: func(x MACIPBinding) []desiredstate.Key { return vppnet.UseKeys(x.Interface) },
		Holds:  func(x MACIPBinding) []desiredstate.Key { return []desiredstate.Key{iface.FilterKey(x.Interface)} },
		Create: func(ctx context.Context, v *desiredstate.View, b MACIPBinding) (uint32, error) {
			id, err := v.ID(vppnet.InterfaceKey(b.Interface))
			if err != nil {
				return 0, err
			}
			return id, k.bind(ctx, v, id, b, false)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[MACIPBinding], want MACIPBinding) error {
			return k.bind(ctx, v, have.ID, want, have.Broken != "")
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[MACIPBinding]) error {
			if h, err := k.holder(ctx, v, have.ID); err != nil || h != ourSet {
				return err
			}
			return k.unbind(ctx, have.ID)
		},
		Fill: func(have desiredstate.Actual[MACIPBinding], want MACIPBinding) MACIPBinding {
			want.After = have.Spec.After
			return want
		},
	}
}

type macipBindings struct {
	conn   *vppnet.Conn
	vpp    acl.RPCService
	effect effect
	bound  *shared.Batch[uint32, bound]
	lists  *vppnet.Sweep
	sets   *vppnet.Sweep
}

// bound is what VPP has bound to an interface.
type bound struct {
	set  uint32
	mark vppnet.Named
	any  bool // it has one
}

func (k *macipBindings) readBound(ctx context.Context, ifaces []uint32) (map[uint32]bound, error) {
	found, err := vppnet.Swept[*acl.MacipACLInterfaceListDetails](k.lists.Ask(ctx, k.conn, ifaces...))
	if err != nil {
		return nil, err
	}
	out := make(map[uint32]bound, len(ifaces))
	for _, id := range ifaces {
		out[id] = bound{}
	}
	var sets []uint32
	for _, d := range found {
		id := uint32(d.SwIfIndex)
		if _, asked := out[id]; asked && len(d.Acls) > 0 && d.Acls[0] != all {
			out[id] = bound{set: d.Acls[0], any: true}
			sets = append(sets, d.Acls[0])
		}
	}
	marks, err := macipMarks(ctx, k.conn, k.sets, sets...)
	for id, b := range out {
		b.mark = marks[b.set]
		out[id] = b
	}
	return out, err
}

func (k *macipBindings) dump(_ context.Context, v *desiredstate.View) (out []desiredstate.Actual[MACIPBinding], err error) {
	for f := range desiredstate.All[filtered](v) {
		name, there := v.Name("interface", f.ID)
		set, known := v.Name(MACIPKey("").Space, f.Spec.macip)
		if !there || !known {
			continue // there is none, or it has gone since
		}
		a := desiredstate.Actual[MACIPBinding]{
			ID: f.ID, Foreign: !mine(v, f.ID, f.Spec.macip), Spec: MACIPBinding{Interface: name, Set: set},
		}
		switch {
		case f.Spec.gone:
		case !f.Spec.tables.whole():
			a.Broken = partly
		case k.effect.lost(f.Spec.features):
			a.Broken = noEffect
		}
		out = append(out, a)
	}
	return out, nil
}

// mine says whether a binding is ours, by what a reading says of interface and set.
func mine(v *desiredstate.View, iface, set uint32) bool {
	if _, ours := v.Owned(MACIPKey("").Space, set); ours {
		return true
	}
	_, ours := v.Owned(vppnet.InterfaceKey("").Space, iface)
	name, _ := v.Name(MACIPKey("").Space, set)
	return ours && strings.HasPrefix(name, vppnet.Foreign(""))
}

// A holder is what is bound to an interface at this moment: nothing, something of ours,
// or something that is not ours to change.
type holder int

const (
	nothing holder = iota
	ourSet
	theirSet
)

// holder asks VPP: the index of a set that was deleted can be that of somebody else's.
func (k *macipBindings) holder(ctx context.Context, v *desiredstate.View, id uint32) (holder, error) {
	b, err := k.bound.Ask(ctx, id)
	if err != nil || !b.any {
		return nothing, err
	}
	_, ours := k.conn.Untag(b.mark.Tag)
	if !ours && !b.mark.Owned() { // nobody's
		_, ours = v.Owned(vppnet.InterfaceKey("").Space, id)
	}
	if ours {
		return ourSet, nil
	}
	return theirSet, nil
}

// bind puts a set on an interface; lost says that it is there, to no effect.
func (k *macipBindings) bind(ctx context.Context, v *desiredstate.View, id uint32, b MACIPBinding, lost bool) error {
	set, err := v.ID(MACIPKey(b.Set))
	if err != nil {
		return err
	}
	before, err := readTables(ctx, k.conn, id)
	if err != nil {
		return err
	}
	if before != noTables { // else no set filters there, and who has bound one needs not be asked
		h, err := k.holder(ctx, v, id)
		switch {
		case err != nil:
			return err
		case h == theirSet:
			return fmt.Errorf("%w: somebody else's MACIP set is on it, and there is room for one: have that taken off", desiredstate.ErrForeign)
		case h == nothing:
			return before.taken(b.Interface)
		}
	}
	index := interface_types.InterfaceIndex(id)
	err = k.effect.watch(ctx, k.conn, index, before == noTables, lost, func() error {
		_, err := k.vpp.MacipACLInterfaceAddDel(ctx, &acl.MacipACLInterfaceAddDel{IsAdd: true, SwIfIndex: index, ACLIndex: set})
		return err
	})
	if err != nil {
		return err
	}
	after, err := readTables(ctx, k.conn, id)
	switch {
	case err != nil || after.whole():
		return err
	case before == noTables:
		ctx, cancel := shared.Outlive(ctx)
		defer cancel()
		return errors.Join(after.taken(b.Interface), k.unbind(ctx, id))
	}
	return after.taken(b.Interface) // what there is of it stays in effect
}

// unbind takes the set off. Where others' tables are, VPP refuses to take off what is not there, and
// takes off the set all the same.
func (k *macipBindings) unbind(ctx context.Context, id uint32) error {
	_, err := k.vpp.MacipACLInterfaceAddDel(ctx, &acl.MacipACLInterfaceAddDel{SwIfIndex: interface_types.InterfaceIndex(id)})
	return vppnet.Gone(err, api.NO_SUCH_ENTRY, api.INVALID_SW_IF_INDEX, api.NO_SUCH_TABLE)
}
