// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/vpe"

	"github.com/vppkit/vppkit/vpptest"
)

// govpp's own client is the first witness that the protocol is spoken right.
func TestGoVPPConnects(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface("GigabitEthernet0/8/0"))
	conn, err := govpp.Connect(vpp.Socket())
	require.NoError(t, err)
	defer conn.Disconnect()

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	version, err := vpe.NewServiceClient(conn).ShowVersion(ctx, &vpe.ShowVersion{})
	require.NoError(t, err)
	require.Equal(t, "25.10-release", version.Version)

	stream, err := interfaces_api.NewServiceClient(conn).SwInterfaceDump(ctx, &interfaces_api.SwInterfaceDump{SwIfIndex: 1<<32 - 1})
	require.NoError(t, err)
	var names []string
	for {
		d, err := stream.Recv()
		if err != nil {
			break
		}
		names = append(names, d.InterfaceName)
	}
	require.Equal(t, []string{"local0", "GigabitEthernet0/8/0"}, names)
}
