// SPDX-License-Identifier: Apache-2.0

package classify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/classify"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// Tables manages the classifier's tables (classify_add_del_table). Next and Deny change in
// place; with another mask, or room for more, a table is made anew, with its sessions.
//
// VPP does not show where the mask begins in a packet: it is in the label, as it was when the
// table was made. VPP lets go of a table that is looked into, and dies of the next packet: so
// what looks into a table of ours goes before it, and one that is the next of a table of somebody
// else's, or that somebody has what an interface receives looked up in, is neither removed nor made
// anew (desiredstate.ErrInUse). A VPP before 25.06 does not show the latter, and none what filters
// output, or what is bridged.
func Tables(c *vppnet.Conn) *desiredstate.Kind[Table] {
	k := newTables(c)
	return vppnet.Labelled(c, &desiredstate.Kind[Table]{
		Target: c.Target(),
		Name:   "classify-table",
		Messages: iface.Uses(c, &classify.ClassifyAddDelTable{}, &classify.ClassifyTableIds{}, &classify.ClassifyTableInfo{}, &interfaces.SwInterfaceDump{},
			&classify.ClassifyTableByInterface{}, &classify.PolicerClassifyDump{}, &classify.FlowClassifyDump{}, &memclnt.ControlPing{}),
		Dump: vppnet.Reread(c, k.dump),
		Verify: vppnet.Verifier(c, func(ctx context.Context, ids []uint32) (map[uint32]vppnet.Named, error) {
			of, err := k.at(ctx, ids...)
			if err != nil {
				return nil, err
			}
			labels, err := k.labels(ctx, of)
			now := make(map[uint32]vppnet.Named, len(ids))
			for i, id := range ids {
				if of[i] != nil && err == nil {
					now[id] = named(id, of[i], labels[i])
				}
			}
			return now, err
		}),
		Create: k.create,
		Update: k.update,
		Delete: k.delete,
		Foresee: func(ctx context.Context, v *desiredstate.View, id uint32, _ Table) error {
			return cmp.Or(k.checkNext(ctx, id), k.checkLooks(ctx, v, id))
		},
		InPlace: func(have desiredstate.Actual[Table], want Table) bool {
			have.Spec.Next, have.Spec.Deny = want.Next, want.Deny
			return have.Spec == want
		},
		Fill: func(have desiredstate.Actual[Table], want Table) Table {
			if have.Spec.Sessions == buckets(want.Sessions) {
				want.Sessions = have.Spec.Sessions
			}
			return want
		},
	}, Table.header)
}

type tables struct {
	c     *vppnet.Conn
	vpp   classify.RPCService
	nexts *shared.Round[map[uint32]uint32] // others' tables, by what is asked after them
	looks *shared.Round[map[uint32][]desiredstate.Actual[Input]]
}

func newTables(c *vppnet.Conn) tables {
	k := tables{c: c, vpp: classify.NewServiceClient(c)}
	k.nexts, k.looks = shared.NewRound(k.theirs), shared.NewRound(k.everyones)
	return k
}

func (k tables) theirs(ctx context.Context) (map[uint32]uint32, error) {
	all, err := k.all(ctx)
	out := map[uint32]uint32{}
	for id, t := range all {
		if _, ours := k.c.Untag(text(t)); !ours && t.NextTableIndex != none {
			out[t.NextTableIndex] = id
		}
	}
	return out, err
}

// checkNext reports why a table has to stay: a table of somebody else's sends packets there.
func (k tables) checkNext(ctx context.Context, id uint32) error {
	nexts, err := k.nexts.Join(ctx)
	if by, is := nexts[id]; is && err == nil {
		err = fmt.Errorf("%w: it is the next of the classifier's table %d, and VPP would die of a packet: have that one removed", desiredstate.ErrInUse, by)
	}
	return err
}

func (k tables) dump(ctx context.Context, _ *desiredstate.View) (out []desiredstate.Actual[Table], err error) {
	all, err := k.all(ctx)
	if err != nil {
		return nil, err
	}
	labels := make(map[uint32]bool) // those that stand behind a table
	for _, t := range all {
		if text(t) == "" && text(all[t.NextTableIndex]) != "" {
			labels[t.NextTableIndex] = true
		}
	}
	// Labels that stand behind nothing come last: of several things with one name the first has it.
	var ids []uint32
	for _, left := range []bool{false, true} {
		for _, id := range slices.Sorted(maps.Keys(all)) {
			if t := all[id]; !labels[id] && (text(t) != "") == left {
				ids = append(ids, id)
			}
		}
	}
	ids, left := k.sift(all, ids)
	things := make([]vppnet.Named, len(ids))
	for i, id := range ids {
		things[i] = named(id, all[id], k.label(all, id))
	}
	names, called := k.c.Names(things...), make(map[uint32]string, len(ids))
	for i, n := range names {
		called[ids[i]] = n.Name
	}
	for i, id := range ids {
		t := decode(all[id], k.label(all, id), called)
		t.Name = names[i].Name
		t.readHeader(k.c.TagOptions(things[i].Tag))
		a := desiredstate.Actual[Table]{
			ID: id, Spec: t, Foreign: !names[i].Ours, Leftover: names[i].Surplus || names[i].Ours && text(all[id]) != "",
		}
		if left[things[i].Tag] {
			a.Broken = "a label that it had is left"
		}
		out = append(out, a)
	}
	return out, nil
}

