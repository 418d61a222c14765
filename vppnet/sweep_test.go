// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Few are read one by one, many with all others, and either way those that are there are told.
func TestSweep(t *testing.T) {
	vpp := vpptest.New(t)
	c := kindrig.Dial(t, vpp.Socket(), "me")
	c.Uses(&interfaces.SwInterfaceDump{}, &memclnt.ControlPing{})
	loops := vppnet.Loopbacks(c)
	var ids []uint32
	for i := range 40 {
		r, err := loops.Ensure(t.Context(), vppnet.Loopback{Name: fmt.Sprint("lo", i)})
		require.NoError(t, err)
		ids = append(ids, r[0].ID)
	}
	s := vppnet.NewSweep(func(id uint32) api.Message {
		return &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(id)}
	})
	read := func(messages int, ids ...uint32) (found []uint32) {
		vpp.ResetLog()
		all, err := vppnet.Swept[*interfaces.SwInterfaceDetails](s.Ask(t.Context(), c, ids...))
		require.NoError(t, err)
		require.Len(t, vpp.Sent(), messages)
		for _, d := range all {
			found = append(found, uint32(d.SwIfIndex))
		}
		return found
	}
	require.ElementsMatch(t, ids[:3], read(4+1, ids[0], ids[1], ids[2], ids[0], 9999, vppnet.Everything))
	require.Subset(t, read(1+1, ids[:20]...), ids[:20])
	require.Subset(t, read(1+1, ids...), ids)
	require.Empty(t, read(0))
	require.Empty(t, read(0, vppnet.Everything))
}
