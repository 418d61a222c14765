// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"fmt"
	"maps"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// Settled tells the store what is wanted by now, and then everybody.
func (b *Inbox) Settled(all bool) {
	b.mu.Lock()
	owed := b.askAgain()
	var rest map[string]change
	if !all {
		rest = b.split()
	}
	b.admit()
	b.groups.make()
	if len(b.groups.late) > 0 && !b.forging {
		b.forging = true
		go b.forge()
	}
	moved := map[string]bool{}
	was := map[string]error{}
	for name, now := range b.changed {
		moved[name], was[name] = true, b.wrong[name]
		if _, is := now.port.Wire(); is {
			b.Wired.Add(name)
		} else if _, was := b.ports[name].Wire(); was {
			b.Wired.Add(name)
		}
		delete(b.ports, name)
		delete(b.wrong, name)
		delete(b.refused, name)
		switch {
		case now.wrong != nil:
			b.wrong[name] = now.wrong
		case now.there:
			b.ports[name] = now.port
		}
		if b.puts[name] = now.at; !now.there {
			delete(b.puts, name)
		}
		b.Heard(OfPort(name), now.at)
	}
	wants, rerouted := b.routers.work()
	for source, at := range b.routers.newest(wants) {
		b.Heard(source, at)
	}
	remotes := b.remotes.work(b.depleted())
	tapped, retapped := b.taps.work(b.ports, b.routers, moved)
	if all {
		b.replace(wants, remotes, tapped, moved, rerouted, retapped)
	} else {
		b.assign(moved)
		b.routers.assign(wants, rerouted)
		b.assignRemotes(remotes)
		b.assignTaps(tapped, retapped)
	}
	if len(b.refused) > 0 && !owed && len(wants)+len(tapped) > 0 { // these came after the ports
		b.owed = true
		b.ring()
	}
	for name := range moved {
		if err := b.ports[name].Lacks; err != nil {
			b.log.Warn("key is served in part", "key", name, "err", err)
		}
		if err := b.wrong[name]; err != nil && (was[name] == nil || was[name].Error() != err.Error()) {
			b.log.Warn("key is not served", "key", fmt.Sprintf("%.80q", name), "err", err)
		}
	}
	for name := range b.groups.changed {
		b.tell(name, moved)
	}
	clear(b.groups.changed)
	clear(b.changed)
	b.resume(rest)
	if b.whole && !b.loaded && !b.groups.unmade() { // or VPP's sets of these would go
		b.store.Complete()
		b.loaded = true
	}
	stirred := b.takeStirred()
	b.mu.Unlock()
	for name := range moved {
		b.Moved(OfPort(name))
	}
	for name := range rerouted {
		b.Moved(OfRouter(name))
	}
	for _, source := range stirred {
		b.Moved(source)
	}
	for name := range retapped {
		b.Moved(OfUnserved(name))
	}
}

// takeStirred lists the sources, besides what wants something else, of which something else is so now.
func (b *Inbox) takeStirred() (sources []string) {
	for name := range b.stirred {
		sources = append(sources, OfUnserved(name))
	}
	sources = slices.AppendSeq(sources, maps.Keys(b.remotes.stirred))
	clear(b.stirred)
	clear(b.remotes.stirred)
	return sources
}

