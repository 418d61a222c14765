// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// A closed engine adopts nothing.
func TestAdoptAfterClose(t *testing.T) {
	x := newTarget()
	x.add(&item{kind: "box", name: "theirs", color: 1, shape: 7, foreign: true})
	k := boxes(x)
	adopted := 0
	k.Adopt = func(_ context.Context, _ *ds.View, have ds.Actual[Box], want Box) error { adopted++; return nil }
	e := ds.New(k)
	a, err := e.Adoption(t.Context(), Box{Name: "mine", Color: 1}, thingKey("theirs"))
	require.NoError(t, err)
	e.Close()
	_, err = e.Adopt(t.Context(), a)
	require.ErrorIs(t, err, ds.ErrClosed)
	require.Zero(t, adopted, "a closed engine changed the target")
}

// Nothing is adopted by a name that the engine does not claim.
func TestAdoptWhatIsNotClaimed(t *testing.T) {
	x := newTarget()
	x.add(&item{kind: "box", name: "theirs", color: 1, shape: 7, foreign: true})
	k := boxes(x)
	adopted := 0
	k.Adopt = func(_ context.Context, _ *ds.View, have ds.Actual[Box], want Box) error { adopted++; return nil }
	k.Claims = func(k ds.Key) bool { return k.Name == "onlythis" }
	e := ds.New(k)
	a, err := e.Adoption(t.Context(), Box{Name: "mine", Color: 1}, thingKey("theirs"))
	if err == nil {
		_, err = e.Adopt(t.Context(), a)
	}
	require.ErrorIs(t, err, ds.ErrForeign)
	require.Zero(t, adopted, "adopted by a name that this engine does not claim")
}

// A plan that leaves something blocked is not committed.
func TestCommitRefusesWhatWouldBlock(t *testing.T) {
	x := newTarget()
	e := engine(x)
	syncs(t, e, Box{Name: "b"}, Box{Name: "u", Needs: "b"})
	before, writes := x.String(), x.writes
	p, err := e.Plan(t.Context(), Box{Name: "b", Shape: 2}, Box{Name: "u", Needs: "b,missing"})
	require.NoError(t, err)
	t.Log(p)
	_, err = e.Commit(t.Context(), p)
	t.Log(err)
	require.Error(t, err)
	require.Equal(t, before, x.String())
	require.Equal(t, writes, x.writes, "a plan with blocked steps is refused")
}

// lister is an object that lists what it depends on itself.
type lister struct {
	Name string
	On   []ds.Key
}

func (l lister) Key() ds.Key     { return ds.Key{Space: "lister", Name: l.Name} }
func (l lister) Validate() error { return nil }
func (l lister) Deps() []ds.Key  { return l.On }

// What an object lists as its dependencies is its own.
func TestDepsAreNotWritten(t *testing.T) {
	x := newTarget()
	have := map[string]lister{}
	k := &ds.Kind[lister]{
		Name:   "lister",
		Dump:   func(context.Context, *ds.View) (out []ds.Actual[lister], err error) { return nil, nil },
		Create: func(_ context.Context, _ *ds.View, l lister) (uint32, error) { have[l.Name] = l; return 1, nil },
		Update: func(_ context.Context, _ *ds.View, _ ds.Actual[lister], l lister) error { have[l.Name] = l; return nil },
		Delete: func(_ context.Context, _ *ds.View, l ds.Actual[lister]) error { return nil },
		Fill: func(h ds.Actual[lister], w lister) lister {
			if h.Spec.Name != "" {
				w.On = h.Spec.On
			}
			return w
		},
	}
	e := ds.New(boxes(x), k)
	all := []ds.Key{thingKey("p"), thingKey("q"), thingKey("r")}
	_, err := e.Ensure(t.Context(), Box{Name: "p"}, Box{Name: "q"}, Box{Name: "r"}, lister{"l", []ds.Key{thingKey("r")}})
	require.NoError(t, err)
	_, err = e.Ensure(t.Context(), lister{"l", all[:1]})
	require.NoError(t, err)
	require.Equal(t, []ds.Key{thingKey("p"), thingKey("q"), thingKey("r")}, all, "an object's own list was written to")
}

// Sync waits for who changes the same, and then does all.
func TestSyncBesideOthers(t *testing.T) {
	x := newTarget()
	x.delay = 100 * time.Microsecond
	e := engine(x)
	e.MaxPrune = 1
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				_, _ = e.Ensure(t.Context(), Box{Name: "other", Color: i % 2})
			}
		}
	})
	stale := 0
	for i := range 20 {
		if _, err := e.Sync(t.Context(), Box{Name: "other", Color: 1}, Box{Name: "a", Color: i}); errors.Is(err, ds.ErrStale) {
			stale++
		}
	}
	close(stop)
	all.Wait()
	require.Zero(t, stale, "of 20 Syncs")
}

// Who changes several objects gets its turn, however busy each of them is.
func TestWhoChangesSeveralIsNotStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e := engine(x)
		_, err := e.Ensure(t.Context(), Box{Name: "a"}, Box{Name: "b"})
		require.NoError(t, err)
		x.delay = time.Second
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		n := atomic.Int32{}
		for i, name := range []string{"a", "a", "b", "b"} {
			all.Go(func() {
				time.Sleep(time.Duration(i*333) * time.Millisecond)
				for c := 0; ctx.Err() == nil; c++ {
					_, _ = e.Ensure(ctx, Box{Name: name, Color: i*1000000 + c})
					n.Add(1)
				}
			})
		}
		time.Sleep(5 * time.Second)
		start := time.Now()
		pctx, pc := context.WithTimeout(t.Context(), time.Hour)
		defer pc()
		_, err = e.Ensure(pctx, Box{Name: "a", Color: 7}, Box{Name: "b", Color: 7})
		cancel()
		all.Wait()
		t.Log(time.Since(start), n.Load(), fmt.Sprint(err))
		require.NoError(t, err)
		require.Less(t, time.Since(start), time.Minute)
	})
}
