// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"maps"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// What a group's sets cost is its rules times their members: seconds for one whose author
// means ill, or has many. So no port waits for that: the sets of a group that is not cheap are made
// beside all else, and long values are read there, and until then it stands as it was.

// Cheap is a group of so many rules and members of rules, and many are so many of all that
// changes at once: 10 and 50 ms of a CPU.
const (
	cheap = 2000
	many  = 10000
)

// cost is how many rules the sets of a group are made of.
func (g *groups) cost(x *group) int {
	n := 0
	for _, rules := range [][]acl.GroupRule{x.last.Ingress, x.last.Egress} {
		for _, r := range rules {
			n++
			if to := g.remotes[r.RemoteGroup]; to != nil {
				n += to.addrs
			}
		}
	}
	return n
}

// make makes the sets of groups that have changed, of what is known by now. What is not cheap is
// taken from them, to be made beside.
func (g *groups) make() {
	g.takeHeard()
	for _, name := range g.unread() {
		g.changed[name] = true
	}
	spent := 0
	for name := range g.changed {
		x := g.all[name]
		if x == nil {
			continue
		}
		if !x.read {
			continue
		}
		n := g.cost(x)
		if spent += n; n > cheap || spent > many {
			g.late[name] = true
			delete(g.changed, name)
			continue
		}
		x.sets, x.unfit = translate.GroupObjects(x.last, g.members(x))
	}
	maps.Copy(g.changed, g.made)
	clear(g.made)
}

// unmade says whether there are groups that never were made, and are about to be.
func (g *groups) unmade() bool {
	for _, names := range []map[string]bool{g.late, g.read} {
		for name := range names {
			if x := g.all[name]; x != nil && x.sets == nil {
				return true
			}
		}
	}
	return false
}

// forge makes what is late, one group after the other, and has it settled.
func (b *Inbox) forge() {
	g := b.groups
	for {
		b.mu.Lock()
		name, x := "", (*group)(nil)
		for name = range g.late {
			x = g.all[name]
			break
		}
		if name == "" {
			b.forging = false
			b.mu.Unlock()
			b.ring() // or Finish, which heard the last one already, would wait for ever
			return
		}
		switch {
		case x != nil && x.text != nil:
			b.readLong(name, x)
		case x != nil && x.read:
			b.makeLong(name, x)
		default: // it is gone, or there is nothing any more to read it from
			delete(g.late, name)
		}
		b.mu.Unlock()
		b.ring()
	}
}

// ring asks for settled.
func (b *Inbox) ring() {
	select {
	case b.again <- struct{}{}:
	default:
	}
}

// readLong reads the long value of a group, for which others do not wait. Meanwhile there may be
// another group of this name.
func (b *Inbox) readLong(name string, x *group) {
	text, heard := x.text, &heardGroup{turn: x.turn}
	b.mu.Unlock()
	heard.SecurityGroup, heard.wrong = translate.Group(name, text)
	b.mu.Lock()
	if b.groups.all[name] == x && x.turn == heard.turn {
		x.text, x.heard = nil, heard
		b.groups.read[name] = true
		delete(b.groups.late, name)
	}
}

// makeLong makes the sets of a group, for which others do not wait.
func (b *Inbox) makeLong(name string, x *group) {
	last, members, turn := x.last, b.groups.members(x), x.turn
	b.mu.Unlock()
	sets, unfit := translate.GroupObjects(last, members)
	b.mu.Lock()
	if b.groups.all[name] != x {
		return
	}
	x.sets, x.unfit = sets, unfit
	b.groups.made[name] = true
	if x.turn == turn {
		delete(b.groups.late, name)
	}
}

// Finish waits until nothing is late, and has it settled.
func (b *Inbox) Finish() {
	for {
		b.mu.Lock()
		busy := b.forging
		b.mu.Unlock()
		if !busy {
			break
		}
		<-b.again
	}
	b.Settled(false)
}

// standing are the sets of groups, by source, as far as there are any yet.
func (g *groups) standing(wants map[string][]desiredstate.Object) {
	for name, x := range g.all {
		wants[OfGroup(name)] = x.sets
	}
}
