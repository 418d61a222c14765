// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// Many objects on one that is proved from time to time do not all wait for each proof.
func TestAProofHoldsUpOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const parallel, proof = 4, 20 * time.Millisecond
		var proofs atomic.Int32
		soil := &ds.Kind[soil]{
			Name: "soil",
			Dump: func(context.Context, *ds.View) ([]ds.Actual[soil], error) {
				return []ds.Actual[soil]{{Spec: soil{}, ID: 1, Foreign: true}}, nil
			},
			Verify: func(_ context.Context, held []ds.Held) ([]bool, error) {
				proofs.Add(1)
				time.Sleep(proof)
				return slices.Repeat([]bool{true}, len(held)), nil
			},
		}
		plants := &ds.Kind[plant]{
			Name:     "plant",
			Requires: []ds.AnyKind{soil},
			Dump:     func(context.Context, *ds.View) ([]ds.Actual[plant], error) { return nil, nil },
			Create: func(context.Context, *ds.View, plant) (uint32, error) {
				time.Sleep(time.Millisecond)
				return 1, nil
			},
			Delete: func(context.Context, *ds.View, ds.Actual[plant]) error { return nil },
		}
		e := ds.New(soil, plants)
		e.Parallel = parallel
		var want []ds.Object
		for i := range 4000 {
			want = append(want, plant{fmt.Sprint(i)})
		}
		start := time.Now()
		_, err := e.Ensure(t.Context(), want...)
		require.NoError(t, err)
		took, alone := time.Since(start), time.Duration(len(want)/parallel)*time.Millisecond
		require.Greater(t, proofs.Load(), int32(15), "it is proved all the time")
		// All wait for the first proof; of the others each keeps one worker busy.
		require.LessOrEqual(t, took, alone+proof+time.Duration(proofs.Load())*proof/parallel+5*time.Millisecond)
	})
}

type soil struct{}

func (soil) Key() ds.Key     { return ds.Key{Space: "soil", Name: "here"} }
func (soil) Deps() []ds.Key  { return nil }
func (soil) Validate() error { return nil }

type plant struct{ name string }

func (p plant) Key() ds.Key   { return ds.Key{Space: "plant", Name: p.name} }
func (plant) Deps() []ds.Key  { return []ds.Key{soil{}.Key()} }
func (plant) Validate() error { return nil }
