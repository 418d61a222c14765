// SPDX-License-Identifier: Apache-2.0

package qos

import (
	"context"
	"fmt"

	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/policer"

	"github.com/vppkit/vppkit/vppnet"
)

// list is all policers and their indexes, which VPP shows of none. It lists them in their
// order: if the last of n has index n-1, they are all where they stand in the list. If
// there are gaps, it is asked for one index after the other, many at once.
func (k policers) list(ctx context.Context) (found []*policer.PolicerDetails, ids []uint32, err error) {
	found, err = vppnet.Collect(k.vpp.PolicerDumpV2(ctx, &policer.PolicerDumpV2{PolicerIndex: all}))
	if err != nil || len(found) == 0 {
		return nil, nil, err
	}
	last := len(found) - 1
	probe, err := k.at(ctx, uint32(last))
	if err != nil {
		return nil, nil, err
	}
	if probe[0] != nil && probe[0].Name == found[last].Name {
		for i := range found {
			ids = append(ids, uint32(i))
		}
		return found, ids, nil
	}
	return k.search(ctx, found)
}

// search asks for what is at each index, up to that of the last one in the list.
func (k policers) search(ctx context.Context, list []*policer.PolicerDetails) (found []*policer.PolicerDetails, ids []uint32, err error) {
	seen := map[string]bool{}
	for from := uint32(0); len(list) > 0 && !seen[list[len(list)-1].Name]; {
		batch := make([]uint32, max(64, len(list)))
		for i := range batch {
			batch[i] = from + uint32(i)
		}
		from += uint32(len(batch))
		at, err := k.at(ctx, batch...)
		if err != nil {
			return nil, nil, err
		}
		for i, p := range at {
			if p != nil {
				found, ids, seen[p.Name] = append(found, p), append(ids, batch[i]), true
			}
		}
		if list, err = vppnet.Collect(k.vpp.PolicerDumpV2(ctx, &policer.PolicerDumpV2{PolicerIndex: all})); err != nil {
			return nil, nil, err // the last one may have gone
		}
	}
	return found, ids, nil
}

// at is what is at each of these indexes, nil where nothing is, in one round trip. An
// answer does not say for which index it is; the pings between them do.
func (k policers) at(ctx context.Context, ids ...uint32) ([]*policer.PolicerDetails, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	s, err := k.c.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, id := range ids {
		if err := s.SendMsg(&policer.PolicerDumpV2{PolicerIndex: id}); err != nil {
			return nil, err
		}
		if err := s.SendMsg(&memclnt.ControlPing{}); err != nil {
			return nil, err
		}
	}
	out := make([]*policer.PolicerDetails, len(ids))
	for i := 0; i < len(ids); {
		m, err := s.RecvMsg()
		if err != nil {
			return nil, err
		}
		switch d := m.(type) {
		case *policer.PolicerDetails:
			out[i] = d
		case *memclnt.ControlPingReply:
			i++
		default:
			return nil, fmt.Errorf("%w: %s", vppnet.ErrUnexpectedReply, m.GetMessageName())
		}
	}
	return out, nil
}
