// SPDX-License-Identifier: Apache-2.0

package follow_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/follow"
)

// What is deleted while somebody watches is told as that, and never by a list that lacks it, however often all is listed: a
// deletion is an order, and what a list lacks may be lost.
func TestNoDeletionIsToldByItsAbsence(t *testing.T) {
	e, c := embedded(t)
	var absent, deleted atomic.Int64
	m := following(t, e.URL(), func(f *follow.Follower) {
		f.Resync = 3 * time.Millisecond
		there := map[string]bool{}
		listed, written, gone := f.Listed, f.Put, f.Deleted
		f.Listed = func(r follow.Range, all map[string][]byte) {
			for key := range there {
				if _, still := all[key]; !still {
					absent.Add(1)
				}
			}
			clear(there)
			for key := range all {
				there[key] = true
			}
			listed(r, all)
		}
		f.Put = func(key string, v []byte) { there[key] = true; written(key, v) }
		f.Deleted = func(key string) { delete(there, key); deleted.Add(1); gone(key) }
	})
	want := map[string]string{}
	for i := 0; i < 1500 || m.lists() <= 10; i++ { // some machines are too quick for lists in between
		name := fmt.Sprint(rand.IntN(5))
		if want[name] == "" {
			want[name] = fmt.Sprint(i)
			put(t, c, full(name), want[name])
		} else {
			delete(want, name)
			del(t, c, full(name))
		}
	}
	require.Eventually(t, func() bool { return maps.Equal(want, m.now()) }, 20*time.Second, time.Millisecond)
	t.Logf("%d lists, %d deletions, %d of them by a list", m.lists(), deleted.Load(), absent.Load())
	require.Greater(t, m.lists(), 10)
	require.Zero(t, m.losses())
	require.Zero(t, absent.Load())
}
