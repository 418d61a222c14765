// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"slices"
)

// What loses its effect because something else goes (Kind.Undoes) is listed by the target as before.
// So a reading would find it broken; the plan that takes the other away knows it, and mends it, whoever
// wants it. Until it is mended it is known to be broken, whatever becomes of the plan.

// undone lists what a step undoes. What goes along with it, because it depends on it, is made anew anyway.
func (b *planner) undone(c *draft) (nodes []*node) {
	if c.goesDown() && c.have.kind != nil {
		nodes = b.e.undoneBy(c.Key, c.have)
	}
	return nodes
}

func (w *world) undoneBy(k Key, a actual) (nodes []*node) {
	for _, u := range a.kind.undoes(a.spec) {
		if n := w.nodes[u]; n.ours() && !n.dependsOn(k) {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// undo notes that what was undone by what a task took away is broken, and tells the Runs but the task's own, which is
// told of the task. The lock is held.
func (x *pass) undo(t *task) {
	for _, a := range t.gone {
		for _, n := range x.e.undoneBy(t.step.Key, a) {
			if x.e.breaks(n, noEffect(t.step.Key)) {
				x.e.news(n.key, x.by)
			}
		}
	}
}

func noEffect(gone Key) string { return fmt.Sprintf("%s goes, and it has no effect by that", gone) }

// breaks notes that what is there of a node, and is ours, does not work, and says whether that is news.
func (w *world) breaks(n *node, why string) (changed bool) {
	have := slices.Clone(n.have) // a plan may have it
	for i, a := range have {
		if !a.foreign && a.broken() == "" {
			have[i].extra, changed = &extra{why, a.note()}, true
		}
	}
	if changed {
		n.have, n.asWanted = have, nil
		w.version++ // a reading that began before knows it worse
		w.view.touch(n, w.version)
	}
	return changed
}

// redo has what steps undo changed again, and says whether any step is another by that.
func (b *planner) redo() (changed bool) {
	for _, c := range b.drafts[:len(b.drafts):len(b.drafts)] {
		for _, n := range b.undone(c) {
			d := n.draftOf()
			if d == nil {
				if d = b.draftStaying(n); d == nil {
					continue
				}
				d.late, changed = true, true
				b.assign(d)
				b.queue(d)
			}
			broken := d.have.broken() != ""
			if d.base != Keep && (d.base != Update || broken) || d.goesDown() {
				continue
			}
			if !broken {
				d.have.extra = &extra{noEffect(c.Key), d.have.note()}
			}
			d.base, changed = d.kind.turns(d.have, d.want), true
			b.queue(d)
		}
	}
	return changed
}

// draftStaying drafts the step of an object that has none, and is undone: it is wanted, or this plan has no leave
// to take it away. What nobody can read stays as it is.
func (b *planner) draftStaying(n *node) *draft {
	if b.want(n) != nil {
		kept := b.kept
		d := b.look(n, true)
		b.kept = kept // it has a step now
		return d
	}
	have := n.owned()
	if b.r.named(n.key) || len(have) != 1 || have[0].left || b.doubt(n) != nil || b.e.blind(n) != nil {
		return nil
	}
	return b.draftAsItIs(n, have)
}

// redoAfter puts what is mended after what undid it has gone, and before that comes again.
func (b *planner) redoAfter(c *draft) {
	for _, n := range b.undone(c) {
		d := n.draftOf()
		if d == nil || d.Action != Update || slices.Contains(d.deps, c.n) {
			continue
		}
		d.up.after(c.down)
		c.up.after(d.up)
	}
}
