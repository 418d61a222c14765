// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"context"
	"crypto/x509"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v2 "go.etcd.io/etcd/client/v2"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
)

// asked is what comes of a question to an etcd, within a few seconds.
func asked(c *clientv3.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_, err := c.Get(ctx, "k")
	return err
}

// An error of TLS says what is wrong and what to do, by either API.
func TestTLSErrors(t *testing.T) {
	good, other := etcdtest.NewCA(t, "good authority"), etcdtest.NewCA(t, "other authority")
	past := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
	}
	future := func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }
	elsewhere := func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"etcd.example"} }
	mine := good.Issue(t, "client")
	with := func(f func(*etcd.Access)) etcd.Access { a := mine; f(&a); return a }
	for name, tt := range map[string]struct {
		server, client etcd.Access
		want           string
	}{
		"unknown authority":  {good.Issue(t, "s1"), with(func(a *etcd.Access) { a.CA = other.File }), "of an authority that is not trusted (CN=good authority): " + other.File + " has to have it"},
		"system's authority": {good.Issue(t, "s2"), with(func(a *etcd.Access) { a.CA = "" }), "the system's has to have it"},
		"wrong name":         {good.Issue(t, "s3", elsewhere), mine, "is for etcd.example, not for 127.0.0.1"},
		"expired":            {good.Issue(t, "s4", past), mine, "etcd's certificate expired"},
		"not yet":            {good.Issue(t, "s5", future), mine, "is a clock wrong?"},
		"no certificate":     {good.Issue(t, "s6"), with(func(a *etcd.Access) { a.Cert, a.Key = "", "" }), "etcd wants a certificate, and gets none"},
		"ours expired":       {good.Issue(t, "s7"), good.Issue(t, "c7", past), "c7.pem) expired: renew it"},
		"ours of another":    {good.Issue(t, "s8"), with(func(a *etcd.Access) { x := other.Issue(t, "c8"); a.Cert, a.Key = x.Cert, x.Key }), "c8.pem) is not of an authority that it trusts"},
		"ours":               {good.Issue(t, "s9"), mine, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := etcdtest.Secure(t, tt.server).URL()
			err := asked(etcdtest.Dial(t, url, tt.client))
			keys, err2 := etcd.DialV2(url, tt.client)
			require.NoError(t, err2)
			_, err2 = keys.Get(t.Context(), "/k", nil)
			if tt.want == "" {
				require.NoError(t, err)
				var e v2.Error // an etcd without the API of version 2 answers by HTTP
				require.NotErrorAs(t, err2, &e)
				require.NotContains(t, err2.Error(), "certificate")
				return
			}
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err2, tt.want)
		})
	}
	t.Run("no TLS", func(t *testing.T) {
		e := etcdtest.Embed(t, t.TempDir())
		require.ErrorContains(t, asked(etcdtest.Dial(t, "https"+e.URL()[4:], mine)), "speaks no TLS")
	})
}

// Files that change are taken by the next connection, also if they cannot be read for a while; a certificate
// that was renewed lets an agent in again that was left outside.
func TestCertificatesAreReloaded(t *testing.T) {
	ca := etcdtest.NewCA(t, "authority")
	server := ca.Issue(t, "server")
	mine := ca.Issue(t, "client", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) })
	e := etcdtest.Secure(t, server)
	c := etcdtest.Dial(t, e.URL(), mine)
	require.Error(t, asked(c))
	ca.Issue(t, "client")
	eventually(t, c)

	// Everything is another authority's now.
	next := etcdtest.NewCA(t, "next authority")
	replace := func(from, to string) {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, text, 0o600))
	}
	e.Stop()
	for _, x := range []struct{ next, now etcd.Access }{{next.Issue(t, "server"), server}, {next.Issue(t, "client"), mine}} {
		replace(x.next.Cert, x.now.Cert)
		replace(x.next.Key, x.now.Key)
	}
	replace(next.File, ca.File)
	require.NoError(t, e.Start())
	eventually(t, c)

	// Half of a file is none; what was there before goes on.
	e.Stop()
	require.NoError(t, os.WriteFile(mine.Key, []byte("-----BEGIN"), 0o600))
	require.NoError(t, e.Start())
	eventually(t, c)
	e.Stop()
	replace(next.Issue(t, "client").Key, mine.Key)
	replace(next.Issue(t, "client").Cert, mine.Cert) // of another key
	require.NoError(t, e.Start())
	eventually(t, c)
	_, err := etcd.Dial(e.URL(), mine)
	require.ErrorContains(t, err, "private key does not match", "who begins with that is told")
}

func eventually(t *testing.T, c *clientv3.Client) {
	t.Helper()
	var err error
	for range 10 {
		if err = asked(c); err == nil {
			return
		}
	}
	require.NoError(t, err)
}

// Who waits for an etcd that answers nothing is told within a deadline, and Dial does not wait at all.
func TestDialDoesNotWait(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	begin := time.Now()
	c := etcdtest.Dial(t, "http://"+l.Addr().String(), etcd.Access{User: "u", Password: etcd.NewSecret("p")})
	require.Less(t, time.Since(begin), time.Second)
	require.Error(t, asked(c))
}
