// SPDX-License-Identifier: Apache-2.0

package desiredstate

// slab hands out many small things for few allocations. They stay in memory as long as
// any that was allocated with them, so it is for what lives and dies together: a plan's.
type slab[T any] struct {
	free []T
	last int // how many were allocated last
}

// one returns a zero T.
func (s *slab[T]) one() *T { return &s.some(1)[0] }

// some returns n zero Ts; appending to them allocates.
func (s *slab[T]) some(n int) []T {
	if n > len(s.free) {
		s.last = max(n, min(2*s.last, 256))
		s.free = make([]T, s.last)
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	return out
}
