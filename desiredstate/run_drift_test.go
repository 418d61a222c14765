// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// What was wanted before Run began is looked at once, not once for being wanted and
// once for the first reading.
func TestRunBeginsWithOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, s, tries := newTarget(), ds.NewStore(), 0
		x.fail = func(int, string) outcome {
			tries++
			return refused
		}
		require.NoError(t, s.Put(Box{Name: "a"}))
		s.Complete()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- engine(x).Run(ctx, s, time.Minute) }()
		synctest.Wait()
		x.by(func() { require.Equal(t, 1, tries) })
		cancel()
		<-done
	})
}

func TestRunRepairsDrift(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "b", Needs: "a"}))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		want, writes := x.String(), x.written()
		time.Sleep(5 * time.Minute)
		require.Equal(t, writes, x.written(), "a converged pass writes nothing")
		tamper := func() {
			x.by(func() {
				for id, i := range x.items {
					switch i.name {
					case "a":
						i.color = 5
					case "b":
						x.lose(id)
					}
				}
			})
		}
		tamper()
		time.Sleep(61 * time.Second)
		require.Equal(t, want, x.String())
		tamper()
		e.Forget()
		synctest.Wait()
		require.Equal(t, want, x.String())
	})
}

// What somebody changed is not as wanted until it is repaired, and says so; also if that was as soon as it was
// said to be applied.
func TestRunSaysThatWhatDriftedIsNotAsWanted(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "b", Needs: "a"}, Box{Name: "c"}))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		during := map[string]ds.State{}
		x.by(func() {
			for id, i := range x.items {
				switch i.name {
				case "a":
					i.color = 5
				case "b":
					x.lose(id)
				}
			}
			x.fail = func(_ int, op string) outcome {
				for _, name := range []string{"a", "b", "c"} {
					if st, _ := s.Status(thingKey(name)); name == "c" || strings.HasSuffix(op, name) {
						during[op+": "+name] = st.State
					}
				}
				return works
			}
		})
		e.Forget()
		synctest.Wait()
		x.by(func() {
			require.Equal(t, map[string]ds.State{
				"update a: a": ds.Pending, "update a: c": ds.Applied,
				"create b: b": ds.Pending, "create b: c": ds.Applied,
			}, during)
		})
		for _, name := range []string{"a", "b", "c"} {
			require.Equal(t, ds.Applied, status(t, s, name).State)
		}
		_, converged := s.Converged()
		require.True(t, converged)
	})
}

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}
