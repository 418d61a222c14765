// SPDX-License-Identifier: Apache-2.0

package binapi_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/feature"
	interfaces "go.fd.io/govpp/binapi/interface"

	"github.com/vppkit/vppkit/binapi"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What the library can do with each release is in testdata: the CRCs of all messages
// that it uses are the same in all, or the file says which kinds are lost.
func TestReleases(t *testing.T) {
	for _, release := range vpptest.Releases {
		c := dial(t, vpptest.Release(release))
		require.Equal(t, release+"-release", c.VPP().Version)
		golden(t, "release-"+release+".txt", binapi.Check(c, kinds(c)...).String())
	}
}

// A kind that needs what came with 25.06 is unavailable before, and says why.
func TestNewerThanTheRelease(t *testing.T) {
	features := func(v *vpptest.VPP) {
		vpptest.Handle(v, func(*vpptest.Call, *feature.FeatureEnableDisable) *feature.FeatureEnableDisableReply {
			return &feature.FeatureEnableDisableReply{}
		})
	}
	for _, release := range vpptest.Releases {
		c := dial(t, vpptest.Release(release), vpptest.WithPlugin("feature", features))
		newer := &desiredstate.Kind[vppnet.Interface]{Name: "newer", Messages: c.Uses(&interfaces.SwInterfaceDump{}, &feature.FeatureIsEnabled{})}
		r := binapi.Check(c, newer, vppnet.BridgeDomains(c))
		if release != "24.10" {
			require.True(t, r.OK(), "%s: %s", release, r)
			continue
		}
		require.Equal(t, []string{"newer"}, r.Unavailable())
		require.ErrorContains(t, r.Why("newer"), "lacks feature_is_enabled and feature_is_enabled_reply of vpp core")
		require.NoError(t, r.Why("bridge-domain"))
	}
}
