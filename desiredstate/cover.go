// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "slices"

// What hides a part of others (Kind.Covers) makes that part unknown, and keeps it from being
// changed. So it is not compared while the cover stays. If a plan takes the cover away, the part is
// compared by that same plan, and changed after it.

// cover notes whose parts a node hides by what it has, or that it does so no more.
func (w *world) cover(n *node, is bool) {
	for _, a := range n.have {
		for _, k := range a.kind.covers(a.spec) {
			list := slices.DeleteFunc(w.covers[k], func(x *node) bool { return x == n })
			if is {
				list = append(list, n)
			}
			if w.covers[k] = list; len(list) == 0 {
				delete(w.covers, k)
			}
		}
	}
}

// uncover has what was had of these looked at closely, if nothing that is known hides a part of it
// any more.
func (w *world) uncover(had []actual) {
	for _, a := range had {
		for _, k := range a.kind.covers(a.spec) {
			n := w.nodes[k]
			if n == nil || len(w.covers[k]) > 0 {
				continue
			}
			n.asWanted = nil
			n.have = slices.Clone(n.have) // a plan may have it
			for i := range n.have {
				n.have[i].covered = false
			}
			w.version++ // a reading that began before knows it worse
			w.view.touch(n, w.version)
		}
	}
}

// covered says whether a part of what is there of a node is hidden, and stays so.
func (b *planner) covered(n *node, a actual) bool {
	covers := b.e.covers[n.key]
	if len(covers) == 0 {
		return a.covered // by what no kind knows
	}
	return slices.ContainsFunc(covers, func(c *node) bool {
		d := c.draftOf()
		return d == nil || d.Action != Delete
	})
}

// covers lists what a step's object hides a part of, before or after it.
func (d *draft) covers() (keys []Key) {
	if d.have.kind != nil {
		keys = d.have.kind.covers(d.have.spec)
	}
	if d.kind != nil && d.want != nil {
		keys = append(keys, d.kind.covers(d.want)...)
	}
	return keys
}

// unveil looks again at what is or is not hidden any more, since what hides it goes or stays. It
// says whether any step is another by that.
func (b *planner) unveil() (changed bool) {
	for _, c := range b.drafts[:len(b.drafts):len(b.drafts)] {
		for _, k := range c.covers() {
			n := b.e.nodes[k]
			if !n.ours() || b.want(n) == nil {
				continue
			}
			d := n.draftOf()
			switch {
			case d != nil:
				changed = b.recompare(d) || changed
			case !b.covered(n, n.owned()[0]):
				kept := b.kept
				if d = b.look(n, false); d != nil {
					d.late, changed = true, true
					b.assign(d)
					b.queue(d)
				}
				b.kept = kept // as it was, or it has a step now
			}
		}
	}
	return changed
}

// recompare makes a step that goes from what is there what it has to be, if more or less of that
// counts by now.
func (b *planner) recompare(d *draft) bool {
	is := b.covered(d.n, d.have)
	if d.have.kind == nil || d.have.kind != d.kind || is == d.have.covered || d.base != Keep && d.base != Update && d.base != Replace {
		return false
	}
	d.have.covered = is
	d.want = d.kind.fill(d.have, d.Want)
	d.base = d.kind.turns(d.have, d.want)
	b.queue(d)
	return true
}

// touchesHidden says whether a step sets what would be hidden.
func (d *draft) touchesHidden() bool {
	open := d.have
	if open.kind != d.kind {
		open = actual{kind: d.kind, spec: d.kind.zero}
	}
	shut := open
	open.covered, shut.covered = false, true
	return !d.kind.equal(d.kind.fill(open, d.Want), d.kind.fill(shut, d.Want))
}

// uncoverFirst puts what sets a hidden part after what hides it has gone, and before what is to hide
// it comes.
func (b *planner) uncoverFirst(c *draft) {
	for _, k := range c.covers() {
		d := b.e.nodes[k].draftOf()
		switch {
		case d == nil || d.up == nil || d.n.dependsOn(c.Key) || slices.Contains(d.deps, c.n) || !d.touchesHidden():
		case c.Action == Delete:
			d.up.after(c.down)
		case c.Action == Create:
			c.up.after(d.up)
		}
	}
}
