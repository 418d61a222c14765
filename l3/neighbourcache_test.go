// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/l3"
)

// VPP shows no difference between what it has by itself and what somebody wanted so: that would be made anew
// after each reading.
func TestADefaultNeighbourCacheIsNoneToWant(t *testing.T) {
	for _, n := range []l3.NeighbourCache{{}, {IPv6: true}, {Max: 50000}} {
		require.ErrorContains(t, n.Validate(), "leave it out")
	}
	for _, n := range []l3.NeighbourCache{{Age: time.Second}, {Max: 49999}, {IPv6: true, Recycle: true}} {
		require.NoError(t, n.Validate())
	}
	require.ErrorContains(t, l3.NeighbourCache{Age: time.Millisecond}.Validate(), "whole seconds")
}
