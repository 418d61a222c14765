// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/feature"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/vpe"
)

// Bindings are of 25.10, so what they say is what that release has; and every module that
// is built in has a table for each release.
func TestReleasesHoldTheBindings(t *testing.T) {
	own, listed := New(t), New(t, Release("25.10"))
	require.Equal(t, sortedKeys(own.life.table.ids), sortedKeys(listed.life.table.ids))
	for name := range own.life.table.bases {
		for _, r := range Releases {
			require.NotEmpty(t, releases()[r][name], "module %s of %s is not in releases.txt", name, r)
		}
	}
}

func TestRelease(t *testing.T) {
	load := func(v *VPP) {
		Handle(v, func(*Call, *feature.FeatureIsEnabled) *feature.FeatureIsEnabledReply {
			return &feature.FeatureIsEnabledReply{IsEnabled: true}
		})
	}
	lacks := map[string]bool{"24.10": true}
	for _, r := range Releases {
		vpp := New(t, Release(r), WithPlugin("feature", load))
		w := client(t, vpp.Socket())
		answers, _, err := w.ask(&vpe.ShowVersion{}, &interfaces_api.SwInterfaceDump{SwIfIndex: none})
		require.NoError(t, err)
		require.Len(t, answers, 2)
		require.Equal(t, r+"-release", answers[0].(*vpe.ShowVersionReply).Version)
		answers, _, err = w.ask(&feature.FeatureIsEnabled{})
		if lacks[r] {
			require.ErrorContains(t, err, "vpp does not know feature_is_enabled")
			// Who sends what is not in the table is not answered.
			w.ids[crcName(&feature.FeatureIsEnabled{})] = 0
			frame, _, err := w.frame(nil, &feature.FeatureIsEnabled{})
			require.NoError(t, err)
			_, err = w.conn.Write(frame)
			require.NoError(t, err)
			late, err := w.quiet(20 * time.Millisecond)
			require.NoError(t, err)
			require.Empty(t, late)
			continue
		}
		require.NoError(t, err)
		require.Len(t, answers, 1)
	}
	_, ok := New(t, Release("26.06")).life.table.ids["l2_flags_get_f9e6675e"]
	require.True(t, ok, "what bindings do not know is announced too")
	_, err := Start(Release("17.04"))
	require.ErrorContains(t, err, `unknown release "17.04": want one of 24.10,`)
}
