// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// Embedded is an etcd of one member in this process, for demonstrations and
// tests: it keeps its data in a directory, but does not wait for the disk.
type Embedded struct {
	dir, addr string
	scheme    string
	with      []func(*embed.Config)
	etcd      *embed.Etcd
}

// Embed starts an etcd on a free port of 127.0.0.1. What else it shall be is said by with.
func Embed(dir string, with ...func(*embed.Config)) (*Embedded, error) {
	return EmbedAt("127.0.0.1:0", dir, with...)
}

// EmbedAt is Embed on an address, for who stops it and starts it again: while it is stopped, somebody
// else may get a port that was any.
func EmbedAt(addr, dir string, with ...func(*embed.Config)) (*Embedded, error) {
	e := &Embedded{dir: dir, addr: addr, with: with}
	return e, e.Start()
}

// Start starts a stopped etcd again, on the same port and with its data.
func (e *Embedded) Start() error {
	client := url.URL{Scheme: "http", Host: e.addr}
	peer := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	cfg := embed.NewConfig()
	for _, f := range e.with {
		f(cfg)
	}
	if !cfg.ClientTLSInfo.Empty() {
		client.Scheme = "https"
	}
	cfg.Dir = e.dir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.TickMs, cfg.ElectionMs = 10, 100
	cfg.UnsafeNoFsync = true
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	started, err := embed.StartEtcd(cfg)
	if err != nil {
		return fmt.Errorf("embedded etcd: %w", err)
	}
	select {
	case <-started.Server.ReadyNotify():
	case err := <-started.Err():
		started.Close()
		return fmt.Errorf("embedded etcd: %w", err)
	case <-time.After(time.Minute):
		started.Close()
		return fmt.Errorf("embedded etcd: not ready after a minute")
	}
	e.etcd, e.addr, e.scheme = started, started.Clients[0].Addr().String(), client.Scheme
	return nil
}

// URL is where clients reach it.
func (e *Embedded) URL() string { return e.scheme + "://" + e.addr }

// Stop ends it; its data stay.
func (e *Embedded) Stop() {
	if e.etcd != nil {
		e.etcd.Close()
		e.etcd = nil
	}
}
