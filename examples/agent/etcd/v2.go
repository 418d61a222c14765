// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	v2 "go.etcd.io/etcd/client/v2"
)

var dialer = &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 10 * time.Second}

// DialV2 makes a client of comma-separated URLs that speaks the API of version 2. It waits for no etcd
// either, and reads the password once.
func DialV2(urls string, with Access) (v2.KeysAPI, error) {
	if err := with.check(urls); err != nil {
		return nil, fmt.Errorf("etcd v2: %w", err)
	}
	t := &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second}
	cfg := v2.Config{Endpoints: strings.Split(urls, ","), Transport: t, Username: with.User, HeaderTimeoutPerRequest: 10 * time.Second}
	if strings.Contains(urls, "https://") {
		certs, err := newCertificates(with)
		if err != nil {
			return nil, fmt.Errorf("etcd v2: %w", err)
		}
		t.DialTLSContext = certs.dial
	}
	if with.User != "" {
		var err error
		if cfg.Password, err = with.Password.Reveal(); err != nil {
			return nil, fmt.Errorf("etcd v2: %w", err)
		}
	}
	c, err := v2.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("etcd v2: %w", err)
	}
	return v2.NewKeysAPI(c), nil
}
