// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/etcd"
)

// What would leak, or be less safe than whoever configured it thinks, is refused by both APIs; no
// password is repeated.
func TestUnsafeURLs(t *testing.T) {
	user := etcd.Access{User: "u", Password: etcd.NewSecret("s3cret")}
	for urls, with := range map[string]etcd.Access{
		"http://root:s3cret@127.0.0.1:2379":        {},
		"https://127.0.0.1:1,https://x:s3cret@h:1": {},
		"http://127.0.0.1:2379":                    {CA: "ca.pem"},
		"https://127.0.0.1:1,http://127.0.0.1:2":   {Cert: "c", Key: "k"},
		"http://127.0.0.1:1,https://127.0.0.1:2":   {},
		"http://root:s3cret@127.0.0.1:port":        {},
		"http://127.0.0.1:1/?password=s3cret":      {},
		"http://127.0.0.1:1/#s3cret":               {},
		"http://127.0.0.1:1/s3cret":                {},
		"127.0.0.1:2379":                           {},
		"":                                         {},
		"http://192.0.2.1:2379":                    user,
		"http://localhost.example:2379":            user,
		"https://127.0.0.1:1":                      {Cert: "c"},
		"https://127.0.0.1:2":                      {Key: "k"},
		"https://127.0.0.1:3":                      {User: "u"},
		"https://127.0.0.1:4":                      {Password: etcd.NewSecret("s3cret")},
	} {
		_, err := etcd.Dial(urls, with)
		require.Error(t, err, urls)
		require.NotContains(t, err.Error(), "s3cret")
		_, err = etcd.DialV2(urls, with)
		require.Error(t, err, urls)
		require.NotContains(t, err.Error(), "s3cret")
	}
	for urls, with := range map[string]etcd.Access{
		"http://127.0.0.1:1,http://127.0.0.1:2/": {},
		"http://localhost:1,http://[::1]:2":      user,
		"https://192.0.2.1:2379":                 user,
	} {
		c, err := etcd.Dial(urls, with)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		_, err = etcd.DialV2(urls, with)
		require.NoError(t, err)
	}
}
