// SPDX-License-Identifier: Apache-2.0

// Vppprom serves VPP's counters to Prometheus, by the names that an owner's objects have. It
// changes nothing in VPP. When VPP goes, so does it: whoever runs it starts it again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.fd.io/govpp/adapter/statsclient"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/binapi"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/kinds/vppstat"
	"github.com/vppkit/vppkit/vppnet"
)

func main() {
	vpp := flag.String("vpp", "/run/vpp/api.sock", "VPP's API socket")
	segment := flag.String("stats", "/run/vpp/stats.sock", "the socket of its statistics segment")
	owner := flag.String("owner", "node1", "whose names are meant")
	listen := flag.String("listen", ":9482", "where to serve /metrics")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *vpp, *segment, *owner, *listen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, vpp, segment, owner, listen string) error {
	c, err := vppnet.Dial(ctx, vpp, owner)
	if err != nil {
		return err
	}
	defer c.Close()
	stats := statsclient.NewStatsClient(segment) //nolint:depguard // a process of its own may die of it
	if err := stats.Connect(); err != nil {
		return err
	}
	server := &http.Server{Addr: listen, Handler: handler(c, stats), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		select {
		case <-ctx.Done():
		case <-c.Done():
		}
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return c.Err()
}

// handler serves /metrics.
func handler(c *vppnet.Conn, stats vppstat.Stats) http.Handler {
	sets, policers := acl.Sets(c), qos.Policers(c)
	has := binapi.Check(c, sets, policers)
	engine := desiredstate.New(append(has.Available(sets, policers), vppnet.Interfaces(c))...)
	reader := &vppstat.Reader{Conn: c, Stats: stats, Errors: true, Interfaces: vppstat.By[vppnet.Interface](engine)}
	if has.Why(sets.Name) == nil { // a VPP without the plugin counts nothing of it
		reader.Sets = vppstat.By[acl.Set](engine)
	}
	if has.Why(policers.Name) == nil {
		reader.Policers = vppstat.By[qos.Policer](engine)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{limit: 5 * time.Second, reader: reader})
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}
