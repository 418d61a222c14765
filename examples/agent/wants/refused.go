// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"maps"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
)

// What one has another cannot have. Who is refused is asked again whenever somebody may have let
// go of it, so who is served does not depend on the order in which changes come.

// ask tells the store what sources want, in this order, those who are refused again as long as
// others let go. It returns who is left, and why; they have what they had.
func ask(store *desiredstate.Store, order []string, wants map[string][]desiredstate.Object) map[string]error {
	for {
		refused := map[string]error{}
		var left []string
		for _, source := range order {
			if err := store.Assign(source, wants[source]...); err != nil {
				refused[source] = err
				left = append(left, source)
			}
		}
		if len(left) == 0 || len(left) == len(order) {
			return refused
		}
		order = left
	}
}

// askOrNothing is ask of sources that have nothing if they are refused.
func askOrNothing(store *desiredstate.Store, order []string, wants map[string][]desiredstate.Object) map[string]error {
	refused := ask(store, order, wants)
	for source := range refused {
		_ = store.Assign(source) // to want nothing conflicts with nothing
	}
	return ask(store, slices.DeleteFunc(order, func(source string) bool { return refused[source] == nil }), wants)
}

// askAgain brings back the ports that were refused, if anybody may let go of what they want. It says
// whether those were asked for who came after them the last time.
func (b *Inbox) askAgain() (owed bool) {
	owed, b.owed = b.owed, false
	if len(b.refused) == 0 || !owed && !b.lettingGo() {
		return owed
	}
	for name, c := range maps.Clone(b.refused) {
		if _, changed := b.changed[name]; !changed {
			b.become(name, c)
		}
	}
	return owed
}

// lettingGo says whether anybody wants something else than before.
func (b *Inbox) lettingGo() bool {
	for name := range b.changed {
		if _, had := b.ports[name]; had {
			return true
		}
	}
	return b.routers.stale || len(b.routers.floated) > 0 || b.taps.stale
}

// yielding are the ports whose interface VPP held, when this agent came, as another port has it: who was served
// stays.
func (b *Inbox) yielding() (names []string) {
	has := map[string]string{}
	for name, p := range b.ports {
		if p.In(b.found) {
			has[p.Interface()] = name
		}
	}
	for name, p := range b.ports {
		if by := has[p.Interface()]; by != "" && by != name {
			names = append(names, name)
		}
	}
	return names
}
