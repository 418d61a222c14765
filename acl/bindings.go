// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"
	"fmt"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/vlib"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// Bindings manages what sets of ours are on an interface, whoever's it is
// (acl_interface_set_acl_list). Sets of others on it stay, and stay in order.
//
// Both directions change at once, in place, by one message. Sessions of the interface, which
// permit+reflect started, are then judged again by the sets that are left, as they are
// when a set changes: see [Sets]. If the binding goes, and no set of others is there,
// everything passes.
//
// A reading asks for the lists of all interfaces and for the L2 features of those
// that have one (l2_flags with nothing to set), to find sets without effect:
// see Binding.After. Which feature that is, is learned from the VPP at hand by the first
// binding; before, and where in doubt, no binding is said to have lost its effect unless
// no feature at all is on. They are put to effect by one message, the interface's list
// of ethertypes sent as it is, without a moment in which there is no filter. What
// became of the output side is not visible: it is taken to share the fate of the
// input side, and a binding without Input is taken to be in effect.
func Bindings(c *vppnet.Conn) *desiredstate.Kind[Binding] {
	k := &bindings{conn: c, vpp: acl.NewServiceClient(c)}
	k.lists, k.marks = shared.NewBatch(readLists(c)), shared.NewBatch(readMarks(c))
	return &desiredstate.Kind[Binding]{
		Target:   c.Target(),
		Name:     "acl-binding",
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c), Sets(c), filters(c)},
		Messages: c.Uses(&acl.ACLInterfaceListDump{}, &acl.ACLInterfaceSetACLList{}, &l2.L2Flags{},
			&acl.ACLInterfaceEtypeWhitelistDump{}, &acl.ACLInterfaceSetEtypeWhitelist{}, &vlib.CliInband{}, &memclnt.ControlPing{}),
		Dump:   k.dump,
		Shares: func(x Binding) []desiredstate.Key { return vppnet.UseKeys(x.Interface) },
		Create: func(ctx context.Context, v *desiredstate.View, b Binding) (uint32, error) {
			id, err := v.ID(vppnet.InterfaceKey(b.Interface))
			if err != nil {
				return 0, err
			}
			return id, k.set(ctx, v, id, b, false)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Binding], want Binding) error {
			return k.set(ctx, v, have.ID, want, have.Broken != "")
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Binding]) error {
			return vppnet.Gone(k.set(ctx, v, have.ID, Binding{}, false), api.INVALID_SW_IF_INDEX)
		},
		Disturbs: func(a desiredstate.Action, have desiredstate.Actual[Binding], want Binding) desiredstate.Disruption {
			in, out := have.Spec.Input, have.Spec.Output
			switch {
			case a != desiredstate.Update:
				return desiredstate.DisturbsNothing
			case !begins(want.Input, in) || !begins(want.Output, out): // sessions are judged again
				return desiredstate.DisturbsSessions
			case len(in) == 0 && len(want.Input) > 0 || len(out) == 0 && len(want.Output) > 0: // where all passed
				return desiredstate.DisturbsTraffic
			}
			return desiredstate.DisturbsNothing
		},
		Fill: func(have desiredstate.Actual[Binding], want Binding) Binding {
			want.After = have.Spec.After
			if want.same(have.Spec) {
				want.Input, want.Output = have.Spec.Input, have.Spec.Output // nil or empty
			}
			return want
		},
	}
}

type bindings struct {
	conn   *vppnet.Conn
	vpp    acl.RPCService
	effect effect
	lists  *shared.Batch[uint32, *acl.ACLInterfaceListDetails] // by interface; nil: it has gone
	marks  *shared.Batch[uint32, vppnet.Named]                 // by set; zero: it has gone
}

func readLists(c *vppnet.Conn) func(context.Context, []uint32) (map[uint32]*acl.ACLInterfaceListDetails, error) {
	sweep := vppnet.NewSweep(func(id uint32) api.Message {
		return &acl.ACLInterfaceListDump{SwIfIndex: interface_types.InterfaceIndex(id)}
	})
	return func(ctx context.Context, ifaces []uint32) (map[uint32]*acl.ACLInterfaceListDetails, error) {
		found, err := vppnet.Swept[*acl.ACLInterfaceListDetails](sweep.Ask(ctx, c, ifaces...))
		out := make(map[uint32]*acl.ACLInterfaceListDetails, len(ifaces))
		for _, id := range ifaces {
			out[id] = nil
		}
		for _, d := range found {
			out[uint32(d.SwIfIndex)] = d
		}
		return out, err
	}
}

func readMarks(c *vppnet.Conn) func(context.Context, []uint32) (map[uint32]vppnet.Named, error) {
	sweep := setSweep()
	return func(ctx context.Context, sets []uint32) (map[uint32]vppnet.Named, error) {
		there, err := setMarks(ctx, c, sweep, sets...)
		out := make(map[uint32]vppnet.Named, len(sets))
		for _, id := range sets {
			out[id] = there[id]
		}
		return out, err
	}
}

