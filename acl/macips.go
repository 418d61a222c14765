// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// MACIPSets manages sets of source addresses (macip_acl_add_replace). A set is
// ours by its tag.
//
// Rules change in place, whether the set is bound or not, by one message that VPP
// executes while no packet moves. VPP deletes a set also while it is bound, and
// then lets all pass; that its bindings go before it is kept here.
//
// For each combination of family, mask and prefix length, VPP makes a set three
// tables, and three more for IPv4's ARP, each a memory map of its own, of which
// Linux gives a process 65,530 by default (vm.max_map_count): enough for some
// 7,000 sets with one combination of each family.
func MACIPSets(c *vppnet.Conn) *desiredstate.Kind[MACIPSet] {
	vpp, sweep := acl.NewServiceClient(c), macipSweep()
	put := func(ctx context.Context, index uint32, s MACIPSet) (uint32, error) {
		req, err := encodeMACIPSet(c, s)
		if err != nil {
			return 0, err
		}
		req.ACLIndex = index
		r, err := vpp.MacipACLAddReplace(ctx, req)
		if err != nil {
			return 0, err
		}
		return r.ACLIndex, nil
	}
	return vppnet.Labelled(c, &desiredstate.Kind[MACIPSet]{
		Target:   c.Target(),
		Name:     "macip-acl",
		Messages: c.Uses(&acl.MacipACLDump{}, &acl.MacipACLAddReplace{}, &acl.MacipACLDel{}, &memclnt.ControlPing{}),
		Verify: vppnet.Verifier(c, func(ctx context.Context, ids []uint32) (map[uint32]vppnet.Named, error) {
			return macipMarks(ctx, c, sweep, ids...)
		}),
		Dump: vppnet.Reread(c, func(ctx context.Context, _ *desiredstate.View) ([]desiredstate.Actual[MACIPSet], error) {
			found, err := vppnet.Collect(vpp.MacipACLDump(ctx, &acl.MacipACLDump{ACLIndex: all}))
			out := make([]desiredstate.Actual[MACIPSet], len(found))
			names := nameAll(c, found, func(d *acl.MacipACLDetails) (string, uint32) { return d.Tag, d.ACLIndex })
			for i, d := range found {
				s := MACIPSet{Name: names[i].Name, Rules: make([]MACIPRule, len(d.R))}
				for n, r := range d.R {
					s.Rules[n] = decodeMACIP(r)
				}
				out[i] = desiredstate.Actual[MACIPSet]{Spec: s, ID: d.ACLIndex, Foreign: !names[i].Ours, Leftover: names[i].Surplus}
			}
			return out, err
		}),
		Create: func(ctx context.Context, _ *desiredstate.View, s MACIPSet) (uint32, error) { return put(ctx, anew, s) },
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[MACIPSet], want MACIPSet) error {
			_, err := put(ctx, have.ID, want)
			return err
		},
		Adopt: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[MACIPSet], want MACIPSet) error {
			_, err := put(ctx, have.ID, want)
			return err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[MACIPSet]) error {
			_, err := vpp.MacipACLDel(ctx, &acl.MacipACLDel{ACLIndex: have.ID})
			return vppnet.Gone(err, api.NO_SUCH_ENTRY)
		},
		Fill: func(have desiredstate.Actual[MACIPSet], want MACIPSet) MACIPSet {
			if have.Spec.same(want) {
				return have.Spec
			}
			return want
		},
	}, nil)
}

// encodeMACIPSet asks for a new set.
func encodeMACIPSet(c *vppnet.Conn, s MACIPSet) (*acl.MacipACLAddReplace, error) {
	rules := make([]acl_types.MacipACLRule, len(s.Rules))
	for i, r := range s.Rules {
		rules[i] = r.encode()
	}
	tag, err := c.Tag(s.Name)
	return &acl.MacipACLAddReplace{ACLIndex: anew, Tag: tag, Count: uint32(len(rules)), R: rules}, err
}
