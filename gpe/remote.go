// SPDX-License-Identifier: Apache-2.0

package gpe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/lisp_types"
	"go.fd.io/govpp/binapi/one"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// RemoteEID says that a MAC or a prefix is elsewhere, and where.
type RemoteEID struct {
	VNI uint32
	EID EID

	// Locators are the addresses of the VPP that it is at, IPv4 or IPv6, not this one's own.
	// Without any, what is for it is dropped. Their order means nothing but among those of one priority.
	Locators []RemoteLocator

	// From is a LocalEID of the same VNI, by whose locators it is to be reached, at once.
	// Zero: VPP finds out with the first frame for it, which it drops, by who sent that, and
	// anew when that LocalEID has gone.
	From EID
}

// RemoteLocator is one of a RemoteEID.
type RemoteLocator struct {
	Address  netip.Addr
	Priority uint8 // VPP uses the locators of the lowest number that it has a way to
	Weight   uint8 // of those with the same priority
}

// Equal says whether both say the same.
func (r RemoteEID) Equal(o RemoteEID) bool {
	return r.VNI == o.VNI && r.EID == o.EID && r.From == o.From && slices.Equal(r.Locators, o.Locators)
}

// RemoteEIDKey is the key of a RemoteEID.
func RemoteEIDKey(vni uint32, e EID) desiredstate.Key {
	return desiredstate.Key{Space: "gpe-remote-eid", Name: eidName(vni, e)}
}

// Key is RemoteEIDKey(r.VNI, r.EID).
func (r RemoteEID) Key() desiredstate.Key { return RemoteEIDKey(r.VNI, r.EID) }

// Deps lists the VNI and, if there is one, From.
func (r RemoteEID) Deps() []desiredstate.Key {
	deps := []desiredstate.Key{vniOf(r.VNI, r.EID)}
	if !r.From.isZero() {
		deps = append(deps, LocalEIDKey(r.VNI, r.From))
	}
	return deps
}

// Validate checks VNI, EIDs and addresses.
func (r RemoteEID) Validate() error {
	if err := checkIn(r.VNI, r.EID); err != nil {
		return err
	}
	for i, l := range r.Locators {
		if !l.Address.IsValid() || l.Address.IsUnspecified() || l.Address.IsMulticast() || l.Address.Is4In6() || l.Address.Zone() != "" {
			return fmt.Errorf("locator %q, want a unicast address", l.Address)
		}
		if slices.ContainsFunc(r.Locators[:i], func(o RemoteLocator) bool { return o.Address == l.Address }) {
			return fmt.Errorf("locator %s is there twice", l.Address)
		}
	}
	if r.From.isZero() {
		return nil
	}
	if r.From.MAC.IsZero() != r.EID.MAC.IsZero() || r.From == r.EID {
		return fmt.Errorf("%s from %s: want another EID of the same sort", r.EID, r.From)
	}
	return r.From.check()
}

