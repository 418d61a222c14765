// SPDX-License-Identifier: Apache-2.0

package main

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

// trunks begins the names of subports, and to the announcer those of trunks.
const trunks = "trunks/"

func subportName(parent, sub string) string { return trunks + parent + "/" + sub }

// parentOf is the parent of a subport with this name; false: it is none.
func parentOf(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, trunks)
	parent, _, _ := strings.Cut(rest, "/")
	return parent, ok
}

// trunk takes the value of a trunk's key; it is there, or not. One of which it is not proven
// whose it is says nothing.
func (b *inbox) trunk(parent string, value []byte, there bool) {
	now, was := b.trunks[parent]
	if there {
		value, err := b.ca.Open(b.site.Trunks()+parent, value)
		if err == nil {
			now.Trunk, now.err = b.site.Trunk(parent, value)
		} else if now.err = err; !was {
			now.Parent = parent
		}
		b.trunks[parent] = now
	} else {
		delete(b.trunks, parent)
	}
	b.stirred[trunks+parent] = true
	b.graft(parent)
}

// graft puts the subports of a trunk on its parent, whichever of the two has changed.
func (b *inbox) graft(parent string) {
	on := b.before(parent)
	now := map[string]bool{}
	for _, p := range b.trunks[parent].Subports {
		c := change{there: true}
		if !on.there || on.wrong != nil {
			c.wrong = fmt.Errorf("its parent %s is not here", parent)
		} else {
			c.port, c.wrong = p.On(on.port)
		}
		name := subportName(parent, p.UUID)
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
func (b *inbox) subports(parent string) []string {
	var out []string
	for _, name := range slices.AppendSeq(b.known(), maps.Keys(b.changed)) {
		if of, sub := parentOf(name); sub && of == parent {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// subportNames lists the subports of a trunk that are known.
func (b *inbox) subportNames(parent string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.subports(parent)
}