// decode is a table as VPP shows it, without its name.
func decode(t, label table, called map[uint32]string) Table {
	s := shape{int(t.SkipNVectors), int(t.MatchNVectors)}
	out := Table{Mask: s.found(t.Mask), Sessions: t.Nbuckets}
	if out.Mask.shape() != s || t.Nbuckets < 2 {
		out.odd = "compares more than its mask"
	}
	last := t
	if label != nil {
		last = label
	}
	switch out.Next = called[last.NextTableIndex]; {
	case out.Next == "" && last.MissNextIndex == deny:
		out.Deny = true
	case last.MissNextIndex != pass:
		out.odd = "sends what has no session elsewhere"
	}
	return out
}

// next is the table that is asked next.
func (t Table) next(v *desiredstate.View) (uint32, error) {
	if t.Next == "" {
		return none, nil
	}
	return v.ID(TableKey(t.Next))
}

// miss is what becomes of what has no session.
func (t Table) miss() uint32 {
	if t.Deny {
		return deny
	}
	return pass
}

func (k tables) create(ctx context.Context, v *desiredstate.View, t Table) (uint32, error) {
	next, err := t.next(v)
	if err != nil {
		return 0, err
	}
	label, err := k.addLabel(ctx, t, next)
	if err != nil {
		return 0, err
	}
	s, n := t.Mask.shape(), buckets(t.Sessions)
	q := &classify.ClassifyAddDelTable{
		IsAdd: true, TableIndex: none, Nbuckets: n, MemorySize: memory(n, s), NextTableIndex: label, MissNextIndex: pass,
		SkipNVectors: uint32(s.skip), MatchNVectors: uint32(s.match), Mask: s.pad(t.Mask)[s.skip*vector:], CurrentDataOffset: t.Offset,
	}
	if t.Header {
		q.CurrentDataFlag = 1
	}
	q.MaskLen = uint32(len(q.Mask))
	r, err := k.vpp.ClassifyAddDelTable(ctx, q)
	var refused *vppnet.Error
	switch {
	case err == nil:
		return r.NewTableIndex, nil
	case errors.As(err, &refused) && !refused.Unknown:
		ctx, cancel := shared.Outlive(ctx)
		defer cancel()
		return 0, errors.Join(err, k.remove(ctx, label))
	}
	return 0, err // a label with nothing before it, if there is one, is found by the next reading
}

func (k tables) addLabel(ctx context.Context, t Table, next uint32) (uint32, error) {
	tag, err := k.c.Tag(t.Name, t.header()...)
	if err != nil {
		return 0, err
	}
	s := Pattern(tag).shape()
	r, err := k.vpp.ClassifyAddDelTable(ctx, &classify.ClassifyAddDelTable{
		IsAdd: true, TableIndex: none, Nbuckets: 1, MemorySize: 1 << 12, NextTableIndex: next, MissNextIndex: t.miss(),
		MatchNVectors: uint32(s.match), MaskLen: uint32(s.match * vector), Mask: s.pad(Pattern(tag)),
	})
	if err != nil {
		return 0, err
	}
	return r.NewTableIndex, nil
}

// follow changes what is asked after a table. That there is no mask makes VPP refuse it if there
// is no such table, instead of making one.
func (k tables) follow(ctx context.Context, id, next uint32) error {
	_, err := k.vpp.ClassifyAddDelTable(ctx, &classify.ClassifyAddDelTable{IsAdd: true, TableIndex: id, NextTableIndex: next})
	return err
}

// update gives a table another label, if it has to: what becomes of packets VPP does not change.
func (k tables) update(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Table], want Table) error {
	t, label, err := k.proven(ctx, have.Spec.Name, have.ID)
	if err != nil {
		return err
	}
	next, err := want.next(v)
	if err != nil {
		return err
	}
	if have.Broken != "" {
		if err := k.clear(ctx, text(label)); err != nil {
			return err
		}
	}
	if label.MissNextIndex == want.miss() {
		return k.follow(ctx, t.NextTableIndex, next)
	}
	other, err := k.addLabel(ctx, want, next)
	if err != nil {
		return err
	}
	err = k.follow(ctx, have.ID, other)
	var refused *vppnet.Error
	switch {
	case err == nil:
		return k.remove(ctx, t.NextTableIndex)
	case errors.As(err, &refused) && !refused.Unknown:
		ctx, cancel := shared.Outlive(ctx)
		defer cancel()
		return errors.Join(err, k.remove(ctx, other))
	}
	return err // which of the two it has, and which one is left, the next reading shows
}

func (k tables) delete(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Table]) error {
	t, label, err := k.proven(ctx, have.Spec.Name, have.ID)
	if errors.Is(err, desiredstate.ErrChanged) {
		return nil // it has gone
	}
	if err == nil {
		err = cmp.Or(k.checkNext(ctx, have.ID), k.checkLooks(ctx, v, have.ID))
	}
	if err == nil {
		err = k.remove(ctx, have.ID)
	}
	if err == nil && label != nil {
		err = k.remove(ctx, t.NextTableIndex)
	}
	return err
}

func (k tables) remove(ctx context.Context, id uint32) error {
	_, err := k.vpp.ClassifyAddDelTable(ctx, &classify.ClassifyAddDelTable{TableIndex: id})
	return vppnet.Gone(err, api.NO_SUCH_TABLE)
}
