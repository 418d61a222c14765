// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/observe"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

// deviation is what VPP has otherwise than it is wanted, now, looked at anew by a connection of its own.
// What the agent is at work on is in it, too.
type deviation struct {
	Text string             `json:"text"` // of the plan that would mend it; "": nothing
	Plan *desiredstate.Plan `json:"plan"`
}

func (a *agent) drift(ctx context.Context) (deviation, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := vppnet.Dial(ctx, a.vpp, translate.Owner, a.dial...)
	if err != nil {
		return deviation{}, err
	}
	defer func() { _ = c.Close() }()
	e, _ := engine(c, a.site)
	var wants []desiredstate.Object
	for key := range a.store.Statuses() {
		if o, ok := a.store.Want(key); ok {
			wants = append(wants, o)
		}
	}
	p, err := e.Plan(ctx, wants...)
	if err != nil {
		return deviation{}, err
	}
	d := deviation{Plan: p}
	if !p.Empty() || p.Unread != nil {
		d.Text = p.Details()
	}
	return d, nil
}

func (a *agent) serveDrift(w http.ResponseWriter, q *http.Request) {
	d, err := a.drift(q.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	observe.JSON(w, d)
}

func driftCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "drift", Short: "Asks a running agent to look what is otherwise in VPP than it is wanted",
		Long: `Asks a running agent to read all of VPP anew, and prints what is otherwise than it is wanted, as the plan that mends it.
The agent mends it by itself; drift that it found before is in agent history. Exits with 3 if there is any.`,
	}
	socket := socketFlag(c)
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		var text bytes.Buffer
		if err := asked(c.Context(), *socket, http.MethodGet, "/drift", &text); err != nil {
			return err
		}
		var d struct{ Text string }
		if err := json.Unmarshal(text.Bytes(), &d); err != nil {
			return err
		}
		out := c.OutOrStdout()
		switch {
		case *asJSON:
			_, err := text.WriteTo(out)
			return errors.Join(err, verdict(d.Text != ""))
		case d.Text == "":
			_, err := fmt.Fprintln(out, "VPP is as wanted")
			return err
		}
		_, err := fmt.Fprint(out, d.Text)
		return errors.Join(err, errWrong)
	}
	return c
}

func historyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "history [TEXT]", Args: cobra.MaximumNArgs(1), Short: "Lists what a running agent did and found, the oldest first",
		Long: "Lists what a running agent did and found, the oldest first; with TEXT, only what has it in its line, such as an object or \"drift\".",
	}
	socket := socketFlag(c)
	asJSON := c.Flags().Bool("json", false, "print JSON")
	most := c.Flags().IntP("lines", "n", 0, "print the last `N` only; 0: all")
	c.RunE = func(c *cobra.Command, args []string) error {
		var text bytes.Buffer
		if err := asked(c.Context(), *socket, http.MethodGet, "/history", &text); err != nil {
			return err
		}
		var all, some []observe.Entry
		if err := json.Unmarshal(text.Bytes(), &all); err != nil {
			return err
		}
		for _, e := range all {
			if len(args) == 0 || strings.Contains(e.String(), args[0]) {
				some = append(some, e)
			}
		}
		if n := len(some); *most > 0 && n > *most {
			some = some[n-*most:]
		}
		if *asJSON {
			return printJSON(c.OutOrStdout(), some)
		}
		for _, e := range some {
			if _, err := fmt.Fprintln(c.OutOrStdout(), e); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

func levelCommand() *cobra.Command {
	c := &cobra.Command{Use: "level [debug|info|warn|error]", Args: cobra.MaximumNArgs(1), Short: "Says or sets how much a running agent logs"}
	socket := socketFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return asked(c.Context(), *socket, http.MethodGet, "/level", c.OutOrStdout())
		}
		return asked(c.Context(), *socket, http.MethodPut, "/level?level="+url.QueryEscape(args[0]), c.OutOrStdout())
	}
	return c
}

// bundled are the parts of a report, and where they are asked for.
var bundled = []struct{ name, path string }{
	{"status.json", "/statusz"},
	{"readyz.txt", "/readyz"},
	{"livez.txt", "/livez"},
	{"history.json", "/history"},
	{"drift.json", "/drift"},
	{"metrics.txt", "/metrics"},
	{"goroutines.txt", "/debug/pprof/goroutine?debug=1"},
	{"heap.txt", "/debug/pprof/heap?debug=1"},
}

func reportCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "report", Short: "Writes a bundle for whoever shall help",
		Long: `Asks a running agent for all that it shows of itself, and writes it as a .tar.gz: how everything stands, what happened, drift,
metrics, goroutines. There is no certificate, key, password or value of etcd in it; names, addresses and UUIDs are.`,
	}
	socket := socketFlag(c)
	output := c.Flags().StringP("output", "o", "", "`file` to write, \"-\": the standard output; \"\": one with the time in its name, here")
	c.RunE = func(c *cobra.Command, _ []string) error {
		now := time.Now()
		name := *output
		if name == "" {
			name = "vppkit-report-" + now.Format("20060102-150405") + ".tar.gz"
		}
		var text bytes.Buffer
		if err := report(c.Context(), *socket, now, &text); err != nil {
			return err
		}
		if name == "-" {
			_, err := text.WriteTo(c.OutOrStdout())
			return err
		}
		if err := os.WriteFile(name, text.Bytes(), 0o600); err != nil {
			return err
		}
		_, err := fmt.Fprintln(c.OutOrStdout(), name)
		return err
	}
	return c
}

// report writes the bundle. A part that cannot be had says why.
func report(ctx context.Context, socket string, now time.Time, to io.Writer) error {
	zipped := gzip.NewWriter(to)
	bundle := tar.NewWriter(zipped)
	add := func(name string, text []byte) error {
		err := bundle.WriteHeader(&tar.Header{Name: "vppkit-report/" + name, Mode: 0o600, Size: int64(len(text)), ModTime: now})
		if err == nil {
			_, err = bundle.Write(text)
		}
		return err
	}
	if err := add("version.txt", []byte(thisVersion().String()+"\n")); err != nil {
		return err
	}
	heard := false
	for _, part := range bundled {
		var text bytes.Buffer
		if err := asked(ctx, socket, http.MethodGet, part.path, &text); err != nil {
			text.Reset()
			fmt.Fprintf(&text, "%v\n", err)
		} else {
			heard = true
		}
		if err := add(part.name, text.Bytes()); err != nil {
			return err
		}
	}
	if !heard {
		return fmt.Errorf("no agent answers at %s", socket)
	}
	return errors.Join(bundle.Close(), zipped.Close())
}
