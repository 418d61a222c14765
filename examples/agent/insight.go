// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/observe"
	"github.com/vppkit/vppkit/vppnet"
)

// insight is what an agent shows of itself, beside its log.
type insight struct {
	registry *prometheus.Registry
	metrics  *observe.Metrics
	history  *observe.History
	spans    *observe.Spans // nil: nobody wants any
	level    *slog.LevelVar // of the log, if that asks for it
}

// remembered is how many things a history has.
const remembered = 2000

func newInsight(a *agent) *insight {
	i := &insight{registry: prometheus.NewRegistry(), history: observe.NewHistory(remembered), level: new(slog.LevelVar)}
	i.metrics = observe.NewMetrics(i.registry)
	i.metrics.Watch(a.store)
	i.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), counted{a})
	return i
}

// trace sends spans to a collector by OTLP, until the function that it returns is called.
func (i *insight) trace(ctx context.Context, endpoint string, s *desiredstate.Store) (end func(), err error) {
	if u, err := url.Parse(endpoint); err != nil || u.User != nil || u.Host == "" {
		return nil, errors.New("--trace-to: want http://HOST:PORT or https://HOST:PORT, without a password, which the log would have")
	}
	to, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(endpoint))
	if err != nil {
		return nil, fmt.Errorf("--trace-to %s: %w", endpoint, err)
	}
	p := sdk.NewTracerProvider(sdk.WithBatcher(to))
	i.spans = observe.NewSpans(p, s.Sources)
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = p.Shutdown(ctx) // what a collector that is away does not get is lost
	}, nil
}

// event is for an engine.
func (i *insight) event(e desiredstate.Event) {
	i.metrics.Event(e)
	i.history.Event(e)
	if i.spans != nil {
		i.spans.Event(e)
	}
}

// message is for a connection to VPP.
func (i *insight) message(t vppnet.Trace) {
	i.metrics.Message(t)
	if i.spans != nil {
		i.spans.Message(t)
	}
}

// changed is told which key wants something else.
func (i *insight) changed(source string, revision int64) {
	if i.spans != nil {
		i.spans.Changed(source, attribute.Int64("etcd.revision", revision))
	}
}

// alive says why the agent should be started again: whoever holds one of its locks hangs.
func (a *agent) alive() error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.inbox.Names()
		a.store.Held()
	}()
	select {
	case <-done:
		return nil
	case <-time.After(5 * time.Second):
		return errors.New("it hangs: its state could not be read for 5 seconds")
	}
}

// routes are what the agent shows.
func (a *agent) routes(private bool) http.Handler {
	mux := http.NewServeMux()
	observe.Endpoints{
		Live: a.alive, Ready: a.ready, Status: func() any { return a.status() },
		Metrics: a.insight.registry, History: a.insight.history, Level: a.insight.level,
	}.Routes(mux, private)
	mux.HandleFunc("GET /explain", a.serveExplanation)
	mux.HandleFunc("GET /drift", a.serveDrift)
	page(mux)
	if private {
		mux.HandleFunc("POST /confirm", a.serveConfirm)
		mux.HandleFunc("POST /snoop", a.serveSnoop)
	}
	return mux
}

func (a *agent) serveConfirm(w http.ResponseWriter, q *http.Request) {
	token := q.FormValue("token")
	if err := a.store.Confirm(token); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	a.log.Warn("removals confirmed", "token", token)
	a.insight.history.Note(observe.Entry{What: "confirmed", Detail: token})
	fmt.Fprintln(w, "confirmed")
}

// serve serves what the agent shows, on its socket and on the page's address, until ctx ends.
func (a *agent) serve(ctx context.Context, l net.Listener, private bool) error {
	return observe.Serve(ctx, l, a.routes(private))
}

// tell tells systemd how the agent stands, every few seconds.
func (a *agent) tell(ctx context.Context, s observe.Systemd) error {
	if err := s.Ready(); err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		_ = s.Status(a.words())
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), s.Stopping())
		case <-tick.C:
		}
	}
}

// words say in a line how the agent stands.
func (a *agent) words() string {
	_, amiss := a.ready()
	if len(amiss) > 0 {
		return "waits: " + amiss[0]
	}
	if _, ok := a.store.Converged(); ok {
		return fmt.Sprintf("converged, %d objects", a.store.Count(desiredstate.Applied))
	}
	return fmt.Sprintf("at work: %d objects pending, %d failed, %d blocked",
		a.store.Count(desiredstate.Pending), a.store.Count(desiredstate.Failing), a.store.Count(desiredstate.Blocked))
}
