// SPDX-License-Identifier: Apache-2.0

package kindrig

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
)

// Laws runs the laws of kinds, and that of what is made: it is found as it was made.
func Laws[S desiredstate.Object](t *testing.T, s kindtest.Suite[S]) {
	kindtest.Run(t, s)
	t.Run("steady", func(t *testing.T) {
		for seed := range 8 {
			w := s.Open(t)
			e := Engine(append(w.More, w.Kind)...)
			_, err := e.Sync(t.Context(), w.Base...)
			require.NoError(t, err)
			Steady(t, e, append(slices.Clone(w.Base), s.Gen.Example(seed))...)
			_, err = e.Sync(t.Context())
			require.NoError(t, err)
		}
	})
}
