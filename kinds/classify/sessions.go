// SPDX-License-Identifier: Apache-2.0

package classify

import (
	"context"
	"fmt"
	"sync"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/classify"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// Sessions manages the sessions of our tables (classify_add_del_session), also those that
// others put there. All changes are in place. policers is what makes policers known,
// qos.Policers(c); it may be nil, and then no session has one.
//
// A table that is full takes no more: VPP would die where its memory ends. It dies too of a few
// dozen sessions whose hashes were chosen for that, and a stranger can choose, as the hash is a
// CRC: do not let strangers say what a Match is. An action of VPP's that chooses a table of
// routes is none of a Session, and VPP shows none: it is written over.
func Sessions(c *vppnet.Conn, policers desiredstate.AnyKind) *desiredstate.Kind[Session] {
	k := &sessions{c: c, vpp: classify.NewServiceClient(c), tables: newTables(c), asked: map[uint32]*shared.Round[table]{}}
	requires := []desiredstate.AnyKind{Tables(c)}
	if policers != nil {
		requires = append(requires, policers)
	}
	return &desiredstate.Kind[Session]{
		Target:   c.Target(),
		Name:     "classify-session",
		Requires: requires,
		Variant:  policers != nil,
		Messages: c.Uses(&classify.ClassifyAddDelSession{}, &classify.ClassifySessionDump{}, &classify.ClassifyTableInfo{}, &memclnt.ControlPing{}),
		Dump:     vppnet.Reread(c, k.dump),
		Create: func(ctx context.Context, v *desiredstate.View, s Session) (uint32, error) {
			id, err := v.ID(TableKey(s.Table))
			if err != nil {
				return 0, err
			}
			return id, k.set(ctx, v, id, s, add)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Session], want Session) error {
			return k.set(ctx, v, have.ID, want, change)
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Session]) error {
			return vppnet.Gone(k.set(ctx, v, have.ID, have.Spec, remove), api.NO_SUCH_ENTRY, api.NO_SUCH_TABLE)
		},
	}
}

type sessions struct {
	c      *vppnet.Conn
	vpp    classify.RPCService
	tables tables

	mu    sync.Mutex
	asked map[uint32]*shared.Round[table] // by table
}

// look asks what a table is like by now: one question serves all who ask at once.
func (k *sessions) look(ctx context.Context, id uint32) (table, error) {
	k.mu.Lock()
	r := k.asked[id]
	if r == nil {
		r = shared.NewRound(func(ctx context.Context) (table, error) {
			found, err := k.tables.at(ctx, id)
			if err != nil {
				return nil, err
			}
			return found[0], nil
		})
		k.asked[id] = r
	}
	k.mu.Unlock()
	return r.Join(ctx)
}

// What is done with a session.
type action int

const (
	add action = iota
	change
	remove
)

// set makes, changes or unmakes a session. It goes by the table as it is: whether it still is
// the one with this name has been asked right before.
func (k *sessions) set(ctx context.Context, v *desiredstate.View, id uint32, s Session, do action) error {
	t, err := k.look(ctx, id)
	if err != nil {
		return err
	}
	if t == nil {
		if do == remove {
			return nil
		}
		return fmt.Errorf("%w: table %s is gone", desiredstate.ErrChanged, s.Table)
	}
	is := shape{int(t.SkipNVectors), int(t.MatchNVectors)}
	mask := is.found(t.Mask)
	if err := s.fits(mask, is); err != nil {
		return err
	}
	if do == add && t.ActiveSessions >= t.Nbuckets {
		return fmt.Errorf("%w: table %s has no room for more than %d sessions: give it a larger Table.Sessions", desiredstate.ErrConflict, s.Table, t.Nbuckets)
	}
	q := &classify.ClassifyAddDelSession{
		IsAdd: do != remove, TableIndex: id, HitNextIndex: none, OpaqueIndex: none, Advance: s.Advance, Match: is.pad(s.Match),
	}
	q.MatchLen = uint32(len(q.Match))
	if s.Deny {
		q.HitNextIndex = deny
	}
	if s.Policer != "" && do != remove {
		if q.HitNextIndex, err = v.ID(policerKey(s.Policer)); err != nil {
			return err
		}
		if q.OpaqueIndex = green; q.HitNextIndex >= passed {
			return fmt.Errorf("%w: policer %s has index %d, and VPP's sessions keep 16 bits of it", desiredstate.ErrInvalid, s.Policer, q.HitNextIndex)
		}
	}
	_, err = k.vpp.ClassifyAddDelSession(ctx, q)
	return err
}

// green is what packets are before a policer measures them. passed is how VPP shows that a
// session has no node of its own: it keeps 16 bits.
const green, passed = uint32(0), uint32(1<<16 - 1)

// fits reports what of the session a table with this mask would not look at.
func (s Session) fits(mask Pattern, is shape) error {
	if len(s.Match) > (is.skip+is.match)*vector {
		return fmt.Errorf("%w: the match %s is beyond the mask %s of table %s", desiredstate.ErrInvalid, s.Match, mask, s.Table)
	}
	for i := range len(s.Match) {
		if i >= len(mask) && s.Match[i] != 0 || i < len(mask) && s.Match[i]&^mask[i] != 0 {
			return fmt.Errorf("%w: the match %s has bits that the mask %s of table %s has not", desiredstate.ErrInvalid, s.Match, mask, s.Table)
		}
	}
	return nil
}

func (k *sessions) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Session], err error) {
	type at struct {
		name string
		is   shape
	}
	ours := map[uint32]at{}
	var requests []api.Message
	for t := range desiredstate.All[Table](v) {
		if !t.Foreign && !t.Leftover {
			ours[t.ID] = at{t.Spec.Name, t.Spec.Mask.shape()}
			requests = append(requests, &classify.ClassifySessionDump{TableID: t.ID})
		}
	}
	all, err := vppnet.Ask(ctx, k.c, requests...)
	if err != nil {
		return nil, err
	}
	found, err := vppnet.As[*classify.ClassifySessionDetails](all)
	for _, d := range found {
		t := ours[d.TableID]
		s := Session{Table: t.name, Match: t.is.found(d.Match), Advance: d.Advance}
		policer, chosen := v.Name("policer", d.HitNextIndex)
		switch {
		case d.HitNextIndex == passed && d.OpaqueIndex == none:
		case d.HitNextIndex == deny && d.OpaqueIndex == none:
			s.Deny = true
		case d.OpaqueIndex == green && chosen:
			s.Policer = policer
		default:
			s.odd = fmt.Sprintf("what has it goes to %d with %d", d.HitNextIndex, d.OpaqueIndex)
		}
		out = append(out, desiredstate.Actual[Session]{ID: d.TableID, Spec: s})
	}
	return out, err
}
