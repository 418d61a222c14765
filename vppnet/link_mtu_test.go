// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/vppnet"
)

// An interface gets its MTU back though whoever borrowed it has no time left.
func TestMTUIsGivenBack(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := dialVPP(t, socket)
		converge(t, c, vppnet.Loopback{Name: "lo"})
		found, err := layer2(c).Ensure(t.Context(), vppnet.Loopback{Name: "lo"})
		require.NoError(t, err)
		lo, ok := found.Of(vppnet.InterfaceKey("lo"))
		require.True(t, ok)
		mtu := func() []uint32 {
			all, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(t.Context(), &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(lo.ID)}))
			require.NoError(t, err)
			require.Len(t, all, 1)
			return all[0].Mtu
		}
		before := mtu()
		ctx, cancel := context.WithCancel(t.Context())
		err = c.WithMTU(ctx, lo.ID, 1400, func() error {
			require.EqualValues(t, 1400, mtu()[0])
			cancel()
			return ctx.Err()
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, before, mtu())
		converge(t, c)
	})
}
