// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vpptest"
)

// Most of the recordings in odd were drawn at random until a real VPP answered otherwise
// than the in-memory one did, and made short then. No script in Go makes them: each is
// its own.
const odd = recordings + "/odd"

func eachOdd(t *testing.T, f func(t *testing.T, path string, r *vpptest.Recording)) {
	t.Helper()
	files, err := filepath.Glob(odd + "/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			r, err := vpptest.Load(path)
			require.NoError(t, err)
			f(t, path, r)
		})
	}
}

func TestReplayOdd(t *testing.T) {
	eachOdd(t, func(t *testing.T, path string, r *vpptest.Recording) {
		if *record {
			vpp := realFor(t, asksLinux(r), startup(r)...)
			made, err := r.Again(vpp.Socket(), vpp.Dir())
			require.NoError(t, err)
			require.NoError(t, made.Save(path))
			r = made
		}
		var reports []string
		vpp := vpptest.New(t, vpptest.WithDirectory("/sockets"), vpptest.WithHostDevice("vt0"), vpptest.WithHostDevice("vt1"),
			vpptest.WithReport(func(text string) { reports = append(reports, text) }))
		require.NoError(t, r.Replay(vpp.Socket(), "/sockets"))
		if why := vpp.Died(); why != "" {
			require.Equal(t, []string{"vpptest: VPP died: " + why}, reports)
		} else {
			require.Empty(t, reports)
		}
	})
}

func TestReplayOddReal(t *testing.T) {
	eachOdd(t, func(t *testing.T, _ string, r *vpptest.Recording) {
		vpp := realFor(t, asksLinux(r), startup(r)...)
		require.NoError(t, r.Replay(vpp.Socket(), vpp.Dir()))
	})
}

// asksLinux tells whether the requests need devices of Linux.
func asksLinux(r *vpptest.Recording) bool { return strings.Contains(fmt.Sprint(r.Steps), "af_packet") }

// startup is what VPP needs for requests of a plugin that it does not load by itself.
func startup(r *vpptest.Recording) []vpptest.RealOption {
	if strings.Contains(fmt.Sprint(r.Steps), "lcp_") {
		return []vpptest.RealOption{withLinuxCP}
	}
	return nil
}
