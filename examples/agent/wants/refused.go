// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"maps"
	"reflect"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
)

// What one has another cannot have. Who is refused is asked again whenever somebody may have let
// go of it, so who is served does not depend on the order in which changes come.

// ask tells the store what sources want, in this order, those who are refused again as long as
// others let go, also of what only each other waits for. It returns who is left, and why; they have what they had.
func ask(store *desiredstate.Store, order []string, wants map[string][]desiredstate.Object) map[string]error {
	refused := askInTurn(store, order, wants)
	circle := waiting(store, refused, wants)
	for source := range circle {
		_ = store.Assign(source, kept(store, source, wants[source])...)
	}
	if len(circle) == 0 {
		return refused
	}
	return askInTurn(store, slices.Sorted(maps.Keys(refused)), wants)
}

// askInTurn is ask, but for those who wait for each other.
func askInTurn(store *desiredstate.Store, order []string, wants map[string][]desiredstate.Object) map[string]error {
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

// waiting are those of the refused who wait for nothing but that others of them have what they want: of two that swap,
// each waits for the other.
func waiting(store *desiredstate.Store, refused map[string]error, wants map[string][]desiredstate.Object) map[string]error {
	for in := maps.Clone(refused); ; {
		claims, contested := map[desiredstate.Key]desiredstate.Object{}, map[desiredstate.Key]bool{}
		for source := range in {
			for _, o := range wants[source] {
				k := o.Key()
				other, claimed := claims[k]
				contested[k] = contested[k] || claimed && !reflect.DeepEqual(other, o)
				claims[k] = o
			}
		}
		n := len(in)
		maps.DeleteFunc(in, func(source string, _ error) bool {
			return slices.ContainsFunc(wants[source], func(o desiredstate.Object) bool {
				return contested[o.Key()] || heldBeside(store, in, o)
			})
		})
		if len(in) == n {
			return in
		}
	}
}

// heldBeside says whether anybody but these wants another object by the key of one.
func heldBeside(store *desiredstate.Store, these map[string]error, o desiredstate.Object) bool {
	has, held := store.Want(o.Key())
	return held && !reflect.DeepEqual(has, o) && slices.ContainsFunc(store.Sources(o.Key()), func(source string) bool {
		_, is := these[source]
		return !is
	})
}

// kept is what a source has of what it wants.
func kept(store *desiredstate.Store, source string, wants []desiredstate.Object) (objs []desiredstate.Object) {
	for _, o := range wants {
		has, _ := store.Want(o.Key())
		if reflect.DeepEqual(has, o) && slices.Contains(store.Sources(o.Key()), source) {
			objs = append(objs, o)
		}
	}
	return objs
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
