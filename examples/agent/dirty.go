// SPDX-License-Identifier: Apache-2.0

package main

import "sync"

// dirty is a set of what is to be looked at anew, with a bell that rings when there
// is more: once for all that comes together. It is safe for concurrent use.
type dirty[K comparable] struct {
	bell chan struct{}

	mu   sync.Mutex
	keys map[K]bool
}

func newDirty[K comparable]() *dirty[K] {
	return &dirty[K]{bell: make(chan struct{}, 1), keys: map[K]bool{}}
}

func (d *dirty[K]) add(keys ...K) {
	d.mu.Lock()
	for _, k := range keys {
		d.keys[k] = true
	}
	d.mu.Unlock()
	select {
	case d.bell <- struct{}{}:
	default:
	}
}

// take empties the set.
func (d *dirty[K]) take() map[K]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	keys := d.keys
	d.keys = map[K]bool{}
	return keys
}