// replace says all that is wanted. Keys that are not in it were perhaps deleted
// unseen, or their etcd lost them: the engine's limit on removals is for what they
// wanted. What is wanted no more though no key is missing, somebody ordered so. It adds
// the ports, and the keys of routers, that cannot have what they want.
func (b *Inbox) replace(changed, remotes, tapped map[string][]desiredstate.Object, ports, rerouted, retapped map[string]bool) {
	wants := map[string][]desiredstate.Object{}
	var fixed []string // wanted whatever etcd holds of the host
	for physnet := range b.Site.Physnets {
		wants[OfUplink(physnet)] = b.Site.UplinkObjects(physnet)
		fixed = append(fixed, OfUplink(physnet))
	}
	if part := b.Site.UnderlayObjects(); part != nil {
		wants[underlaySource] = part
		fixed = append(fixed, underlaySource)
	}
	if part := b.Site.ElectionObjects(); part != nil {
		wants[OfElection] = part
		fixed = append(fixed, OfElection)
	}
	for source, objs := range b.snoops {
		wants[source], fixed = objs, append(fixed, source)
	}
	for name := range b.groups.changed {
		if b.missed == 0 {
			wants[OfGroup(name)] = nil
		}
	}
	b.groups.standing(wants)
	for name := range b.wrong {
		wants[OfPort(name)] = nil
	}
	for name, p := range b.ports {
		wants[OfPort(name)] = p.Objects()
	}
	yielding := b.yielding()
	for _, name := range yielding {
		wants[OfPort(name)] = nil
	}
	for source := range changed {
		if b.routers.missed == 0 {
			wants[source] = nil
		}
	}
	maps.Copy(wants, b.routers.now.Wants)
	maps.Copy(wants, remotes)
	for source, objs := range b.remotes.all() { // whose keys are others': they do not show that the host's are all there
		wants[source], fixed = objs, append(fixed, source)
	}
	maps.Copy(wants, tapped)
	maps.Copy(wants, b.taps.all())
	b.taps.missed = false
	b.missed, b.routers.missed, b.remotes.missed = 0, 0, false
	err := b.store.Replace(wants, fixed...)
	if err != nil {
		b.log.Error("conflicting wants", "err", err)
	}
	if err != nil || len(yielding) > 0 {
		every := map[string]bool{} // whose it is, each is asked for itself
		for name := range b.ports {
			every[name] = true
		}
		b.assign(every)
		for name := range every {
			if b.wrong[name] != nil {
				ports[name] = true
			}
		}
		b.routers.assign(maps.Clone(b.routers.now.Wants), rerouted)
		maps.Copy(remotes, b.remotes.all())
		b.assignRemotes(remotes)
		maps.Copy(tapped, b.taps.all())
		b.assignTaps(tapped, retapped)
	} else {
		b.routers.assign(map[string][]desiredstate.Object{}, rerouted)
	}
	b.whole, b.found = true, nil
	b.inherit()
	if b.loaded {
		b.store.Complete()
	}
}

// depleted says whether more keys are in no list any more than are left. What these wanted will be held back.
func (b *Inbox) depleted() bool {
	return b.missed+b.routers.missed > len(b.ports)+len(b.trunks)+len(b.routers.names())
}

// assign says what has changed: the groups that are there before the ports that
// may be in them now, and those that nobody is in any more after all.
func (b *Inbox) assign(ports map[string]bool) {
	for name := range b.groups.changed {
		if x := b.groups.all[name]; x != nil {
			_ = b.store.Assign(OfGroup(name), x.sets...) // nobody else wants a group's sets
		}
	}
	wants := map[string][]desiredstate.Object{}
	for name := range ports {
		if wants[OfPort(name)] = nil; b.ports[name].UUID != "" {
			wants[OfPort(name)] = b.ports[name].Objects()
		}
	}
	refused := askOrNothing(b.store, slices.Sorted(maps.Keys(wants)), wants)
	for name := range ports {
		err := refused[OfPort(name)]
		if err == nil {
			continue
		}
		b.refused[name] = change{port: b.ports[name], there: true, at: b.puts[name]}
		b.wrong[name] = err
		b.groups.use(name, nil, b.ports[name].Groups)
		b.remotes.move(OfPort(name), place{}, false)
		delete(b.ports, name)
	}
	for name := range b.groups.changed {
		if b.groups.all[name] == nil {
			_ = b.store.Assign(OfGroup(name))
		}
	}
}

// tell adds to the ports those of a group with which something else is wrong now,
// or nothing any more.
func (b *Inbox) tell(name string, ports map[string]bool) {
	said := ""
	if err := b.groups.trouble(name); err != nil {
		said = err.Error()
	}
	if said == b.said[name] {
		return
	}
	if b.said[name] = said; said == "" {
		delete(b.said, name)
	} else {
		b.log.Warn("security group", "err", said)
	}
	if x := b.groups.all[name]; x != nil {
		maps.Copy(ports, x.ports)
	}
}

// Bequeath says which ports were bound by an earlier agent. One of them that has no key any more
// was deleted while nobody was there, and goes as if somebody had been, unless no port is left.
func (b *Inbox) Bequeath(ports []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.earlier = append(b.earlier, ports...)
}

// inherit orders what was deleted while nobody was there.
func (b *Inbox) inherit() {
	if len(b.ports) > 0 {
		for _, name := range b.earlier {
			_, here := b.ports[name]
			if _, waits := b.waiting[name]; !here && !waits && b.wrong[name] == nil {
				b.store.Delete(translate.OfPort(name)...)
			}
		}
	}
	b.earlier = nil
}
