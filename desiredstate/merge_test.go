// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// hook hangs on what need not be there.
type hook struct{ Name, On string }

func hookKey(name string) ds.Key { return ds.Key{Space: "hook", Name: name} }

func (h hook) Key() ds.Key { return hookKey(h.Name) }
func (h hook) Deps() []ds.Key {
	if h.On == "" {
		return nil
	}
	return []ds.Key{hookKey(h.On)}
}
func (h hook) Validate() error { return nil }

// One reading finds that the last that hung on something let go of it, and that it is there by now.
func TestLetGoOfAndThere(t *testing.T) {
	there := []ds.Actual[hook]{{Spec: hook{Name: "a", On: "z"}, ID: 1}}
	e := ds.New(&ds.Kind[hook]{
		Name: "hook",
		Dump: func(context.Context, *ds.View) ([]ds.Actual[hook], error) { return there, nil },
		Create: func(_ context.Context, _ *ds.View, h hook) (uint32, error) {
			require.Fail(t, "it is there", h)
			return 0, nil
		},
		Update: func(context.Context, *ds.View, ds.Actual[hook], hook) error { return nil },
		Delete: func(context.Context, *ds.View, ds.Actual[hook]) error { return nil },
	})
	found, err := e.Found(t.Context())
	require.NoError(t, err)
	require.Len(t, found, 1)

	there = []ds.Actual[hook]{{Spec: hook{Name: "a"}, ID: 1}, {Spec: hook{Name: "z"}, ID: 2}}
	e.Forget()
	found, err = e.Found(t.Context())
	require.NoError(t, err)
	require.Len(t, found, 2)
	report, err := e.Ensure(t.Context(), hook{Name: "z"})
	require.NoError(t, err)
	require.Equal(t, ds.Report{{Action: ds.Keep, Key: hookKey("z"), ID: 2}}, report)
}
