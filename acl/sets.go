// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/vlib"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// anew asks VPP for a new set, and all asks a dump for all that there is.
const anew, all = ^uint32(0), ^uint32(0)

// Sets manages sets of rules (acl_add_replace). A set is ours by its tag.
//
// Rules change in place, whether the set is bound or not, by one message that VPP
// executes while no packet moves: each meets all of the old rules or all of the
// new ones. Sessions that permit+reflect started are judged again, by the new rules of the
// sets bound to the interface, when the next packet comes from the side that began them:
// what these do not permit ends, all else goes on. A counter of what rules fit begins at 0;
// see [Counters].
//
// To judge sessions again is a setting of VPP's acl plugin that its CLI alone has. The first
// change on a Conn turns it on if it is off (cli_inband, "set acl-plugin
// reclassify-sessions 1"), for all clients of that VPP, and binds what was bound before once
// more as it is. A session that was judged again idles out after 2 minutes, like one of
// which VPP has seen no SYN, and not after a day.
//
// A set of thousands of rules with port ranges takes VPP long to change while it
// is bound, and it forwards nothing meanwhile: 10,000 different ranges, close to a
// second. A reading transfers all sets of the VPP (acl_dump).
//
// A set that is still looked at by way of what somebody else has made, such as a policy, is not
// removed (desiredstate.ErrInUse; acl_del).
func Sets(c *vppnet.Conn) *desiredstate.Kind[Set] {
	vpp, sweep := acl.NewServiceClient(c), setSweep()
	put := func(ctx context.Context, index uint32, s Set) (uint32, error) {
		req, err := encodeSet(c, s)
		if err != nil {
			return 0, err
		}
		req.ACLIndex = index
		r, err := vpp.ACLAddReplace(ctx, req)
		if err != nil {
			return 0, err
		}
		return r.ACLIndex, nil
	}
	change := func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Set], want Set) error {
		if err := judgeAnew(ctx, c); err != nil {
			return err
		}
		_, err := put(ctx, have.ID, want)
		return err
	}
	return vppnet.Labelled(c, &desiredstate.Kind[Set]{
		Target: c.Target(),
		Name:   "acl",
		Messages: c.Uses(&acl.ACLDump{}, &acl.ACLAddReplace{}, &acl.ACLDel{}, &memclnt.ControlPing{},
			&vlib.CliInband{}, &acl.ACLInterfaceListDump{}, &acl.ACLInterfaceSetACLList{}),
		Verify: vppnet.Verifier(c, func(ctx context.Context, ids []uint32) (map[uint32]vppnet.Named, error) {
			return setMarks(ctx, c, sweep, ids...)
		}),
		Dump: vppnet.Reread(c, func(ctx context.Context, _ *desiredstate.View) ([]desiredstate.Actual[Set], error) {
			found, err := vppnet.Collect(vpp.ACLDump(ctx, &acl.ACLDump{ACLIndex: all}))
			out := make([]desiredstate.Actual[Set], len(found))
			names := nameAll(c, found, func(d *acl.ACLDetails) (string, uint32) { return d.Tag, d.ACLIndex })
			for i, d := range found {
				s := Set{Name: names[i].Name, Rules: make([]Rule, len(d.R))}
				for n, r := range d.R {
					s.Rules[n] = decode(r)
				}
				out[i] = desiredstate.Actual[Set]{Spec: s, ID: d.ACLIndex, Foreign: !names[i].Ours, Leftover: names[i].Surplus}
			}
			return out, err
		}),
		Create: func(ctx context.Context, _ *desiredstate.View, s Set) (uint32, error) { return put(ctx, anew, s) },
		Update: change,
		Disturbs: func(a desiredstate.Action, have desiredstate.Actual[Set], want Set) desiredstate.Disruption {
			if a == desiredstate.Update && !begins(want.Rules, have.Spec.Rules) {
				return desiredstate.DisturbsSessions
			}
			return desiredstate.DisturbsNothing
		},
		Adopt: change,
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Set]) error {
			_, err := vpp.ACLDel(ctx, &acl.ACLDel{ACLIndex: have.ID})
			if err = vppnet.Busy(err, api.ACL_IN_USE_INBOUND, api.ACL_IN_USE_OUTBOUND, api.ACL_IN_USE_BY_LOOKUP_CONTEXT); errors.Is(err, desiredstate.ErrInUse) {
				// What of ours has it by way of a policy of others may be about to let go.
				return fmt.Errorf("%w: %w", desiredstate.ErrEarly, err)
			}
			return vppnet.Gone(err, api.NO_SUCH_ENTRY)
		},
		Fill: func(have desiredstate.Actual[Set], want Set) Set {
			if have.Spec.same(want) {
				return have.Spec
			}
			return want
		},
	}, nil)
}

// begins says whether all that was decided by before still is, the same way: what is new only
// decides on what nothing fitted.
func begins[T comparable](all, before []T) bool {
	return len(all) >= len(before) && slices.Equal(all[:len(before)], before)
}

// encodeSet asks for a new set.
func encodeSet(c *vppnet.Conn, s Set) (*acl.ACLAddReplace, error) {
	rules := make([]acl_types.ACLRule, len(s.Rules))
	for i, r := range s.Rules {
		rules[i] = r.encode()
	}
	tag, err := c.Tag(s.Name)
	return &acl.ACLAddReplace{ACLIndex: anew, Tag: tag, Count: uint32(len(rules)), R: rules}, err
}

// nameAll gives the names of sets by their tags, all being all of VPP's.
func nameAll[D any](c *vppnet.Conn, found []D, tag func(D) (tag string, index uint32)) []vppnet.Name {
	all := make([]vppnet.Named, len(found))
	for i, d := range found {
		tag, index := tag(d)
		all[i] = vppnet.Named{Tag: tag, VPP: fmt.Sprint(index)}
	}
	return c.Names(all...)
}
