// SPDX-License-Identifier: Apache-2.0

package classify_test

import (
	"encoding/binary"
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/classify"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/vpptest"
)

var (
	many = flag.Int("sessions", 10_000, "how many sessions the benchmark makes")
	real = flag.Bool("real", false, "benchmark on the installed VPP")
)

func socket(b *testing.B) string {
	if *real {
		return vpptest.Real(b).Socket()
	}
	return vpptest.New(b).Socket()
}

func address(i int) []byte { return binary.BigEndian.AppendUint32(nil, 10<<24+uint32(i)*7919%(1<<24)) }

// BenchmarkSessions makes sessions of one table, finds them as they are, and takes them away,
// by the engine and by hand.
func BenchmarkSessions(b *testing.B) {
	b.Run("engine", func(b *testing.B) {
		c := kindrig.Dial(b, socket(b), "me")
		want := []desiredstate.Object{classify.Table{Name: "a", Mask: source, Sessions: uint32(*many)}}
		for i := range *many {
			want = append(want, classify.Session{Table: "a", Match: classify.At(26, address(i)...), Deny: true})
		}
		e := kindrig.Engine(classify.Tables(c), classify.Sessions(c, nil))
		_, err := e.Sync(b.Context(), want[:1]...)
		require.NoError(b, err)
		kindrig.EngineStages(b, e, nil, want[:1], want[1:])
	})
	b.Run("hand", func(b *testing.B) {
		h := kindrig.NewHand(b, socket(b))
		mask := make([]byte, 16)
		copy(mask[10:], "\xff\xff\xff\xff")
		h.Ask(b, &binding.ClassifyAddDelTable{IsAdd: true, TableIndex: none, Nbuckets: uint32(*many), MemorySize: 1 << 30, SkipNVectors: 1, MatchNVectors: 1, NextTableIndex: none, MissNextIndex: none, MaskLen: 16, Mask: mask})
		var adds, dels []api.Message
		for i := range *many {
			for _, on := range []bool{true, false} {
				q := &binding.ClassifyAddDelSession{IsAdd: on, HitNextIndex: 0, OpaqueIndex: none, MatchLen: 32, Match: make([]byte, 32)}
				copy(q.Match[26:], address(i))
				if on {
					adds = append(adds, q)
				} else {
					dels = append(dels, q)
				}
			}
		}
		kindrig.Stages(b, *many, nil,
			func() { h.Ask(b, adds...) },
			func() { h.Read(b, &binding.ClassifySessionDump{}, &binding.ClassifySessionDetails{}, *many) },
			func() { h.Ask(b, dels...) })
	})
}
