// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every message that is built in must have been tried on a real VPP.
func TestEveryMessageIsRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/vpp-*/*.json")
	require.NoError(t, err)
	asked := map[string]bool{}
	for _, file := range files {
		r, err := Load(file)
		require.NoError(t, err)
		for _, step := range r.Steps {
			asked[step.Request.name()] = true
		}
	}
	l := New(t).life
	for id := range l.handlers {
		name := l.table.entries[id].name
		require.True(t, asked[name], "%s is in no recording", name)
	}
}
