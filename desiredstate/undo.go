// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"slices"
)

// What loses its effect because something else goes (Kind.Undoes) is listed by the target as before.
// So a reading would find it broken; the plan that takes the other away knows it, and mends it.

// undone lists what is to stay and to be mended, as a step undoes it. What goes along with it,
// because it depends on it, is made anew anyway.
func (b *planner) undone(c *draft) (nodes []*node) {
	if !c.goesDown() || c.have.kind == nil {
		return nil
	}
	for _, k := range c.have.kind.undoes(c.have.spec) {
		if n := b.e.nodes[k]; n.ours() && !n.dependsOn(c.Key) && b.want(n) != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// redo has what steps undo changed again, and says whether any step is another by that.
func (b *planner) redo() (changed bool) {
	for _, c := range b.drafts[:len(b.drafts):len(b.drafts)] {
		for _, n := range b.undone(c) {
			d := n.draftOf()
			if d == nil {
				kept := b.kept
				if d = b.look(n, true); d == nil {
					continue
				}
				b.kept = kept // it has a step now
				d.late = true
				b.assign(d)
			}
			if d.base != Keep && d.base != Update || d.goesDown() || d.have.broken() != "" {
				continue
			}
			d.have.extra = &extra{broken: fmt.Sprintf("%s goes, and it has no effect by that", c.Key), note: d.have.note()}
			d.base, changed = d.kind.turns(d.have, d.want), true
			b.queue(d)
		}
	}
	return changed
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
