// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "slices"

// source is who wants something. One can want very many entries, and an entry be wanted by
// very many; so each knows the place that it has in the other's list, and they are looked for
// in the shorter one.
type source struct {
	name  string
	wants []mention
}

// mention is an entry that a source wants, and the place of the source among those who do.
type mention struct {
	*entry
	at int
}

// wanter is a source that wants an entry, and the place of the entry among what it wants.
type wanter struct {
	*source
	at int
}

// find returns the place of an entry among what a source wants; -1 if it does not.
func (s *source) find(x *entry) int {
	if len(x.by) > len(s.wants) {
		return slices.IndexFunc(s.wants, func(m mention) bool { return m.entry == x })
	}
	if i := slices.IndexFunc(x.by, func(w wanter) bool { return w.source == s }); i >= 0 {
		return x.by[i].at
	}
	return -1
}

// want has a source want an entry that it did not.
func (s *source) want(x *entry) {
	s.wants = append(s.wants, mention{x, len(x.by)})
	x.by = append(x.by, wanter{s, len(s.wants) - 1})
}

// unwant is the inverse of want. The last of either list gets the place that becomes free.
func (s *source) unwant(at int) {
	gone := s.wants[at]
	by, other, moved := takeOut(gone.by, gone.at)
	if gone.entry.by = by; moved {
		other.wants[other.at].at = gone.at
	}
	wants, last, moved := takeOut(s.wants, at)
	if s.wants = wants; moved {
		last.by[last.at].at = at
	}
}

// entries lists what a source wants.
func (s *source) entries() []*entry {
	out := make([]*entry, len(s.wants))
	for i, m := range s.wants {
		out[i] = m.entry
	}
	return out
}

// sources lists who wants an entry.
func (x *entry) sources() []string {
	out := make([]string, len(x.by))
	for i, w := range x.by {
		out[i] = w.name
	}
	return out
}
