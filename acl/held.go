// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"

	"github.com/vppkit/vppkit/vppnet"
)

// An index proves nothing: VPP gives that of a set that was deleted to the next one.

// setsHeld says which of these remembered names and indexes of sets still belong
// together, in one round trip. VPP tells a tag with all rules of the set only.
func setsHeld(ctx context.Context, c *vppnet.Conn, names []string, ids []uint32) ([]bool, error) {
	tags, err := setTags(ctx, c, ids...)
	return held(c, tags, names, ids), err
}

// macipSetsHeld is setsHeld for MACIP sets.
func macipSetsHeld(ctx context.Context, c *vppnet.Conn, names []string, ids []uint32) ([]bool, error) {
	tags, err := macipTags(ctx, c, ids...)
	return held(c, tags, names, ids), err
}

func held(c *vppnet.Conn, tags map[uint32]string, names []string, ids []uint32) []bool {
	out := make([]bool, len(names))
	for i, id := range ids {
		tag, there := tags[id]
		out[i] = there && c.Is(names[i], vppnet.Named{Tag: tag, VPP: fmt.Sprint(id)})
	}
	return out
}

// setTags reads the tags of those of the sets that are there.
func setTags(ctx context.Context, c *vppnet.Conn, ids ...uint32) (map[uint32]string, error) {
	return tagsOf(ctx, c, ids,
		func(id uint32) api.Message { return &acl.ACLDump{ACLIndex: id} },
		func(d *acl.ACLDetails) (uint32, string) { return d.ACLIndex, d.Tag })
}

func macipTags(ctx context.Context, c *vppnet.Conn, ids ...uint32) (map[uint32]string, error) {
	return tagsOf(ctx, c, ids,
		func(id uint32) api.Message { return &acl.MacipACLDump{ACLIndex: id} },
		func(d *acl.MacipACLDetails) (uint32, string) { return d.ACLIndex, d.Tag })
}

func tagsOf[D api.Message](ctx context.Context, c *vppnet.Conn, ids []uint32, dump func(uint32) api.Message, of func(D) (uint32, string)) (map[uint32]string, error) {
	tags := make(map[uint32]string, len(ids))
	asked := map[uint32]bool{all: true} // not an index
	var requests []api.Message
	for _, id := range ids {
		if !asked[id] {
			asked[id] = true
			requests = append(requests, dump(id))
		}
	}
	answers, err := vppnet.Ask(ctx, c, requests...)
	if err != nil {
		return nil, err
	}
	details, err := vppnet.As[D](answers)
	if err != nil {
		return nil, err
	}
	for _, d := range details {
		id, tag := of(d)
		tags[id] = tag
	}
	return tags, nil
}
