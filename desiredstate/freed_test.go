// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// While one pass hangs, others come and go: what is kept for it is bounded, and it still looks again at what it
// finds blocked by something that was freed meanwhile. Later passes do not.
func TestWhatIsKeptForAHangingPassIsBounded(t *testing.T) {
	r := &runner{freed: map[Key]int{}, turn: 1}
	key := func(i int) Key { return Key{"thing", strconv.Itoa(i)} }
	const many = 5*maxFreed + maxFreed/2
	for i := range many {
		r.turn++
		if r.news(key(i)); len(r.freed) > maxFreed {
			t.Fatal(len(r.freed), "are kept")
		}
	}
	for i := range many {
		if !r.freedSince(key(i), 1) || r.freedSince(key(i), r.turn+1) {
			t.Fatal(i, "is freed since the first turn, and not since the next")
		}
	}
	require.False(t, r.freedSince(key(many), r.turn), "the newest are told apart")
}