// RemoteEIDs manages the remote EIDs of our VNIs (one_add_del_remote_mapping), and from where
// they are reached (one_add_del_adjacency). All of one changes in place: a MAC that moves
// from one VPP to another costs two messages, whatever else there is.
//
// An EID is in one place. A MAC that has moved away while it still is said to be here is
// refused, and made as soon as that LocalEID goes, in whichever order the two are told: VPP
// would give the locators to all EIDs that are here.
func RemoteEIDs(c *vppnet.Conn) *desiredstate.Kind[RemoteEID] {
	k := newEIDs(c)
	here := shared.NewRound(k.here)
	return &desiredstate.Kind[RemoteEID]{
		Target:   c.Target(),
		Name:     "remote-eid",
		Requires: []desiredstate.AnyKind{VNIs(c), LocalEIDs(c)},
		Messages: c.Uses(&lisp.LispEidTableDump{}, &lisp.LispLocatorDump{}, &lisp.ShowLispStatus{}, &lisp.LispAdjacenciesGet{},
			&one.OneAddDelRemoteMapping{}, &one.OneAddDelAdjacency{}),
		Dump:  k.remotes,
		Check: func(v *desiredstate.View, r RemoteEID) error { return mayHave(v, r.VNI, r.EID) },
		Create: func(ctx context.Context, _ *desiredstate.View, r RemoteEID) (uint32, error) {
			local, err := here.Join(ctx)
			if err == nil && local[eidName(r.VNI, r.EID)] {
				err = fmt.Errorf("%w: by now somebody says that %s is here, in VNI %d: take that LocalEID away, or do without the RemoteEID",
					desiredstate.ErrConflict, r.EID, r.VNI)
			}
			if err != nil {
				return 0, err
			}
			return 0, k.place(ctx, r)
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[RemoteEID], want RemoteEID) error {
			d, err := k.at(ctx, want.VNI, want.EID)
			if err != nil {
				return err
			}
			if d == nil || d.IsLocal {
				return fmt.Errorf("%w: %s is elsewhere no more", desiredstate.ErrChanged, want.EID)
			}
			// What is forwarded goes where it did, until it is found out anew.
			if err := k.adjacent(ctx, want.VNI, want.EID, want.EID, false); err != nil {
				return err
			}
			return k.place(ctx, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[RemoteEID]) error {
			return k.removeRemote(ctx, have.Spec.VNI, have.Spec.EID)
		},
		Fill: func(have desiredstate.Actual[RemoteEID], want RemoteEID) RemoteEID {
			if want.From.isZero() {
				want.From = have.Spec.From
			}
			want.Locators = firstFirst(want.Locators)
			return want
		},
		Holds: func(r RemoteEID) []desiredstate.Key { return eidHeld(r.VNI, r.EID) },
	}
}

// firstFirst are locators in the order that VPP needs: it takes the first that it has a way to, and of the
// others those of the same priority.
func firstFirst(all []RemoteLocator) []RemoteLocator {
	byPriority := func(a, b RemoteLocator) int { return cmp.Compare(a.Priority, b.Priority) }
	if slices.IsSortedFunc(all, byPriority) {
		return all
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, byPriority)
	return all
}

// actionDrop is what VPP does with frames for whom it has no way.
const actionDrop = 3

// place says where an EID is, and from where it is reached.
func (k eids) place(ctx context.Context, r RemoteEID) error {
	req := &one.OneAddDelRemoteMapping{IsAdd: true, Vni: r.VNI, Deid: r.EID.wire(), Action: actionDrop}
	for _, l := range firstFirst(r.Locators) {
		req.Rlocs = append(req.Rlocs, lisp_types.RemoteLocator{IPAddress: inet.Address(l.Address), Priority: l.Priority, Weight: l.Weight})
	}
	_, err := k.one.OneAddDelRemoteMapping(ctx, req)
	if errors.Is(err, api.LISP_RLOC_LOCAL) {
		err = fmt.Errorf("%w: a locator is an address of this VPP: %w", desiredstate.ErrInvalid, err)
	}
	if err != nil || r.From.isZero() {
		return err
	}
	return k.adjacent(ctx, r.VNI, r.EID, r.From, true)
}

func (k eids) adjacent(ctx context.Context, vni uint32, remote, local EID, add bool) error {
	req := &one.OneAddDelAdjacency{Vni: vni, Reid: remote.wire(), Leid: local.wire()}
	if add {
		req.IsAdd = 1
	}
	_, err := k.one.OneAddDelAdjacency(ctx, req)
	return err
}

func (k eids) remotes(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[RemoteEID], err error) {
	all, err := k.list(ctx, lisp.LISP_LOCATOR_SET_FILTER_API_REMOTE)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	sets, networks := make([]uint32, len(all)), map[uint32]bool{}
	for i, d := range all {
		sets[i], networks[d.Vni] = d.LocatorSetIndex, true
	}
	where, err := locatorsOf(ctx, k.c, sets)
	if err != nil {
		return nil, err
	}
	from, err := k.adjacencies(ctx, networks)
	mine := ours(v)
	for _, d := range all {
		e, ok := readEID(d.Seid)
		if !ok {
			continue
		}
		r := RemoteEID{VNI: d.Vni, EID: e, From: from[place{d.Vni, e}]}
		if d.LocatorSetIndex != noSet {
			for _, l := range where[d.LocatorSetIndex] {
				r.Locators = append(r.Locators, RemoteLocator{inet.Read(l.IPAddress), l.Priority, l.Weight})
			}
		}
		out = append(out, desiredstate.Actual[RemoteEID]{Foreign: !mine[vniOf(d.Vni, e)], Spec: r})
	}
	return out, err
}

// noSet stands for a set without locators.
const noSet = 1<<32 - 1

// A place is an EID of a VNI.
type place struct {
	vni uint32
	EID
}

// adjacencies are the EIDs from which others are reached.
func (k eids) adjacencies(ctx context.Context, networks map[uint32]bool) (map[place]EID, error) {
	var requests []api.Message
	var vnis []uint32
	for vni := range networks {
		requests, vnis = append(requests, &lisp.LispAdjacenciesGet{Vni: vni}), append(vnis, vni)
	}
	answers, err := vppnet.AskEach[*lisp.LispAdjacenciesGetReply](ctx, k.c, requests...)
	out := map[place]EID{}
	for i, r := range answers {
		for _, a := range r.Adjacencies {
			remote, ok := readEID(a.Reid)
			if local, fine := readEID(a.Leid); ok && fine {
				out[place{vnis[i], remote}] = local
			}
		}
	}
	return out, err
}
