// SPDX-License-Identifier: Apache-2.0

package qos_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/policer"
	"go.fd.io/govpp/binapi/policer_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/vpptest"
)

const many = 2000

// BenchmarkPolicers makes policers and takes them away, by the engine and by hand.
func BenchmarkPolicers(b *testing.B) {
	b.Run("engine", func(b *testing.B) {
		c := kindrig.Dial(b, vpptest.New(b).Socket(), "me")
		var want []desiredstate.Object
		for i := range many {
			want = append(want, qos.Policer{Name: fmt.Sprint("p", i), Rate: 1000, Burst: 10000, Conform: qos.Transmit})
		}
		e := kindrig.Engine(qos.Policers(c))
		for b.Loop() {
			for _, w := range [][]desiredstate.Object{want, nil} {
				r, err := e.Sync(b.Context(), w...)
				require.NoError(b, err)
				require.Equal(b, many, r.Changed())
			}
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/(2*many), "ns/object")
	})
	b.Run("hand", func(b *testing.B) {
		h := kindrig.NewHand(b, vpptest.New(b).Socket())
		var add, del []api.Message
		for i := range uint32(many) {
			add = append(add, &policer.PolicerAdd{Name: fmt.Sprint("me/p", i), Infos: policer_types.PolicerConfig{Cir: 1000, Cb: 10000, ConformAction: policer_types.Sse2QosAction{Type: 1}}})
			del = append(del, &policer.PolicerDel{PolicerIndex: i})
		}
		for b.Loop() {
			h.Ask(b, add...)
			h.Ask(b, del...)
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/(2*many), "ns/object")
	})
}
