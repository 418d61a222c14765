// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vppkit/vppkit/examples/agent/snoop"
)

func snoopCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "snoop PORT", Args: cobra.ExactArgs(1),
		Short: "Shows the packets that pass a port, or writes them to a file",
		Long: `Has a running agent copy what passes a port, and says each packet in a line, or writes all to a file. PORT is a port's
UUID, or how it begins. Copies of what the VM sends are taken before its filters, of what it gets behind them; under
load VPP may leave some out. All that this needs in VPP goes when it ends, or when the agent starts again.`,
	}
	socket := socketFlag(c)
	var o snoopOptions
	c.Flags().IntVar(&o.packets, "packets", 100, fmt.Sprintf("`number` of packets at most, up to %d", mostSnooped))
	c.Flags().DurationVar(&o.time, "time", 10*time.Second, fmt.Sprintf("how long at most, up to %s", longestSnoop))
	c.Flags().StringVar(&o.only, "only", "", "`WAY`: from, what the VM sends, or to, what it gets; both otherwise")
	file := c.Flags().StringP("write", "w", "", "`FILE` to write: a pcapng if its name ends so, a pcap otherwise; - is standard output")
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.port = args[0]; o.check() != nil {
			return usageError{o.check()}
		}
		return watchPort(c.Context(), *socket, o, *file, c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// sink is where packets go, and how it ends.
func sink(file string, out io.Writer) (show func(time.Time, []byte) error, end func() error, err error) {
	if file == "" {
		return func(at time.Time, frame []byte) error {
			_, err := fmt.Fprintf(out, "%s %s\n", at.Format("15:04:05.000000"), snoop.Line(frame))
			return err
		}, func() error { return nil }, nil
	}
	closes := func() error { return nil }
	if file != "-" {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, nil, err
		}
		out, closes = f, f.Close
	}
	w, err := snoop.NewWriter(out, strings.HasSuffix(file, ".pcapng"))
	if err != nil {
		return nil, nil, errors.Join(err, closes())
	}
	return w.Write, func() error { return errors.Join(w.Flush(), closes()) }, nil
}

// watchPort asks the agent on a socket for what passes a port.
func watchPort(ctx context.Context, socket string, o snoopOptions, file string, out, errs io.Writer) (failed error) {
	show, end, err := sink(file, out)
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, end()) }()
	q := url.Values{"port": {o.port}, "packets": {strconv.Itoa(o.packets)}, "time": {o.time.String()}, "only": {o.only}}
	r, err := askLong(ctx, patience+o.time+snoopPatience, socket, http.MethodPost, "/snoop?"+q.Encode())
	if err != nil {
		return err
	}
	defer func() { _ = r.Body.Close() }()
	n := 0
	err = snoop.Read(r.Body, func(at time.Time, frame []byte) error { n++; return show(at, frame) })
	if why := r.Trailer.Get(snoopEnd); err == nil && why != "" {
		err = fmt.Errorf("ended before its time: %s", why)
	}
	_, told := fmt.Fprintf(errs, "%d packets of port %s\n", n, o.port)
	return errors.Join(err, told)
}
