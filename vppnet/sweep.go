// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"sync/atomic"

	"go.fd.io/govpp/api"
)

// Sweep reads some of what VPP has of a sort by index, in one round trip: one by one, or
// all of it where that costs VPP less. Safe for concurrent use.
type Sweep struct {
	request func(id uint32) api.Message
	all     atomic.Int64 // how much there was when all was last asked for
}

// Everything is the index by which dumps tell all.
const Everything = ^uint32(0)

// NewSweep makes a Sweep of the request for an index, which with [Everything] is one for all.
func NewSweep(request func(id uint32) api.Message) *Sweep { return &Sweep{request: request} }

// A request costs VPP about what eight details do; few are never worth a look at all.
const (
	requestCost = 8
	fewAsked    = 8
)

// Ask returns what VPP tells of those of ids that are there, in any order, and perhaps of
// others; ids that are there twice, and Everything, count once and not at all.
func (s *Sweep) Ask(ctx context.Context, c *Conn, ids ...uint32) ([]api.Message, error) {
	asked := make(map[uint32]bool, len(ids))
	var requests []api.Message
	for _, id := range ids {
		if id != Everything && !asked[id] {
			asked[id] = true
			requests = append(requests, s.request(id))
		}
	}
	if len(requests) < fewAsked || int64(len(requests))*requestCost < s.all.Load() {
		return Ask(ctx, c, requests...)
	}
	found, err := Ask(ctx, c, s.request(Everything))
	if err == nil {
		s.all.Store(int64(len(found)))
	}
	return found, err
}

// Swept is what a Sweep has read, as what it should be.
func Swept[D api.Message](answers []api.Message, err error) ([]D, error) {
	if err != nil {
		return nil, err
	}
	return As[D](answers)
}
