// SPDX-License-Identifier: Apache-2.0

package wants

import "github.com/vppkit/vppkit/desiredstate"

// Snoop says what copies of what passes a port need, by their place, as long as they are asked for: no key says so, and
// a list of all keys changes nothing of it. Without objects it is over.
func (b *Inbox) Snoop(place int, objs ...desiredstate.Object) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	source := OfSnoop(place)
	if err := b.store.Assign(source, objs...); err != nil {
		return err
	}
	if b.snoops[source] = objs; len(objs) == 0 {
		delete(b.snoops, source)
	}
	return nil
}
