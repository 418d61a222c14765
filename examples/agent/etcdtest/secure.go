// SPDX-License-Identifier: Apache-2.0

package etcdtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/vppkit/vppkit/examples/agent/etcd"
)

// Secure starts an etcd in this process that shows this certificate, and wants one of the same authority of whoever
// comes.
func Secure(t testing.TB, shows etcd.Access, with ...func(*embed.Config)) *etcd.Embedded {
	t.Helper()
	tls := func(c *embed.Config) {
		c.ClientTLSInfo = transport.TLSInfo{CertFile: shows.Cert, KeyFile: shows.Key, TrustedCAFile: shows.CA, ClientCertAuth: true}
	}
	return Embed(t, t.TempDir(), append([]func(*embed.Config){tls}, with...)...)
}

// Dial makes a client.
func Dial(t testing.TB, url string, with etcd.Access) *clientv3.Client {
	t.Helper()
	c, err := etcd.Dial(url, with)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Guard has an etcd ask everybody who he is; root, who may do all, has this password, or a certificate of
// that name.
func Guard(t testing.TB, c *clientv3.Client, password string) {
	t.Helper()
	ctx := context.Background()
	_, err := c.RoleAdd(ctx, "root")
	require.NoError(t, err)
	_, err = c.UserAdd(ctx, "root", password)
	require.NoError(t, err)
	_, err = c.UserGrantRole(ctx, "root", "root")
	require.NoError(t, err)
	_, err = c.AuthEnable(ctx)
	require.NoError(t, err)
}
