// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
)

// patience is how long a command waits for an answer.
const patience = 15 * time.Second

// status asks a running agent and prints its answer.
func status(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("agent status", flag.ContinueOnError)
	socket := f.String("socket", defaultPage, "`path` of the running agent's socket")
	asJSON := f.Bool("json", false, "print JSON")
	all := f.Bool("all", false, "list the objects that are as wanted, too")
	if err := parse(f, args, errs); err != nil {
		return err
	}
	body, err := ask(ctx, *socket, http.MethodGet, "/statusz")
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if *asJSON {
		_, err := io.Copy(out, body)
		return err
	}
	var s struct {
		Status
		Objects []struct {
			Key, Error string
			State      desiredstate.State
			ID         uint32
		} `json:"objects"`
	}
	if err := json.NewDecoder(body).Decode(&s); err != nil {
		return err
	}
	fmt.Fprintf(out, "host  %s\nVPP   %s\netcd  %s\n", s.Host, cmp.Or(s.VPP, "away"), cmp.Or(s.Etcd, "followed"))
	for _, why := range s.Lacks {
		fmt.Fprintln(out, why)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Conditions)) {
		fmt.Fprintf(out, "amiss since %s: %s\n", s.Conditions[name].Since.Format(time.RFC3339), s.Conditions[name].Error)
	}
	if s.Converged != nil {
		fmt.Fprintf(out, "converged since %s\n", s.Converged.Format(time.RFC3339))
	} else {
		fmt.Fprintln(out, "not converged")
	}
	if h := s.Held; h != nil {
		fmt.Fprintf(out, "held back since %s: %s\n  to remove these %d objects: agent confirm %s\n",
			h.Since.Format(time.RFC3339), h.Error, len(h.Keys), h.Token)
		for _, key := range h.Keys {
			fmt.Fprintf(out, "  - %s\n", key)
		}
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\nPORT\tNETWORK\tSTATE\tERROR\n")
	for _, p := range s.Ports {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", p.Name, cmp.Or(p.Network, "-"), p.State, p.Error)
	}
	if len(s.Routers) > 0 {
		fmt.Fprintf(table, "\nROUTER\tNETWORK\tSTATE\tERROR\n")
	}
	for _, p := range s.Routers {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", p.Name, cmp.Or(p.Network, "-"), p.State, strings.ReplaceAll(p.Error, "\n", "; "))
	}
	if len(s.Unserved) > 0 {
		fmt.Fprintf(table, "\nUNSERVED\tERROR\n")
	}
	for _, p := range s.Unserved {
		fmt.Fprintf(table, "%s\t%s\n", p.Name, p.Error)
	}
	fmt.Fprintf(table, "\nOBJECT\tID\tSTATE\tERROR\n")
	asWanted := 0
	for _, o := range s.Objects {
		if o.State == desiredstate.Applied && !*all {
			asWanted++
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", o.Key, o.ID, o.State, o.Error)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d objects as wanted\n", asWanted)
	return err
}

// confirm lets a running agent remove what it holds back under a token.
func confirm(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("agent confirm", flag.ContinueOnError)
	socket := f.String("socket", defaultPage, "`path` of the running agent's socket")
	token := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		token, args = args[0], args[1:]
	}
	if err := parse(f, args, errs); err != nil {
		return err
	}
	if token == "" {
		fmt.Fprintln(errs, "usage: agent confirm TOKEN [FLAGS]; agent status shows the token")
		return errUsage
	}
	body, err := ask(ctx, *socket, http.MethodPost, "/confirm?token="+url.QueryEscape(token))
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	_, err = io.Copy(out, body)
	return err
}

// ask sends a request to the status page on a socket.
func ask(ctx context.Context, socket, method, path string) (io.ReadCloser, error) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	q, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, nil)
	if err != nil {
		return nil, err
	}
	r, err := client.Do(q)
	if err != nil {
		return nil, err
	}
	if r.StatusCode != http.StatusOK {
		defer func() { _ = r.Body.Close() }()
		why, _ := io.ReadAll(io.LimitReader(r.Body, 1000))
		return nil, fmt.Errorf("%s: %s: %s", path, r.Status, bytes.TrimSpace(why))
	}
	return r.Body, nil
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
