// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/classify"

	"github.com/vppkit/vppkit/vpptest"
)

// classifier teaches the in-memory VPP as much of classify tables as the workload needs.
var classifier = vpptest.WithPlugin("classify", func(v *vpptest.VPP) {
	var tables []map[string]uint32 // of the number that a match has
	vpptest.Handle(v, func(_ *vpptest.Call, q *classify.ClassifyAddDelTable) *classify.ClassifyAddDelTableReply {
		if !q.IsAdd {
			return &classify.ClassifyAddDelTableReply{Retval: int32(api.UNIMPLEMENTED)}
		}
		tables = append(tables, map[string]uint32{})
		return &classify.ClassifyAddDelTableReply{
			NewTableIndex: uint32(len(tables) - 1), SkipNVectors: q.SkipNVectors, MatchNVectors: q.MatchNVectors,
		}
	})
	vpptest.Handle(v, func(_ *vpptest.Call, q *classify.ClassifyAddDelSession) *classify.ClassifyAddDelSessionReply {
		if int(q.TableIndex) >= len(tables) {
			return &classify.ClassifyAddDelSessionReply{Retval: int32(api.NO_SUCH_TABLE)}
		}
		t, key := tables[q.TableIndex], string(q.Match)
		_, there := t[key]
		switch {
		case !q.IsAdd && !there:
			return &classify.ClassifyAddDelSessionReply{Retval: int32(api.NO_SUCH_ENTRY)}
		case !q.IsAdd:
			delete(t, key)
		default:
			t[key] = q.OpaqueIndex
		}
		return &classify.ClassifyAddDelSessionReply{}
	})
	vpptest.HandleDump(v, func(_ *vpptest.Call, q *classify.ClassifySessionDump) (out []*classify.ClassifySessionDetails) {
		if int(q.TableID) >= len(tables) {
			return nil
		}
		t := tables[q.TableID]
		for _, key := range slices.Sorted(maps.Keys(t)) { // VPP lists them in an order, too
			out = append(out, &classify.ClassifySessionDetails{
				TableID: q.TableID, HitNextIndex: none, OpaqueIndex: t[key], MatchLength: uint32(len(key)), Match: []byte(key),
			})
		}
		return out
	})
})
