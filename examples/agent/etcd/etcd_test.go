// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/etcd"
)

// What would leak, or be less safe than whoever configured it thinks, is refused; no
// password is repeated.
func TestUnsafeURLs(t *testing.T) {
	for urls, files := range map[string]etcd.TLS{
		"http://root:s3cret@127.0.0.1:2379":        {},
		"https://127.0.0.1:1,https://x:s3cret@h:1": {},
		"http://127.0.0.1:2379":                    {CA: "ca.pem"},
		"https://127.0.0.1:1,http://127.0.0.1:2":   {Cert: "c", Key: "k"},
		"http://root:s3cret@127.0.0.1:port":        {},
		"127.0.0.1:2379":                           {},
		"":                                         {},
	} {
		_, err := etcd.Dial(urls, files)
		require.Error(t, err, urls)
		require.NotContains(t, err.Error(), "s3cret")
	}
	c, err := etcd.Dial("http://127.0.0.1:1,http://127.0.0.1:2", etcd.TLS{})
	require.NoError(t, err)
	require.NoError(t, c.Close())
}
