// SPDX-License-Identifier: Apache-2.0

package gpe

import (
	"context"
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	bridge "go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/one"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// LocalEID says that a MAC or a prefix is here: what it sends may travel by the overlay.
// VPP sends nothing for whom it does not know to be here.
type LocalEID struct {
	VNI        uint32
	EID        EID
	LocatorSet string
}

// LocalEIDKey is the key of a LocalEID.
func LocalEIDKey(vni uint32, e EID) desiredstate.Key {
	return desiredstate.Key{Space: "gpe-local-eid", Name: eidName(vni, e)}
}

// Key is LocalEIDKey(l.VNI, l.EID).
func (l LocalEID) Key() desiredstate.Key { return LocalEIDKey(l.VNI, l.EID) }

// Deps lists the VNI and the locator set.
func (l LocalEID) Deps() []desiredstate.Key {
	return []desiredstate.Key{vniOf(l.VNI, l.EID), LocatorSetKey(l.LocatorSet)}
}

// Validate checks VNI, EID and name.
func (l LocalEID) Validate() error {
	if err := checkIn(l.VNI, l.EID); err != nil {
		return err
	}
	return vppnet.CheckRef("locator set", l.LocatorSet)
}

// LocalEIDs manages the local EIDs of our VNIs (one_add_del_local_eid). One whose locator set
// changes is replaced.
//
// Whoever is here no more is forgotten by the bridge domain, which otherwise would go on
// sending to the port where it was.
//
// An EID is in one place. A MAC that has moved here while it still is said to be elsewhere is
// refused, and made as soon as that RemoteEID goes, in whichever order the two are told.
func LocalEIDs(c *vppnet.Conn) *desiredstate.Kind[LocalEID] {
	k := newEIDs(c)
	return &desiredstate.Kind[LocalEID]{
		Target:   c.Target(),
		Name:     "local-eid",
		Requires: []desiredstate.AnyKind{VNIs(c), LocatorSets(c)},
		Messages: c.Uses(&lisp.LispEidTableDump{}, &lisp.LispLocatorSetDump{}, &lisp.LispEidTableMapDump{}, &one.OneAddDelLocalEid{},
			&one.OneAddDelAdjacency{}, &bridge.L2FibTableDump{}, &bridge.L2fibAddDel{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[LocalEID], err error) {
			all, err := k.list(ctx, lisp.LISP_LOCATOR_SET_FILTER_API_LOCAL)
			mine := ours(v)
			for _, d := range all {
				e, ok := readEID(d.Seid)
				if !ok {
					continue
				}
				set, ok := v.Name(locatorSpace, d.LocatorSetIndex)
				if !ok {
					set = vppnet.Foreign(fmt.Sprint(d.LocatorSetIndex)) // it has no locators
				}
				out = append(out, desiredstate.Actual[LocalEID]{Foreign: !mine[vniOf(d.Vni, e)], Spec: LocalEID{VNI: d.Vni, EID: e, LocatorSet: set}})
			}
			return out, err
		},
		Check: func(v *desiredstate.View, l LocalEID) error { return mayHave(v, l.VNI, l.EID) },
		Create: func(ctx context.Context, v *desiredstate.View, l LocalEID) (uint32, error) {
			set, err := setName(c, l.LocatorSet)
			if err != nil {
				return 0, err
			}
			_, err = k.one.OneAddDelLocalEid(ctx, &one.OneAddDelLocalEid{IsAdd: true, Vni: l.VNI, Eid: l.EID.wire(), LocatorSetName: set, Key: noKey()})
			if errors.Is(err, api.VALUE_EXIST) {
				err = fmt.Errorf("%w: somebody says where %s is in VNI %d by now: %w", desiredstate.ErrConflict, l.EID, l.VNI, err)
			}
			return 0, err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[LocalEID]) error {
			if err := k.removeLocal(ctx, have.Spec.VNI, have.Spec.EID); err != nil {
				return err
			}
			return k.forget(ctx, have.Spec.VNI, have.Spec.EID)
		},
		Holds: func(l LocalEID) []desiredstate.Key { return eidHeld(l.VNI, l.EID) },
	}
}

// mayHave refuses EIDs in VNIs that are there and not ours.
func mayHave(v *desiredstate.View, vni uint32, e EID) error {
	id, err := v.ID(vniOf(vni, e))
	if err != nil {
		return nil //nolint:nilerr // it is still to come
	}
	if _, ours := v.Owned(vniSpace, id); !ours {
		return fmt.Errorf("%w: VNI %d: have a gpe.VNI of ours, or claim it (gpe.VNIs)", desiredstate.ErrForeign, vni)
	}
	return nil
}

// forget takes a MAC that was learnt from the bridge domain of a VNI.
func (k eids) forget(ctx context.Context, vni uint32, e EID) error {
	if e.MAC.IsZero() {
		return nil
	}
	maps, err := vppnet.Collect(k.vpp.LispEidTableMapDump(ctx, &lisp.LispEidTableMapDump{IsL2: true}))
	if err != nil {
		return err
	}
	vpp := bridge.NewServiceClient(k.c)
	for _, m := range maps {
		if m.Vni != vni {
			continue
		}
		learnt, err := vppnet.Collect(vpp.L2FibTableDump(ctx, &bridge.L2FibTableDump{BdID: m.DpTable}))
		if err != nil {
			return err
		}
		for _, d := range learnt {
			if vppnet.MAC(d.Mac) != e.MAC || d.StaticMac || d.BviMac || d.FilterMac {
				continue
			}
			_, err := vpp.L2fibAddDel(ctx, &bridge.L2fibAddDel{Mac: ethernet_types.MacAddress(e.MAC), BdID: m.DpTable, SwIfIndex: d.SwIfIndex})
			return vppnet.Gone(err, api.NO_SUCH_ENTRY)
		}
	}
	return nil
}
