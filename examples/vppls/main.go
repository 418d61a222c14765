// SPDX-License-Identifier: Apache-2.0

// Vppls lists what is in a VPP: by whose it is, of which kind, and by name. It changes nothing.
//
//	vppls                           all that the kinds of vppkit know
//	vppls --owner node1 --output tree   what is node1's, and what hangs on what
//	vppls --foreign --owner node1   all else
//	vppls --kind acl,acl-binding --output json
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(os.Stdout, os.Stderr).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "vppls:", err)
		os.Exit(1)
	}
}

// outputs are the ways in which things are written.
var outputs = map[string]func(io.Writer, []thing) error{"table": table, "tree": tree, "json": asJSON}

// choice says which things are meant.
type choice struct {
	owner   string // ""; whoever's
	foreign bool   // all but the owner's
	kinds   []string
}

func (c choice) takes(t thing) bool {
	if len(c.kinds) > 0 && !slices.Contains(c.kinds, t.Kind) {
		return false
	}
	return c.owner == "" || (t.Owner == c.owner) != c.foreign
}

func command(out, errs io.Writer) *cobra.Command {
	var vpp, output string
	var which choice
	var patience time.Duration
	c := &cobra.Command{
		Use: "vppls", Short: "Lists what is in a VPP by owner, kind and name", Args: cobra.NoArgs,
		Long: `Lists what is in a VPP by owner, kind and name, and changes nothing.

Whose a thing is, its tag says, or that of what it hangs on. What has none is nobody's, "-"; VPP does
not tell whose its NAT is, nor who made a route of the default table.`,
		SilenceErrors: true, SilenceUsage: true,
	}
	f := c.Flags()
	f.StringVar(&vpp, "vpp", "/run/vpp/api.sock", "VPP's API socket")
	f.StringVarP(&output, "output", "o", "table", "table, tree or json")
	f.StringVar(&which.owner, "owner", "", "list only what is this owner's; \"-\": what is nobody's")
	f.BoolVar(&which.foreign, "foreign", false, "with --owner: list all that is not this owner's")
	f.StringSliceVar(&which.kinds, "kind", nil, "list only these `kinds`")
	f.DurationVar(&patience, "timeout", 30*time.Second, "how long VPP may take")
	c.RunE = func(c *cobra.Command, _ []string) error {
		write := outputs[output]
		switch {
		case write == nil:
			return fmt.Errorf("no output %q: want table, tree or json", output)
		case which.foreign && which.owner == "":
			return errors.New("foreign to whom? Say --owner")
		}
		ctx, cancel := context.WithTimeout(c.Context(), patience)
		defer cancel()
		all, said, err := read(ctx, vpp)
		if err != nil {
			return err
		}
		if known := kindNames(); len(which.kinds) > 0 {
			for _, k := range which.kinds {
				if !slices.Contains(known, k) {
					return fmt.Errorf("no kind %q: want some of %s", k, strings.Join(known, ", "))
				}
			}
		}
		for _, line := range said {
			fmt.Fprintln(errs, "vppls:", line)
		}
		return write(out, slices.DeleteFunc(all, func(t thing) bool { return !which.takes(t) }))
	}
	c.SetOut(out)
	c.SetErr(errs)
	return c
}
