// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"cmp"
	"maps"
	"slices"
)

// hashOrder is the order in which VPP walks one of its hash tables of numbers: by the
// slot that a number falls into, and those of one slot in order of coming, or, where that
// is nil, by number.
func hashOrder[V any](m map[uint32]V, came func(V) int) []uint32 {
	size := uint64(64)
	for 4*(uint64(len(m))+1) > 3*size {
		size *= 2
	}
	if came == nil {
		came = func(V) int { return 0 }
	}
	return slices.SortedFunc(maps.Keys(m), func(a, b uint32) int {
		return cmp.Or(cmp.Compare(slotOf(uint64(a))&(size-1), slotOf(uint64(b))&(size-1)), cmp.Compare(came(m[a]), came(m[b])), cmp.Compare(a, b))
	})
}

// slotOf is Bob Jenkins' mix of 64 bits.
func slotOf(x uint64) uint64 {
	const golden = 0x9e3779b97f4a7c13
	a, b, c := golden+x, uint64(golden), uint64(0)
	for _, by := range [4][3]int{{43, 9, 8}, {38, 23, 5}, {35, 49, 11}, {12, 18, 22}} {
		a = (a - b - c) ^ c>>by[0]
		b = (b - c - a) ^ a<<by[1]
		c = (c - a - b) ^ b>>by[2]
	}
	return c
}
