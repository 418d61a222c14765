// SPDX-License-Identifier: Apache-2.0

// Limiter has customers share bandwidths: a controller says which addresses share which rate,
// by HTTP on a unix socket, and VPP measures what arrives for them.
//
//	limiter --interface vpp:GigabitEthernet0/8/0 --listen /run/limiter.sock
//	curl --unix-socket /run/limiter.sock -X PUT http://limiter/limits \
//	    -d '{"gold": {"Kbps": 10000, "Burst": 125000, "Addresses": ["10.0.0.5", "10.0.0.6"]}}'
//
// PUT /limits/gold changes one of them. GET /status says how each limit stands. What is wanted is kept as long as the program lives,
// whatever becomes of the controller; after a restart VPP keeps what it has until the controller
// has spoken. If it suddenly wants much less, that is held back until POST /confirm?token=…
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/vppkit/vppkit/desiredstate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "limiter:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	c := &cobra.Command{
		Use: "limiter", Short: "Has customers share bandwidths", Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
	}
	f := c.Flags()
	vpp := f.String("vpp", "/run/vpp/api.sock", "VPP's API socket")
	listen := f.String("listen", "/run/limiter.sock", "the socket of the controller")
	iface := f.String("interface", "", "the `name` of the interface on which packets for customers arrive")
	_ = c.MarkFlagRequired("interface") // there is one of that name
	room := f.Uint32("room", 1<<17, "how many addresses there is room for")
	c.RunE = func(c *cobra.Command, _ []string) error {
		l := newLimiter(*iface, *room)
		socket, err := listenOn(*listen)
		if err != nil {
			return err
		}
		server := http.Server{Handler: l.handler(), ReadHeaderTimeout: 10 * time.Second}
		g, ctx := errgroup.WithContext(c.Context())
		g.Go(func() error { return l.run(ctx, *vpp) })
		g.Go(func() error {
			if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil // the end, which ctx tells of
		})
		g.Go(func() error {
			<-ctx.Done()
			return errors.Join(ctx.Err(), server.Close())
		})
		return g.Wait()
	}
	return c
}

// listenOn takes the socket of a limiter that died, not of one that lives.
func listenOn(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("%s: another limiter listens there", path)
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() == os.ModeSocket {
			_ = os.Remove(path)
		}
	}
	return net.Listen("unix", path)
}

// handler is what the controller talks to.
func (l *limiter) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /limits", func(w http.ResponseWriter, r *http.Request) {
		var all map[string]limit
		if err := json.NewDecoder(r.Body).Decode(&all); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := l.set(all); err != nil { // which the others do not wait for
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		}
	})
	mux.HandleFunc("PUT /limits/{name}", func(w http.ResponseWriter, r *http.Request) { // costs what one is, not what all are
		var one limit
		if err := json.NewDecoder(r.Body).Decode(&one); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := l.setOne(r.PathValue("name"), one); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		}
	})
	mux.HandleFunc("POST /confirm", func(w http.ResponseWriter, r *http.Request) {
		if err := l.store.Confirm(r.URL.Query().Get("token")); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(l.status())
	})
	return mux
}

// status is how it all stands.
type status struct {
	Since  *time.Time                     `json:"since,omitempty"` // all is as wanted
	Limits map[string]desiredstate.Status `json:"limits"`
	Held   string                         `json:"held,omitempty"` // what is held back, and why
	Token  string                         `json:"token,omitempty"`
}

func (l *limiter) status() status {
	s := status{Limits: map[string]desiredstate.Status{}}
	if t, ok := l.store.Converged(); ok {
		s.Since = &t
	}
	for _, name := range l.names() {
		s.Limits[name], _ = l.store.Source(name)
	}
	if h, ok := l.store.Held(); ok {
		s.Held, s.Token = h.Err.Error(), h.Token
	}
	return s
}
