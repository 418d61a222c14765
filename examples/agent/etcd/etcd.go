// SPDX-License-Identifier: Apache-2.0

// Package etcd reaches an etcd: one that runs, or one inside this process.
package etcd

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// TLS names the PEM files for https URLs; the zero value trusts the system's
// authorities and shows no certificate.
type TLS struct{ CA, Cert, Key string }

// Dial makes a client of comma-separated URLs. It does not wait for an etcd to
// answer: a data plane must not care whether one does.
func Dial(urls string, files TLS) (*clientv3.Client, error) {
	if err := check(urls, files); err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	cfg := clientv3.Config{
		Endpoints:            strings.Split(urls, ","),
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 5 * time.Second,
		Logger:               zap.NewNop(), // its callers report what fails
	}
	if strings.Contains(urls, "https://") {
		info := transport.TLSInfo{TrustedCAFile: files.CA, CertFile: files.Cert, KeyFile: files.Key}
		tls, err := info.ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("etcd: %w", err)
		}
		cfg.TLS = tls
	}
	c, err := clientv3.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	return c, nil
}

// check refuses URLs that would be logged with a password, and certificates that would not be used.
func check(urls string, files TLS) error {
	for _, s := range strings.Split(urls, ",") {
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			return errors.New("want http://HOST:PORT or https://HOST:PORT, and commas between several")
		case u.User != nil:
			return errors.New("a URL says a user; whoever sees the command line would see his password")
		case u.Scheme == "http" && files != (TLS{}):
			return fmt.Errorf("http://%s uses no certificate, though some are given: want https", u.Host)
		}
	}
	return nil
}
