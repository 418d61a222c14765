// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"slices"
)

// begin prepares those keys of a request that no other pass is in the way of. The others
// come back in groups which have nothing to do with each other; each is a request of its
// own, to be prepared when it can be. If all are contested, and they are one group, begin
// waits. So nothing but what contests a key is delayed by it.
func (e *Engine) begin(ctx context.Context, r request) (p *Plan, rest [][]Key, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ticket := uint64(0); ; {
		if err := e.ready(ctx); err != nil {
			return nil, rest, err
		}
		if p, err = e.plan(r); err != nil {
			return nil, rest, err
		}
		if !e.claim(p, ticket) {
			groups := e.contested(p, r.keys, ticket)
			free := without(r.keys, groups)
			switch {
			case len(free) > 0:
				r.keys, rest = free, append(rest, groups...)
			case len(groups) > 1:
				r.keys, rest = groups[0], append(rest, groups[1:]...)
			default:
				if err := e.queue(ctx, p, &ticket); err != nil {
					return nil, rest, err
				}
			}
			continue
		}
		again, err := e.reconsider(ctx, p)
		if err != nil || !again {
			return p, rest, err
		}
	}
}

// without returns the keys that are in none of the groups.
func without(keys []Key, groups [][]Key) (out []Key) {
	in := map[Key]bool{}
	for _, g := range groups {
		for _, k := range g {
			in[k] = true
		}
	}
	for _, k := range keys {
		if !in[k] {
			out = append(out, k)
		}
	}
	return out
}

// contested groups those of the keys whose steps another pass is in the way of, directly
// or by way of steps that touch the same.
func (e *Engine) contested(p *Plan, keys []Key, ticket uint64) [][]Key {
	touched := map[*node][]int{} // by steps
	writes := map[*node][]int{}
	for i, s := range p.Steps {
		for _, c := range s.claims {
			touched[c.n] = append(touched[c.n], i)
			if c.write {
				writes[c.n] = append(writes[c.n], i)
			}
		}
	}
	asked := make(map[Key]bool, len(keys))
	for _, k := range keys {
		asked[k] = true
	}
	var groups [][]Key
	seen := make([]bool, len(p.Steps))
	gather := func(from int) {
		var group []Key
		todo := []int{from}
		seen[from] = true
		for len(todo) > 0 {
			s := p.Steps[todo[0]]
			todo = todo[1:]
			if asked[s.Key] {
				delete(asked, s.Key)
				group = append(group, s.Key)
			}
			for _, c := range s.claims {
				near := writes[c.n]
				if c.write {
					near = touched[c.n]
				}
				for _, i := range near {
					if !seen[i] {
						seen[i] = true
						todo = append(todo, i)
					}
				}
			}
		}
		if len(group) > 0 {
			groups = append(groups, group)
		}
	}
	for i, s := range p.Steps {
		if !seen[i] && slices.ContainsFunc(s.claims, func(c claim) bool { return e.taken(c, ticket) }) {
			gather(i)
		}
	}
	for _, n := range slices.Concat(p.suspects, p.busy) { // nothing is planned of them, but it is not sure
		if e.taken(claim{n, false}, ticket) {
			for _, i := range touched[n] {
				if !seen[i] {
					gather(i)
				}
			}
			if asked[n.key] {
				delete(asked, n.key)
				groups = append(groups, []Key{n.key})
			}
		}
	}
	if len(groups) == 0 { // what is in the way was not asked about
		groups = append(groups, slices.Clone(keys))
	}
	return groups
}
