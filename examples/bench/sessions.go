// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/classify"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// sessions is those of one classify table, by source address: a kind from outside of the
// library, with what a limiter of many customers has.
func sessions() *workload {
	var table uint32
	return &workload{
		name: "sessions", most: 1_000_000,
		ready: func(w *wire) error {
			var reply classify.ClassifyAddDelTableReply
			mask := make([]byte, matchSize)
			binary.BigEndian.PutUint32(mask[matchAt:], ^uint32(0))
			err := w.each([]ask{{&classify.ClassifyAddDelTable{
				IsAdd: true, TableIndex: none, Nbuckets: 1 << 15, MemorySize: 1 << 29, MatchNVectors: matchSize / 16,
				NextTableIndex: none, MissNextIndex: none, MaskLen: matchSize, Mask: mask,
			}, &reply}})
			table = reply.NewTableIndex
			return err
		},
		kinds:   func(c *vppnet.Conn) []desiredstate.AnyKind { return []desiredstate.AnyKind{sessionKind(c, table)} },
		numbers: func(func(desiredstate.Key) uint32) {},
		object:  func(n int, changed bool) desiredstate.Object { return sessionOf(n, changed) },
		message: func(n int, changed, add bool) api.Message { return sessionOf(n, changed).message(table, add) },
		moves:   func(n int) bool { return n%10 == 0 },
		dumps: func(w *wire) []dump {
			var all []*classify.ClassifySessionDetails
			return []dump{dumpOf(w, &classify.ClassifySessionDump{TableID: table}, &all)}
		},
	}
}

const (
	none      = ^uint32(0)
	matchSize = 32 // bytes from the Ethernet header on, in vectors of 16
	matchAt   = 26 // of the IPv4 source address
)

// session gives the packets of a customer a number, such as a policer's.
type session struct {
	Source netip.Addr
	Number uint32
}

func sessionOf(n int, changed bool) session {
	s := session{netip.AddrFrom4([4]byte{100, byte(n >> 16), byte(n >> 8), byte(n)}), uint32(n % 64)}
	if changed {
		s.Number += 64
	}
	return s
}

func (s session) Key() desiredstate.Key {
	return desiredstate.Key{Space: "session", Name: s.Source.String()}
}
func (session) Deps() []desiredstate.Key { return nil }

func (s session) Validate() error {
	if !s.Source.Is4() {
		return errors.New("the source is no IPv4 address")
	}
	return nil
}

func (s session) message(table uint32, add bool) *classify.ClassifyAddDelSession {
	match := make([]byte, matchSize)
	a := s.Source.As4()
	copy(match[matchAt:], a[:])
	return &classify.ClassifyAddDelSession{
		IsAdd: add, TableIndex: table, HitNextIndex: none, OpaqueIndex: s.Number, MatchLen: matchSize, Match: match,
	}
}

// sessionKind manages all sessions of a table.
func sessionKind(c *vppnet.Conn, table uint32) *desiredstate.Kind[session] {
	vpp := classify.NewServiceClient(c)
	set := func(ctx context.Context, s session, add bool) error {
		_, err := vpp.ClassifyAddDelSession(ctx, s.message(table, add))
		return err
	}
	return &desiredstate.Kind[session]{
		Target: c.Target(), Variant: table,
		Name:     "session",
		Messages: c.Uses(&classify.ClassifyAddDelSession{}, &classify.ClassifySessionDump{}),
		Dump: vppnet.Reread(c, func(ctx context.Context, _ *desiredstate.View) ([]desiredstate.Actual[session], error) {
			all, err := vppnet.Collect(vpp.ClassifySessionDump(ctx, &classify.ClassifySessionDump{TableID: table}))
			out := make([]desiredstate.Actual[session], 0, len(all))
			for _, d := range all {
				if len(d.Match) < matchAt+4 {
					return nil, fmt.Errorf("a session of %d bytes", len(d.Match))
				}
				out = append(out, desiredstate.Actual[session]{Spec: session{
					netip.AddrFrom4([4]byte(d.Match[matchAt : matchAt+4])), d.OpaqueIndex,
				}})
			}
			return out, err
		}),
		Create: func(ctx context.Context, _ *desiredstate.View, s session) (uint32, error) {
			return 0, set(ctx, s, true)
		},
		Update: func(ctx context.Context, _ *desiredstate.View, _ desiredstate.Actual[session], s session) error {
			return set(ctx, s, true)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[session]) error {
			return set(ctx, have.Spec, false)
		},
	}
}
