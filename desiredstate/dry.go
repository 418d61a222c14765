// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "context"

// Plan says what Sync would do, and writes nothing. It makes every check that Apply would.
func (e *Engine) Plan(ctx context.Context, want ...Object) (*Plan, error) {
	return e.dryRun(ctx, request{objects: want, all: true, prune: true, again: true})
}

// PlanEnsure says what Ensure would do, and writes nothing.
func (e *Engine) PlanEnsure(ctx context.Context, want ...Object) (*Plan, error) {
	return e.dryRun(ctx, request{objects: want, restore: true, again: true})
}

// PlanRemove says what Remove would do, and writes nothing.
func (e *Engine) PlanRemove(ctx context.Context, keys ...Key) (*Plan, error) {
	return e.dryRun(ctx, removal(keys))
}

// removal is a request to remove what has these keys.
func removal(keys []Key) request {
	asked := make(map[Key]bool, len(keys))
	for _, k := range keys {
		asked[k] = true
	}
	return request{want: nothing, keys: keys, refuse: true, again: true, named: func(k Key) bool { return asked[k] }}
}

func nothing(Key) Object { return nil }

// dryRun plans a request. Nothing is claimed afterwards, and nothing known by what was wanted.
func (e *Engine) dryRun(ctx context.Context, r request) (*Plan, error) {
	r.dry = true
	e.mu.Lock()
	defer e.mu.Unlock()
	for readings, ticket := e.readings, uint64(0); ; {
		if err := e.ready(ctx); err != nil {
			return nil, err
		}
		p, err := e.plan(r)
		if err != nil {
			return nil, err
		}
		if e.tryAgain(r, p, readings) {
			continue
		}
		if len(p.suspects) > 0 {
			if !e.claim(p, ticket) {
				if err := e.queue(ctx, p, &ticket); err != nil {
					return nil, err
				}
				continue
			}
			if _, err := e.reconsider(ctx, p); err != nil {
				return nil, err
			}
			continue
		}
		e.observe(Event{Type: Planned, Plan: p})
		return p, nil
	}
}
