// SPDX-License-Identifier: Apache-2.0

package etcdtest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/vppkit/vppkit/examples/agent/etcd"
)

// Embed starts an etcd in this process, which ends with the test. Stopped and started again it is on the same
// port, which nobody else gets meanwhile.
func Embed(t testing.TB, dir string, with ...func(*embed.Config)) *etcd.Embedded {
	t.Helper()
	e, err := etcd.EmbedAt(FreeAddr(t), dir, with...)
	require.NoError(t, err)
	t.Cleanup(e.Stop)
	return e
}
