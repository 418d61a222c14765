// SPDX-License-Identifier: Apache-2.0

// Package etcd reaches an etcd: one that runs, or one inside this process.
package etcd

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// Access is how to be let in by an etcd. The zero value shows no certificate, gives no name, and trusts
// the system's authorities for https URLs.
type Access struct {
	CA, Cert, Key string // PEM files, read anew for each connection
	User          string
	Password      Secret // read anew for each login
}

// Dial makes a client of comma-separated URLs. It does not wait for an etcd to
// answer: a data plane must not care whether one does.
func Dial(urls string, with Access) (*clientv3.Client, error) {
	if err := with.check(urls); err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	cfg := clientv3.Config{
		Endpoints:            strings.Split(urls, ","),
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 5 * time.Second,
		Logger:               zap.NewNop(), // its callers report what fails
	}
	l := &link{why: map[string]error{}}
	pace := grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 2 * most}
	pace.Backoff.MaxDelay = most
	cfg.DialOptions = []grpc.DialOption{grpc.WithContextDialer(l.dial), grpc.WithConnectParams(pace)}
	if strings.Contains(urls, "https://") {
		certs, err := newCertificates(with)
		if err != nil {
			return nil, fmt.Errorf("etcd: %w", err)
		}
		cfg.DialOptions = append(cfg.DialOptions, grpc.WithTransportCredentials(certs))
	}
	var in *login
	if with.User != "" { // not by the Config, for which New would wait for an etcd
		in = &login{user: with.User, password: with.Password}
		cfg.DialOptions = append(cfg.DialOptions, grpc.WithChainUnaryInterceptor(in.unary), grpc.WithChainStreamInterceptor(in.stream))
	}
	c, err := clientv3.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	l.tell(c)
	if in != nil {
		c.Watcher = &watcher{Watcher: c.Watcher, kv: c.KV, login: in, begun: map[stream]int{}}
	}
	return c, nil
}

// check refuses URLs that would be logged with a password, and certificates and passwords that would
// not be safe with them. It repeats no part of a URL that could hold a password.
func (a Access) check(urls string) error {
	sorts := map[string]bool{}
	for _, s := range strings.Split(urls, ",") {
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			return errors.New("want http://HOST:PORT or https://HOST:PORT, and commas between several")
		case u.User != nil:
			return errors.New("a URL says a user; whoever sees the command line would see his password: give a user and a password's file")
		case u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
			return fmt.Errorf("%s://%s: want nothing behind HOST:PORT", u.Scheme, u.Host)
		case u.Scheme == "http" && a.CA+a.Cert+a.Key != "":
			return fmt.Errorf("http://%s uses no certificate, though some are given: want https", u.Host)
		case u.Scheme == "http" && a.User != "" && !loopback(u.Hostname()):
			return fmt.Errorf("http://%s would have the password pass for all to see: want https", u.Host)
		}
		sorts[u.Scheme] = true
	}
	switch {
	case len(sorts) > 1:
		return errors.New("some URLs are http, some https: want one of both")
	case (a.Cert == "") != (a.Key == ""):
		return errors.New("a certificate needs its key, and a key its certificate")
	case (a.User == "") == a.Password.Given():
		return errors.New("a user needs a password, and a password a user")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
