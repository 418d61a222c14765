// SPDX-License-Identifier: Apache-2.0

// Package dirty keeps what is to be looked at anew until somebody does.
package dirty

import "sync"

// A Set of what is to be looked at anew, with a bell that rings when there is more: once
// for all that comes together. It is safe for concurrent use.
type Set[K comparable] struct {
	Bell chan struct{} // to wait for, then Take

	mu   sync.Mutex
	keys map[K]bool
}

// New makes an empty set.
func New[K comparable]() *Set[K] {
	return &Set[K]{Bell: make(chan struct{}, 1), keys: map[K]bool{}}
}

// Add puts keys into the set, and rings, even for none.
func (s *Set[K]) Add(keys ...K) {
	s.mu.Lock()
	for _, k := range keys {
		s.keys[k] = true
	}
	s.mu.Unlock()
	select {
	case s.Bell <- struct{}{}:
	default:
	}
}

// Take empties the set. Who changes something before it adds the key is seen by whoever
// looks after it took it.
func (s *Set[K]) Take() map[K]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := s.keys
	s.keys = map[K]bool{}
	return keys
}
