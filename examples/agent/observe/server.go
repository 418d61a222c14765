// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Endpoints are what a program shows of itself. What is nil is not there.
type Endpoints struct {
	// Live says why the program should be started again: GET /livez. Nil: it always lives.
	Live func() error

	// Ready says whether it can serve, and what is amiss all the same: GET /readyz.
	Ready func() (ready bool, amiss []string)

	// Status is the JSON of GET /statusz.
	Status func() any

	Metrics prometheus.Gatherer // GET /metrics
	History *History            // GET /history
	Level   *slog.LevelVar      // GET /level, PUT /level?level=debug, if the server is Private
}

// Routes puts the endpoints into a mux. A private server is one that only root or the program's own
// user reach, such as a unix socket's: it may change things.
func (e Endpoints) Routes(mux *http.ServeMux, private bool) {
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		if e.Live != nil {
			if err := e.Live(); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		fmt.Fprintln(w, "ok")
	})
	if e.Ready != nil {
		mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
			ready, amiss := e.Ready()
			if !ready {
				http.Error(w, strings.Join(amiss, "\n"), http.StatusServiceUnavailable)
				return
			}
			fmt.Fprintln(w, strings.Join(append([]string{"ok"}, amiss...), "\n"))
		})
	}
	if e.Status != nil {
		mux.HandleFunc("GET /statusz", func(w http.ResponseWriter, _ *http.Request) { JSON(w, e.Status()) })
	}
	if e.Metrics != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(e.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	}
	if e.History != nil {
		mux.HandleFunc("GET /history", func(w http.ResponseWriter, _ *http.Request) { JSON(w, e.History.Entries()) })
	}
	if e.Level != nil && private {
		mux.HandleFunc("GET /level", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, e.Level.Level()) })
		mux.HandleFunc("PUT /level", func(w http.ResponseWriter, q *http.Request) {
			if err := e.Level.UnmarshalText([]byte(q.FormValue("level"))); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			fmt.Fprintln(w, e.Level.Level())
		})
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
}

// JSON answers with a value.
func JSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who asked has gone
}

// Listen listens on an address of this machine's own, which nobody else reaches: 127.0.0.1:9100.
func Listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%s: profiles and the state of a host are for this machine alone: want an address of the loopback, such as 127.0.0.1:9100", address)
	}
	return net.Listen("tcp", address)
}

// Serve serves until ctx ends. Who is slow is cut off: a request has 5 seconds for its headers, a
// minute in all, or as long as a profile takes; 64 are served at a time. On a TCP listener only
// requests to a loopback name are answered, lest a page that a browser has from elsewhere asks.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	if l.Addr().Network() == "tcp" {
		h = local(h)
	}
	server := http.Server{
		Handler: limited(h), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

// local refuses what a name of another machine was asked for by (DNS rebinding), or by a page of
// another site.
func local(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		host, _, err := net.SplitHostPort(q.Host)
		if err != nil {
			host = q.Host
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		site := q.Header.Get("Sec-Fetch-Site")
		if host != "localhost" && (ip == nil || !ip.IsLoopback()) || site != "" && site != "same-origin" && site != "none" {
			http.Error(w, "not from here", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, q)
	})
}

// limited bounds how many are served at a time, and what they send.
func limited(h http.Handler) http.Handler {
	slots := make(chan struct{}, 64)
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			http.Error(w, "too many at a time", http.StatusServiceUnavailable)
			return
		}
		q.Body = http.MaxBytesReader(w, q.Body, 64<<10)
		h.ServeHTTP(w, q)
		_, _ = io.Copy(io.Discard, q.Body)
	})
}
