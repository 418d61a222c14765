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
		soil := soils(proof, &proofs)
		plants := growing[plant](time.Millisecond, soil)
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

// What of few objects waits for others is proved meanwhile: it then waits for nothing more, and asks
// for no other proof if it comes just as that is answered.
func TestAProofIsAskedForEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const step = 20 * time.Millisecond
		var proofs atomic.Int32
		soil := soils(step, &proofs)
		e := ds.New(soil, growing[stake](step), growing[vine](step, soil))
		start := time.Now()
		_, err := e.Ensure(t.Context(), stake{}, vine{})
		require.NoError(t, err)
		require.Equal(t, 2*step, time.Since(start), "the stake, and then at once the vine")
		require.Equal(t, int32(1), proofs.Load())
	})
}

// soils is a kind of what is there already, and is proved within some time.
func soils(proof time.Duration, proofs *atomic.Int32) *ds.Kind[soil] {
	return &ds.Kind[soil]{
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
}

// growing is a kind whose objects are made within some time.
func growing[S ds.Object](takes time.Duration, requires ...ds.AnyKind) *ds.Kind[S] {
	var zero S
	return &ds.Kind[S]{
		Name:     zero.Key().Space,
		Requires: requires,
		Dump:     func(context.Context, *ds.View) ([]ds.Actual[S], error) { return nil, nil },
		Create: func(context.Context, *ds.View, S) (uint32, error) {
			time.Sleep(takes)
			return 1, nil
		},
		Delete: func(context.Context, *ds.View, ds.Actual[S]) error { return nil },
	}
}

type stake struct{}

func (stake) Key() ds.Key     { return ds.Key{Space: "stake", Name: "here"} }
func (stake) Deps() []ds.Key  { return nil }
func (stake) Validate() error { return nil }

type vine struct{}

func (vine) Key() ds.Key     { return ds.Key{Space: "vine", Name: "here"} }
func (vine) Deps() []ds.Key  { return []ds.Key{soil{}.Key(), stake{}.Key()} }
func (vine) Validate() error { return nil }