func (k *bindings) dump(_ context.Context, v *desiredstate.View) (out []desiredstate.Actual[Binding], err error) {
	for f := range desiredstate.All[filtered](v) {
		name, ok := v.Name("interface", f.ID)
		if !ok {
			continue // gone since
		}
		b := Binding{Interface: name, Input: names(v, f.Spec.in), Output: names(v, f.Spec.out)}
		if len(b.Input)+len(b.Output) == 0 {
			continue
		}
		a := desiredstate.Actual[Binding]{ID: f.ID, Spec: b}
		if len(b.Input) > 0 && !f.Spec.gone && k.effect.lost(f.Spec.features) {
			a.Broken = noEffect
		}
		out = append(out, a)
	}
	return out, nil
}

// split divides a list into input and output.
func split(d *acl.ACLInterfaceListDetails) (in, out []uint32) {
	n := min(int(d.NInput), len(d.Acls))
	return d.Acls[:n], d.Acls[n:]
}

// names gives those of the sets that are ours.
func names(v *desiredstate.View, sets []uint32) (out []string) {
	for _, s := range sets {
		if name, ours := v.Owned(SetKey("").Space, s); ours {
			out = append(out, name)
		}
	}
	return out
}

// set makes the sets of b the ones of ours on an interface, and sees to it that
// they have an effect; lost says that they have none.
func (k *bindings) set(ctx context.Context, v *desiredstate.View, id uint32, b Binding, lost bool) error {
	if err := judgeAnew(ctx, k.conn); err != nil {
		return err
	}
	index := interface_types.InterfaceIndex(id)
	list, err := k.lists.Ask(ctx, id)
	if err != nil {
		return err
	}
	if list == nil {
		return fmt.Errorf("%w: it has gone", api.INVALID_SW_IF_INDEX)
	}
	hadIn, hadOut := split(list)
	mine, err := k.mine(ctx, v, list.Acls, b)
	if err != nil {
		return err
	}
	in, err := splice(v, mine, hadIn, b.Input)
	if err != nil {
		return err
	}
	out, err := splice(v, mine, hadOut, b.Output)
	if err != nil {
		return err
	}
	lists := slices.Concat(in, out)
	if len(lists) > maxBound {
		return fmt.Errorf("%d sets with those of others, VPP can list %d", len(lists), maxBound)
	}
	send := func() error {
		_, err := k.vpp.ACLInterfaceSetACLList(ctx, &acl.ACLInterfaceSetACLList{
			SwIfIndex: index, Count: uint8(len(lists)), NInput: uint8(len(in)), Acls: lists,
		})
		return err
	}
	switch {
	case len(in) == 0:
		return send()
	case len(hadIn) == 0: // the first set of a direction always takes effect
		return k.effect.watch(ctx, k.conn, index, true, false, send)
	}
	if err := send(); err != nil {
		return err
	}
	return k.revive(ctx, index, lost)
}

// mine says which sets of a list are ours. Those that b does not want are taken off it,
// so that they still are is asked of VPP: the index of one that was deleted can be that
// of somebody else's by now.
func (k *bindings) mine(ctx context.Context, v *desiredstate.View, list []uint32, b Binding) (map[uint32]bool, error) {
	mine := map[uint32]bool{}
	for _, s := range list {
		name, ours := v.Owned(SetKey("").Space, s)
		if ours && !slices.Contains(b.Input, name) && !slices.Contains(b.Output, name) {
			mark, err := k.marks.Ask(ctx, s)
			if err != nil {
				return nil, err
			}
			ours = k.conn.Is(name, mark)
		}
		mine[s] = ours
	}
	return mine, nil
}

// splice puts our sets into a list in the place of those that were ours.
func splice(v *desiredstate.View, mine map[uint32]bool, have []uint32, want []string) (out []uint32, err error) {
	first := max(0, slices.IndexFunc(have, func(s uint32) bool { return mine[s] })) // no set of ours: all of the others' come after
	out = slices.Clone(have[:first])
	for _, name := range want {
		s, err := v.ID(SetKey(name))
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	for _, s := range have[first:] {
		if !mine[s] {
			out = append(out, s)
		}
	}
	return out, nil
}

// revive puts the sets of an interface to effect where they have none.
func (k *bindings) revive(ctx context.Context, index interface_types.InterfaceIndex, lost bool) error {
	features, err := readFeature(ctx, k.conn, index)
	if err != nil || !lost && !k.effect.lost(features) {
		return err
	}
	done, err := k.conn.Turn(ctx, typesOf(uint32(index)))
	if err != nil {
		return err
	}
	defer done()
	types, err := vppnet.Collect(k.vpp.ACLInterfaceEtypeWhitelistDump(ctx, &acl.ACLInterfaceEtypeWhitelistDump{SwIfIndex: index}))
	if err != nil {
		return err
	}
	req := &acl.ACLInterfaceSetEtypeWhitelist{SwIfIndex: index}
	for _, t := range types {
		req.Count, req.NInput, req.Whitelist = uint8(len(t.Whitelist)), t.NInput, t.Whitelist
	}
	return k.effect.watch(ctx, k.conn, index, false, true, func() error {
		_, err := k.vpp.ACLInterfaceSetEtypeWhitelist(ctx, req)
		return err
	})
}
