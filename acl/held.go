// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"

	"github.com/vppkit/vppkit/vppnet"
)

// An index proves nothing: VPP gives that of a set that was deleted to the next one. What
// it tells of a set, it tells with all of its rules only.

// setSweep reads sets.
func setSweep() *vppnet.Sweep {
	return vppnet.NewSweep(func(id uint32) api.Message { return &acl.ACLDump{ACLIndex: id} })
}

// macipSweep reads MACIP sets.
func macipSweep() *vppnet.Sweep {
	return vppnet.NewSweep(func(id uint32) api.Message { return &acl.MacipACLDump{ACLIndex: id} })
}

// setMarks reads how sets are tagged and called.
func setMarks(ctx context.Context, c *vppnet.Conn, s *vppnet.Sweep, ids ...uint32) (map[uint32]vppnet.Named, error) {
	found, err := vppnet.Swept[*acl.ACLDetails](s.Ask(ctx, c, ids...))
	return marks(found, func(d *acl.ACLDetails) (uint32, string) { return d.ACLIndex, d.Tag }), err
}

func macipMarks(ctx context.Context, c *vppnet.Conn, s *vppnet.Sweep, ids ...uint32) (map[uint32]vppnet.Named, error) {
	found, err := vppnet.Swept[*acl.MacipACLDetails](s.Ask(ctx, c, ids...))
	return marks(found, func(d *acl.MacipACLDetails) (uint32, string) { return d.ACLIndex, d.Tag }), err
}

func marks[D any](found []D, of func(D) (uint32, string)) map[uint32]vppnet.Named {
	out := make(map[uint32]vppnet.Named, len(found))
	for _, d := range found {
		id, tag := of(d)
		out[id] = vppnet.Named{Tag: tag, VPP: fmt.Sprint(id)}
	}
	return out
}
