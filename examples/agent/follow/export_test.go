// SPDX-License-Identifier: Apache-2.0

package follow

// MostWatches sets how many ranges of one parent are watched by themselves, and returns what it was.
func MostWatches(n int) (before int) {
	before, mostWatches = mostWatches, n
	return before
}
