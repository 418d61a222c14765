// SPDX-License-Identifier: Apache-2.0

package gpe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/lisp_types"
	"go.fd.io/govpp/binapi/one"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// LocatorSet is what other VPPs reach this one by: interfaces, of whose addresses VPP takes
// the first IPv4 or IPv6 one, whichever the other end has.
type LocatorSet struct {
	Name     string
	Locators []Locator // at least one, in order of interface

	// After lists what has to be there before: the interfaces' addresses, and ways to the
	// other ends. If there is no way when the first frame for a remote EID comes, VPP drops
	// those for it until the RemoteEID changes.
	After []desiredstate.Key
}

// Locator is one of a LocatorSet.
type Locator struct {
	Interface string
	Priority  uint8
	Weight    uint8 // of those with the same priority
}

const locatorSpace = "gpe-locators"

// LocatorSetKey is the key of a LocatorSet.
func LocatorSetKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: locatorSpace, Name: name}
}

// Key is LocatorSetKey(s.Name).
func (s LocatorSet) Key() desiredstate.Key { return LocatorSetKey(s.Name) }

// Deps lists the Overlay, the interfaces and After.
func (s LocatorSet) Deps() []desiredstate.Key {
	deps := []desiredstate.Key{OverlayKey()}
	for _, l := range s.Locators {
		deps = append(deps, vppnet.InterfaceKey(l.Interface))
	}
	return append(deps, s.After...)
}

// Validate checks names, and that there is a locator.
func (s LocatorSet) Validate() error {
	if err := vppnet.CheckName(s.Name); err != nil {
		return err
	}
	if len(s.Locators) == 0 {
		return errors.New("no locators, want one at least: VPP does not show which EIDs are in a set without")
	}
	for i, l := range s.Locators {
		if err := vppnet.CheckRef("interface", l.Interface); err != nil {
			return err
		}
		if l.Interface == vppnet.Foreign("local0") {
			return errors.New("locator by local0, which has no address")
		}
		if i > 0 && s.Locators[i-1].Interface >= l.Interface {
			return fmt.Errorf("locators %q, %q: want each interface once, in order", s.Locators[i-1].Interface, l.Interface)
		}
	}
	return vppnet.CheckAfter(s.Key(), s.After)
}

// LocatorSets manages the sets of local locators (lisp_add_del_locator_set). VPP keeps their
// names, so those are tags: "owner/name". Locators change in place; EIDs that are in the
// set stay.
func LocatorSets(c *vppnet.Conn) *desiredstate.Kind[LocatorSet] {
	k := locators{c, lisp.NewServiceClient(c)}
	return vppnet.Labelled(c, &desiredstate.Kind[LocatorSet]{
		Target:   c.Target(),
		Name:     "locator-set",
		Requires: []desiredstate.AnyKind{overlays(c, false), vppnet.Interfaces(c)},
		Messages: c.Uses(&lisp.LispLocatorSetDump{}, &lisp.LispLocatorDump{}, &lisp.LispAddDelLocatorSet{}, &lisp.ShowLispStatus{},
			&lisp.LispEidTableDump{}, &lisp.LispAdjacenciesGet{}, &one.OneAddDelAdjacency{}, &one.OneAddDelLocalEid{}),
		Dump: k.dump,
		Verify: vppnet.Verifier(c, func(ctx context.Context, _ []uint32) (map[uint32]vppnet.Named, error) {
			all, err := vppnet.Collect(k.vpp.LispLocatorSetDump(ctx, localSets))
			now := make(map[uint32]vppnet.Named, len(all))
			for _, d := range all {
				now[d.LsIndex] = named(d)
			}
			return now, err
		}),
		Create: func(ctx context.Context, v *desiredstate.View, s LocatorSet) (uint32, error) {
			return k.make(ctx, v, s)
		},
		Update: k.update,
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[LocatorSet]) error {
			name, err := k.vppName(have.Spec.Name)
			if err != nil {
				return err
			}
			if there, err := k.there(ctx, name); err != nil || !there {
				return err
			}
			if err := k.settle(ctx, have.ID, name); err != nil {
				return err
			}
			_, err = k.vpp.LispAddDelLocatorSet(ctx, &lisp.LispAddDelLocatorSet{LocatorSetName: name})
			if err != nil {
				err = fmt.Errorf("VPP keeps a set that EIDs are in: %w", err)
			}
			return err
		},
		Fill: func(have desiredstate.Actual[LocatorSet], want LocatorSet) LocatorSet {
			want.After = have.Spec.After // VPP does not know of it
			return want
		},
	}, nil)
}

type locators struct {
	c   *vppnet.Conn
	vpp lisp.RPCService
}

var localSets = &lisp.LispLocatorSetDump{Filter: lisp.LISP_LOCATOR_SET_FILTER_API_LOCAL}

func named(d *lisp.LispLocatorSetDetails) vppnet.Named {
	name := strings.TrimRight(d.LsName, "\x00")
	return vppnet.Named{Tag: name, VPP: name}
}

func (k locators) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[LocatorSet], err error) {
	sets, err := vppnet.Collect(k.vpp.LispLocatorSetDump(ctx, localSets))
	if err != nil {
		return nil, err
	}
	marks, ids := make([]vppnet.Named, len(sets)), make([]uint32, len(sets))
	for i, d := range sets {
		marks[i], ids[i] = named(d), d.LsIndex
	}
	in, err := locatorsOf(ctx, k.c, ids)
	for i, n := range k.c.Names(marks...) {
		s := LocatorSet{Name: n.Name}
		for _, l := range in[ids[i]] {
			name, ok := v.Name("interface", uint32(l.SwIfIndex))
			if !ok {
				name = vppnet.Foreign(fmt.Sprint(l.SwIfIndex)) // it has gone
			}
			s.Locators = append(s.Locators, Locator{name, l.Priority, l.Weight})
		}
		slices.SortFunc(s.Locators, func(a, b Locator) int { return cmp.Compare(a.Interface, b.Interface) })
		out = append(out, desiredstate.Actual[LocatorSet]{ID: ids[i], Foreign: !n.Ours, Leftover: n.Surplus, Spec: s})
	}
	return out, err
}

