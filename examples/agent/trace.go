// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// trace says what becomes of packets that enter VPP by a port: each node that saw them, and
// where and why one was dropped. It needs no running agent, and changes nothing.
func traceCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "trace PORT",
		Short: "Says what becomes of the packets that a port sends, node by node",
		Long:  "Says what becomes of packets that come in by a port, and where and why they are dropped. PORT is a\nport's UUID, or how it begins, or vpp:NAME, an interface by VPP's name.",
		Args:  cobra.ExactArgs(1),
	}
	socket := c.Flags().String("vpp", "/run/vpp/api.sock", "`socket` of VPP's API")
	o := vppnet.CaptureOptions{}
	c.Flags().IntVar(&o.Packets, "packets", 10, "`number` of packets at most, up to 10000")
	c.Flags().DurationVar(&o.Time, "time", 10*time.Second, "how long at most")
	c.RunE = func(c *cobra.Command, args []string) error {
		return trace(c.Context(), *socket, args[0], o, c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

func trace(ctx context.Context, socket, port string, o vppnet.CaptureOptions, out, errs io.Writer) error {
	dialing, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := dialVPP(dialing, socket, errs)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	iface, err := interfaceOf(dialing, c, port)
	if err != nil {
		return err
	}
	o.Interfaces = []string{iface}
	packets, err := vppnet.Capture(ctx, c, o)
	for i, p := range packets {
		fmt.Fprintf(out, "%d. %s\n%s\n", i+1, fate(p), p)
	}
	if err == nil {
		_, err = fmt.Fprintf(out, "%d packets came in by %s\n", len(packets), iface)
	}
	return err
}

// fate is what became of a packet, in words.
func fate(p vppnet.CapturedPacket) string {
	switch last := len(p.Steps) - 1; {
	case p.Dropped != "":
		return fmt.Sprintf("dropped by %s: %s", p.DroppedAt, p.Dropped)
	case last < 0:
		return "nobody saw it"
	case strings.HasSuffix(p.Steps[last].Node, "-tx"):
		return "went out by " + strings.TrimSuffix(p.Steps[last].Node, "-tx")
	default:
		return "was last seen by " + p.Steps[last].Node
	}
}

// interfaceOf finds the interface of a port, by its UUID or how that begins.
func interfaceOf(ctx context.Context, c *vppnet.Conn, port string) (string, error) {
	all, err := desiredstate.List[vppnet.Interface](ctx, desiredstate.New(vppnet.Interfaces(c)))
	if err != nil {
		return "", err
	}
	var found []string
	for _, i := range all {
		name := i.Spec.Name
		if name == port {
			return name, nil
		}
		if !i.Foreign && isPort(name, port) {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%w: VPP has no port %s", desiredstate.ErrMissing, port)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s is how several ports begin: %s", port, strings.Join(found, ", "))
}

// isPort says whether an interface's name is that of a port whose UUID begins so.
func isPort(name, port string) bool {
	for _, sort := range []string{"port-", "secured-", "subport-", "secured-subport-", "tap-"} {
		if strings.HasPrefix(name, sort+port) {
			return true
		}
	}
	return false
}
