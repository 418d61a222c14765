// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Of two objects that could say an interface's MAC, one does.
func TestOneObjectSaysTheMAC(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := dialVPP(t, socket)
		for _, lo := range []vppnet.Loopback{{Name: "lo"}, {Name: "lo", MAC: mac(1)}, {Name: "lo", BVI: true}} {
			_, err := layer2(c).Ensure(t.Context(), lo, vppnet.LinkState{Interface: "lo", Up: true, MAC: mac(2)})
			require.ErrorIs(t, err, desiredstate.ErrConflict)
			require.ErrorContains(t, err, "its own object")
			converge(t, c, lo, vppnet.LinkState{Interface: "lo", Up: true})
		}
		converge(t, c)
	})
}
