// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"slices"
)

// prepare plans a request and claims what the plan touches; if that fails, nothing is
// claimed. It waits for other passes that are in the way, or, if the request may be done
// in parts, prepares those keys that none is in the way of. The others come back in groups
// which have nothing to do with each other; each is a request of its own, to be prepared when
// it can be. If all are contested, and they are one group, it waits all the same. So nothing
// but what contests a key is delayed by it.
func (e *Engine) prepare(ctx context.Context, r request) (p *Plan, rest [][]Key, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for readings, ticket := e.readings, uint64(0); ; {
		if err := e.ready(ctx); err != nil {
			return nil, rest, err
		}
		if p, err = e.plan(r); err != nil {
			return nil, rest, err
		}
		if e.tryAgain(r, p, readings) {
			continue
		}
		if !e.claim(p, ticket) {
			if later := e.split(p, &r, ticket); len(later) > 0 {
				rest = append(rest, later...)
			} else if err := e.queue(ctx, p, &ticket); err != nil {
				return nil, rest, err
			}
			continue
		}
		again, err := e.reconsider(ctx, p)
		if err == nil && !again && r.planned != nil {
			r.planned(p, rest)
		}
		if err != nil || !again {
			return p, rest, err
		}
	}
}

// split takes out of a request what is better done apart from the rest of it, in groups: what
// another pass is in the way of, or if that is all, what has nothing to do with the first of it.
func (e *Engine) split(p *Plan, r *request, ticket uint64) [][]Key {
	if !r.apart {
		return nil
	}
	groups := e.contested(p, r.keys, ticket)
	if free := without(r.keys, groups); len(free) > 0 {
		r.keys = free
		return groups
	}
	r.keys = groups[0]
	return groups[1:]
}

// without returns the keys that are in none of the groups.
func without(keys []Key, groups [][]Key) (out []Key) {
	if len(groups) == 0 {
		return keys
	}
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
