// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// trunk is the key of a trunk. Its subports are ports among others, by names that no
// key of a port has.
type trunk struct {
	translate.Trunk
	err error // why it is not served; of one that is, why not as it was written
}

// wrong is what there is to say of the key.
func (t trunk) wrong() error {
	if t.err != nil {
		return t.err
	}
	return t.Lacks
}

// Trunks begins the names of subports, and to the announcer those of trunks.
const Trunks = "trunks/"

// SubportName is the name of a subport of a trunk, by the UUIDs of both.
func SubportName(parent, sub string) string { return Trunks + parent + "/" + sub }

// ParentOf is the parent of a subport with this name; false: it is none.
func ParentOf(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, Trunks)
	parent, _, _ := strings.Cut(rest, "/")
	return parent, ok
}

// trunk takes the value of a trunk's key; it is there, or not. One of which it is not proven
// whose it is says nothing.
func (b *Inbox) trunk(parent string, value []byte, there bool) {
	now, was := b.trunks[parent]
	if there {
		value, err := b.CA.Open(b.Site.Trunks()+parent, value)
		if err == nil {
			now.Trunk, now.err = b.Site.Trunk(parent, value)
		} else if now.err = err; !was {
			now.Parent = parent
		}
		b.trunks[parent] = now
	} else {
		delete(b.trunks, parent)
	}
	b.stirred[Trunks+parent] = true
	b.graft(parent)
}

// graft puts the subports of a trunk on its parent, whichever of the two has changed.
func (b *Inbox) graft(parent string) {
	on := b.before(parent)
	now := map[string]bool{}
	for _, p := range b.trunks[parent].Subports {
		c := change{there: true}
		if !on.there || on.wrong != nil {
			c.wrong = fmt.Errorf("its parent %s is not here", parent)
		} else {
			c.port, c.wrong = p.On(on.port)
		}
		name := SubportName(parent, p.UUID)
		now[name] = true
		b.become(name, c)
	}
	for _, name := range b.subports(parent) {
		if !now[name] {
			b.become(name, change{})
		}
	}
}

// subports lists those of a trunk that are known.
func (b *Inbox) subports(parent string) []string {
	var out []string
	for _, name := range slices.AppendSeq(b.known(), maps.Keys(b.changed)) {
		if of, sub := ParentOf(name); sub && of == parent {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// SubportNames lists the subports of a trunk that are known.
func (b *Inbox) SubportNames(parent string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.subports(parent)
}
