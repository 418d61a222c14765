// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// What is begun first is what the first of all needs, and it is whole before the next is begun.
func TestOneAfterTheOther(t *testing.T) {
	h := &hooks{}
	e := ds.New(h.kinds()...)
	e.Parallel, e.MaxPrune = 1, 1
	var done []string
	e.Observe = func(ev ds.Event) {
		if ev.Type == ds.Done {
			done = append(done, ev.Key.Name)
		}
	}
	want := []ds.Object{
		hook{Name: "a", On: "z"},
		hook{Name: "b", On: "y"},
		hook{Name: "c", On: "x"},
		hook{Name: "d"},
		hook{Name: "x"},
		hook{Name: "y"},
		hook{Name: "z"},
	}
	_, err := e.Sync(t.Context(), want...)
	require.NoError(t, err)
	require.Equal(t, []string{"z", "a", "y", "b", "x", "c", "d"}, done)

	done = nil
	_, err = e.Sync(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "z", "b", "y", "c", "x", "d"}, done)
}
