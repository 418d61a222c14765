// SPDX-License-Identifier: Apache-2.0

package bond_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// BenchmarkConverged reads all of an in-memory VPP anew, which shares the machine, and
// finds nothing to do: 100 bonds of two members each.
func BenchmarkConverged(b *testing.B) {
	c := kindrig.Dial(b, vpptest.New(b).Socket(), "me")
	var wants []desiredstate.Object
	for i := range 100 {
		name := fmt.Sprint("bond", i)
		wants = append(wants, bond.Bond{Name: name, Mode: bond.XOR})
		for n := range 2 {
			lo := fmt.Sprint("lo", i, "-", n)
			wants = append(wants, vppnet.Loopback{Name: lo}, bond.Member{Bond: name, Interface: lo})
		}
	}
	e := desiredstate.New(bond.Bonds(c), bond.Members(c), vppnet.Loopbacks(c))
	_, err := e.Sync(b.Context(), wants...)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		e.Forget()
		r, err := e.Sync(b.Context(), wants...)
		if err != nil || r.Changed() != 0 {
			b.Fatal(r.Changed(), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(len(wants)), "ns/object")
}
