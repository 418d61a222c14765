// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"context"
	"time"
)

// longestBehind is how long a list waits for what watches have still to tell of before it. Events may be lost: then
// it is for the list to say so.
const longestBehind = 5 * time.Second

// catchUp takes all that watches have to tell up to a revision, of which a list is to be told: what was deleted shall be told as
// that, since what a list lacks may be lost. What they tell of later is kept until after the list.
func (f *Follower) catchUp(ctx context.Context, at int64) error {
	enough := time.NewTimer(longestBehind)
	defer enough.Stop()
	again := time.NewTicker(unanswered)
	defer again.Stop()
	for asked := false; f.isBehind(at); {
		if !asked {
			if err := f.inquire(ctx); err != nil {
				return err
			}
			asked = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.broken:
			return errBroken
		case e := <-f.events:
			now, later := e.until(at)
			if len(now.Events) > 0 || len(later.Events) == 0 {
				if _, err := f.take(now); err != nil {
					return err
				}
			}
			if len(later.Events) > 0 {
				e.of.told = max(e.of.told, at) // they come in order
				f.later = append(f.later, later)
			}
		case <-again.C:
			asked = false
		case <-enough.C:
			return nil
		}
	}
	return nil
}

// isBehind says whether a watch may have to tell of something up to a revision.
func (f *Follower) isBehind(at int64) bool {
	for _, w := range f.watches {
		if w.told < at {
			return true
		}
	}
	return false
}

// until divides what was heard into what is up to a revision, and what is later.
func (e event) until(at int64) (now, later event) {
	now, later = e, e
	n := 0
	for n < len(e.Events) && e.Events[n].Kv.ModRevision <= at {
		n++
	}
	now.Events, later.Events = e.Events[:n], e.Events[n:]
	return now, later
}

// kept takes what was kept, which is earlier than what comes.
func (f *Follower) kept() (news bool, err error) {
	for _, e := range f.later {
		more, err := f.take(e)
		if err != nil {
			return false, err
		}
		news = news || more
	}
	f.later = nil
	return news, nil
}
