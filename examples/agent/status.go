// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
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

	"github.com/spf13/cobra"

	"github.com/vppkit/vppkit/desiredstate"
)

// patience is how long a command waits for an answer.
const patience = 15 * time.Second

// socketFlag is that of all commands that ask a running agent.
func socketFlag(c *cobra.Command) *string {
	return c.Flags().String("socket", defaultPage, "`path` of the running agent's socket")
}

// told is a Status as whoever asked reads it.
type told struct {
	Status
	Objects []struct {
		Key, Error string
		State      desiredstate.State
		ID         uint32
	} `json:"objects"`
}

// wrong says whether anybody should look.
func (s told) wrong() bool {
	bad := func(p PortLine) bool { return p.Error != "" }
	return s.VPP == "" || s.Etcd != "" || len(s.Lacks) > 0 || s.Held != nil || s.Converged == nil || len(s.Unserved) > 0 ||
		slices.ContainsFunc(s.Uplinks, bad) || slices.ContainsFunc(s.Ports, bad) || slices.ContainsFunc(s.Routers, bad)
}

func statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "status", Short: "Asks a running agent how everything stands",
		Long: "Asks a running agent how everything stands. Exits with 3 if it has not converged, or anything is wrong or held back.",
	}
	socket := socketFlag(c)
	asJSON := c.Flags().Bool("json", false, "print JSON")
	all := c.Flags().Bool("all", false, "list the objects that are as wanted, too")
	c.RunE = func(c *cobra.Command, _ []string) error {
		var text bytes.Buffer
		if err := asked(c.Context(), *socket, http.MethodGet, "/statusz", &text); err != nil {
			return err
		}
		var s told
		if err := json.Unmarshal(text.Bytes(), &s); err != nil {
			return err
		}
		if *asJSON {
			_, err := text.WriteTo(c.OutOrStdout())
			return errors.Join(err, verdict(s.wrong()))
		}
		return errors.Join(s.print(c.OutOrStdout(), *all), verdict(s.wrong()))
	}
	return c
}

func verdict(wrong bool) error {
	if wrong {
		return errWrong
	}
	return nil
}

// print writes the status for people.
func (s told) print(out io.Writer, all bool) error {
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
		if o.State == desiredstate.Applied && !all {
			asWanted++
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", o.Key, o.ID, o.State, o.Error)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%d objects as wanted\n", asWanted)
	return err
}

// confirm lets a running agent remove what it holds back under a token.
func confirmCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "confirm TOKEN", Args: cobra.ExactArgs(1),
		Short: "Lets a running agent remove what it held back for being too much",
		Long:  "Lets a running agent remove what it held back for being too much. agent status shows what that is, and the token.",
	}
	socket := socketFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return asked(c.Context(), *socket, http.MethodPost, "/confirm?token="+url.QueryEscape(args[0]), c.OutOrStdout())
	}
	return c
}

// asked copies the answer to a request.
func asked(ctx context.Context, socket, method, path string, to io.Writer) error {
	body, err := ask(ctx, socket, method, path)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	_, err = io.Copy(to, body)
	return err
}

// ask sends a request to the status page on a socket.
func ask(ctx context.Context, socket, method, path string) (io.ReadCloser, error) {
	r, err := askLong(ctx, patience, socket, method, path)
	if err != nil {
		return nil, err
	}
	return r.Body, nil
}

// askLong is ask for what takes longer, and has trailers.
func askLong(ctx context.Context, longest time.Duration, socket, method, path string) (*http.Response, error) {
	client := http.Client{Timeout: longest, Transport: &http.Transport{
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
		return nil, barred(err, socket)
	}
	if r.StatusCode != http.StatusOK {
		defer func() { _ = r.Body.Close() }()
		why, _ := io.ReadAll(io.LimitReader(r.Body, 1000))
		return nil, fmt.Errorf("%s: %s: %s", path, r.Status, bytes.TrimSpace(why))
	}
	return r, nil
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
