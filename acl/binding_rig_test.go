// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// onBoth runs a test on both VPPs.
func onBoth(t *testing.T, test func(t *testing.T, vpp vpptest.Target)) {
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t)) })
	t.Run("real", func(t *testing.T) { test(t, vpptest.NewProxy(t, vpptest.Real(t).Socket())) })
}

// engine is one of all kinds.
func engine(c *vppnet.Conn) *desiredstate.Engine { return desiredstate.New(kinds(c)...) }

// ensure gives VPP's handles, by key.
func ensure(t *testing.T, e *desiredstate.Engine, want ...desiredstate.Object) map[desiredstate.Key]uint32 {
	t.Helper()
	r, err := e.Ensure(t.Context(), want...)
	require.NoError(t, err)
	ids := map[desiredstate.Key]uint32{}
	for _, x := range r {
		ids[x.Key] = x.ID
	}
	return ids
}

// lists gives the sets on an interface as VPP tells.
func lists(t *testing.T, c *vppnet.Conn, id uint32) (in, out []uint32) {
	t.Helper()
	c.Uses(&binding.ACLInterfaceListDump{})
	all, err := vppnet.Collect(binding.NewServiceClient(c).ACLInterfaceListDump(t.Context(), &binding.ACLInterfaceListDump{SwIfIndex: interface_types.InterfaceIndex(id)}))
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0].Acls[:all[0].NInput], all[0].Acls[all[0].NInput:]
}

// features gives the L2 features of an interface as VPP tells.
func features(t *testing.T, c *vppnet.Conn, id uint32) uint32 {
	t.Helper()
	c.Uses(&l2.L2Flags{})
	r, err := l2.NewServiceClient(c).L2Flags(t.Context(), &l2.L2Flags{SwIfIndex: interface_types.InterfaceIndex(id), IsSet: true})
	require.NoError(t, err)
	return r.ResultingFeatureBitmap
}
