// SPDX-License-Identifier: Apache-2.0

package gpe

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/lisp_types"
	"go.fd.io/govpp/binapi/one"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// An EID is in one place, here or elsewhere: VPP has both in one table. It gives the locators
// of a remote EID that is local to the whole set that it is in, and dies of the end of a
// local EID that is said to be in another set than it is. So both hold their EID, which
// the engine gives to one at a time, and nothing is changed that was not looked up right
// before.

// eidHeld is what only one LocalEID or RemoteEID can have.
func eidHeld(vni uint32, e EID) []desiredstate.Key {
	return []desiredstate.Key{{Space: "gpe-eid", Name: eidName(vni, e)}}
}

// eidName is made many times for each EID of a plan, in one piece.
func eidName(vni uint32, e EID) string {
	var text [longest]byte
	out, _ := e.AppendText(append(strconv.AppendUint(text[:0], uint64(vni), 10), '-'))
	return string(out)
}

type eids struct {
	c   *vppnet.Conn
	vpp lisp.RPCService
	one one.RPCService
}

func newEIDs(c *vppnet.Conn) eids { return eids{c, lisp.NewServiceClient(c), one.NewServiceClient(c)} }

// list reads all EIDs, here or elsewhere.
func (k eids) list(ctx context.Context, filter lisp.LispLocatorSetFilter) ([]*lisp.LispEidTableDetails, error) {
	return vppnet.Collect(k.vpp.LispEidTableDump(ctx, &lisp.LispEidTableDump{Filter: filter}))
}

// here reads which EIDs are local, by name.
func (k eids) here(ctx context.Context) (map[string]bool, error) {
	all, err := k.list(ctx, lisp.LISP_LOCATOR_SET_FILTER_API_LOCAL)
	out := make(map[string]bool, len(all))
	for _, d := range all {
		if e, ok := readEID(d.Seid); ok {
			out[eidName(d.Vni, e)] = true
		}
	}
	return out, err
}

// at reads where an EID is; nil: nowhere. For a prefix VPP may know one that is around it.
func (k eids) at(ctx context.Context, vni uint32, e EID) (*lisp.LispEidTableDetails, error) {
	all, err := vppnet.Collect(k.vpp.LispEidTableDump(ctx, &lisp.LispEidTableDump{EidSet: 1, Vni: vni, Eid: e.wire()}))
	for _, d := range all {
		if is, ok := readEID(d.Seid); ok && is == e && d.Vni == vni {
			return d, err
		}
	}
	return nil, err
}

// setNames are VPP's names of the local locator sets, by index.
func (k eids) setNames(ctx context.Context) (map[uint32]string, error) {
	all, err := vppnet.Collect(k.vpp.LispLocatorSetDump(ctx, localSets))
	out := make(map[uint32]string, len(all))
	for _, d := range all {
		out[d.LsIndex] = named(d).Tag
	}
	return out, err
}

func (k eids) removeLocal(ctx context.Context, vni uint32, e EID) error {
	d, err := k.at(ctx, vni, e)
	if err != nil || d == nil || !d.IsLocal {
		return err
	}
	names, err := k.setNames(ctx)
	if err != nil {
		return err
	}
	set, ok := names[d.LocatorSetIndex]
	if !ok {
		return fmt.Errorf("the locators of %s were taken away, so VPP does not say which set it is in, and would die of another: give the set a locator", e)
	}
	// A frame that came for it after its port had gone has had VPP find that there is no way to
	// it, which would hold wherever it is said to be later.
	if err := k.adjacent(ctx, vni, e, e, false); err != nil {
		return err
	}
	_, err = k.one.OneAddDelLocalEid(ctx, &one.OneAddDelLocalEid{Eid: e.wire(), Vni: vni, LocatorSetName: set, Key: noKey()})
	return vppnet.Gone(err, api.INVALID_VALUE)
}

func (k eids) removeRemote(ctx context.Context, vni uint32, e EID) error {
	d, err := k.at(ctx, vni, e)
	if err != nil || d == nil || d.IsLocal {
		return err
	}
	_, err = k.one.OneAddDelRemoteMapping(ctx, &one.OneAddDelRemoteMapping{Deid: e.wire(), Vni: vni})
	return err
}

// noKey is for map servers, of which there are none.
func noKey() lisp_types.HmacKey { return lisp_types.HmacKey{Key: make([]byte, 64)} }

// checkIn reports why an EID cannot be in a VNI.
func checkIn(vni uint32, e EID) error { return errors.Join(checkVNI(vni), e.check()) }

// vniOf is the key of the VNI that an EID is in.
func vniOf(vni uint32, e EID) desiredstate.Key { return vniKey(vni, !e.MAC.IsZero()) }

// ours are the VNIs that are ours, by key, in a reading.
func ours(v *desiredstate.View) map[desiredstate.Key]bool {
	out := map[desiredstate.Key]bool{}
	for n := range desiredstate.All[VNI](v) {
		out[n.Spec.Key()] = !n.Foreign
	}
	return out
}
