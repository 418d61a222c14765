// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	v2 "go.etcd.io/etcd/client/v2"
)

// V2 is how to speak to an etcd by its API of version 2.
type V2 struct {
	TLS
	User, Password string // "": nobody asks
}

// DialV2 makes a client of comma-separated URLs, which waits for no etcd either.
func DialV2(urls string, with V2) (v2.KeysAPI, error) {
	files := transport.TLSInfo{TrustedCAFile: with.CA, CertFile: with.Cert, KeyFile: with.Key}
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
	}
	if strings.Contains(urls, "https://") {
		tls, err := files.ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("etcd v2: %w", err)
		}
		t.TLSClientConfig = tls
	}
	c, err := v2.New(v2.Config{
		Endpoints: strings.Split(urls, ","), Transport: t,
		Username: with.User, Password: with.Password,
		HeaderTimeoutPerRequest: 10 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("etcd v2: %w", err)
	}
	return v2.NewKeysAPI(c), nil
}
