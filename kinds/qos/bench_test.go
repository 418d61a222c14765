// SPDX-License-Identifier: Apache-2.0

package qos_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/policer"
	"go.fd.io/govpp/binapi/policer_types"
	"golang.org/x/sync/errgroup"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/vppnet"
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

// BenchmarkAttachments attaches a policer to interfaces, each by a call of its own from one
// of 64 goroutines, as a session comes up, and takes it off.
func BenchmarkAttachments(b *testing.B) {
	r := rig{c: kindrig.Dial(b, vpptest.New(b).Socket(), "me"), memory: new(vppnet.Memory)}
	want := []desiredstate.Object{qos.Policer{Name: "gold", Rate: 1000, Burst: 10000, Conform: qos.Transmit}}
	for i := range many {
		want = append(want, vppnet.Loopback{Name: fmt.Sprint("lo", i)})
	}
	_, err := kindrig.Engine(vppnet.Loopbacks(r.c), qos.Policers(r.c)).Ensure(b.Context(), want...)
	require.NoError(b, err)
	attachments := qos.Attachments(r.c, r.memory)
	for b.Loop() {
		var all errgroup.Group
		all.SetLimit(64)
		for i := range many {
			all.Go(func() error {
				a := qos.Attachment{Interface: fmt.Sprint("lo", i), Policer: "gold"}
				if _, err := attachments.Ensure(b.Context(), a); err != nil {
					return err
				}
				_, err := attachments.Remove(b.Context(), a)
				return err
			})
		}
		require.NoError(b, all.Wait())
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/(2*many), "ns/object")
}