// locatorsOf reads the locators of sets, local or not, all in one round trip. Details do not
// say whose they are, so behind each set comes a question with one answer.
func locatorsOf(ctx context.Context, c *vppnet.Conn, sets []uint32) (map[uint32][]*lisp.LispLocatorDetails, error) {
	var requests []api.Message
	for _, s := range sets {
		requests = append(requests, &lisp.LispLocatorDump{IsIndexSet: 1, LsIndex: s}, &lisp.ShowLispStatus{})
	}
	answers, err := vppnet.Ask(ctx, c, requests...)
	out := make(map[uint32][]*lisp.LispLocatorDetails, len(sets))
	n := 0
	for _, m := range answers {
		switch d := m.(type) {
		case *lisp.LispLocatorDetails:
			out[sets[n]] = append(out[sets[n]], d)
		case *lisp.ShowLispStatusReply:
			n++
		}
	}
	return out, err
}

// vppName is what VPP calls the set of this name, ours or not.
func (k locators) vppName(name string) (string, error) { return setName(k.c, name) }

func setName(c *vppnet.Conn, name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	if vpp, ok := strings.CutPrefix(name, vppnet.Foreign("")); ok {
		return vpp, nil
	}
	return c.Tag(name)
}

func (k locators) there(ctx context.Context, name string) (bool, error) {
	sets, err := vppnet.Collect(k.vpp.LispLocatorSetDump(ctx, localSets))
	return slices.ContainsFunc(sets, func(d *lisp.LispLocatorSetDetails) bool { return named(d).Tag == name }), err
}

// settle keeps VPP alive when a set goes: it looks for the set's EIDs in a list that is only as
// long as the last set that ever had one. So the set has one for a moment: an address of
// no use, in the default table's VNI, which VPP has by itself.
func (k locators) settle(ctx context.Context, set uint32, name string) error {
	e := PrefixEID(netip.PrefixFrom(netip.AddrFrom4([4]byte{127, byte(set >> 16), byte(set >> 8), byte(set)}), 32))
	req := one.OneAddDelLocalEid{IsAdd: true, Eid: e.wire(), LocatorSetName: name, Key: noKey()}
	if _, err := newEIDs(k.c).one.OneAddDelLocalEid(ctx, &req); err != nil && !errors.Is(err, api.VALUE_EXIST) {
		return err
	}
	return newEIDs(k.c).removeLocal(ctx, 0, e)
}

// update makes the set anew under the same name, which the EIDs in it survive: VPP writes
// behind its lists when a single locator is taken away. What is forwarded goes by the old
// locators until it is found out anew, so that is begun, and nothing shows whether it was. So until
// then the set has local0 too, which no spec has and nothing leaves by: who dies before leaves another set
// than is wanted.
func (k locators) update(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[LocatorSet], want LocatorSet) error {
	req, err := k.message(v, want)
	if err != nil {
		return err
	}
	unfinished := *req
	unfinished.Locators = append(slices.Clone(req.Locators), lisp_types.LocalLocator{SwIfIndex: local0})
	if _, err := k.vpp.LispAddDelLocatorSet(ctx, &unfinished); err != nil {
		return err
	}
	if err := k.forwardAnew(ctx, have.ID); err != nil {
		return err
	}
	_, err = k.vpp.LispAddDelLocatorSet(ctx, req)
	return err
}

const local0 = 0

// forwardAnew has VPP find out by what locators the EIDs in a set reach others.
func (k locators) forwardAnew(ctx context.Context, set uint32) error {
	eids := newEIDs(k.c)
	all, err := eids.list(ctx, lisp.LISP_LOCATOR_SET_FILTER_API_LOCAL)
	if err != nil {
		return err
	}
	in, networks := map[string]bool{}, map[uint32]bool{}
	for _, d := range all {
		if e, ok := readEID(d.Seid); ok && d.LocatorSetIndex == set {
			in[eidName(d.Vni, e)], networks[d.Vni] = true, true
		}
	}
	forwarded, err := eids.adjacencies(ctx, networks)
	for to, from := range forwarded {
		if err == nil && in[eidName(to.vni, from)] {
			err = eids.adjacent(ctx, to.vni, to.EID, from, true)
		}
	}
	return err
}

// make makes the set.
func (k locators) make(ctx context.Context, v *desiredstate.View, s LocatorSet) (uint32, error) {
	req, err := k.message(v, s)
	if err != nil {
		return 0, err
	}
	r, err := k.vpp.LispAddDelLocatorSet(ctx, req)
	if err != nil {
		return 0, err
	}
	return r.LsIndex, nil
}

// message makes the set, or gives one other locators.
func (k locators) message(v *desiredstate.View, s LocatorSet) (*lisp.LispAddDelLocatorSet, error) {
	name, err := k.c.Tag(s.Name)
	if err != nil {
		return nil, err
	}
	req := &lisp.LispAddDelLocatorSet{IsAdd: true, LocatorSetName: name}
	for _, l := range s.Locators {
		index, err := v.ID(vppnet.InterfaceKey(l.Interface))
		if err != nil {
			return nil, err
		}
		req.Locators = append(req.Locators, lisp_types.LocalLocator{SwIfIndex: interface_types.InterfaceIndex(index), Priority: l.Priority, Weight: l.Weight})
	}
	return req, nil
}
