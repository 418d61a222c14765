// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// commands are those of the command line. To add one, add a line here.
func commands() []*cobra.Command {
	return []*cobra.Command{
		demoCommand(), runCommand(), mirrorCommand(), planCommand(),
		statusCommand(), confirmCommand(), explainCommand(), traceCommand(), snoopCommand(), driftCommand(), historyCommand(), levelCommand(), reportCommand(),
		putCommand(), getCommand(), deleteCommand(), waitCommand(),
		rolesCommand(), versionCommand(),
	}
}

// How a command ends, for scripts.
const (
	exitFailed = 1 // it could not do what it should
	exitUsage  = 2 // it does not know what it should
	exitWrong  = 3 // it did, and something is wrong
)

const longHelp = `Serves the ports that OpenStack's networking-vpp driver binds to a host, its routers and floating
IPs, by a VPP.

Exit status: 0 if all is well; 1 if the command failed; 2 for wrong usage; 3 if it did what it
should, and found that something is wrong: keys that are not served, removals held back, drift.
Each flag can be set by the environment, too: --vhost-user-dir by AGENT_VHOST_USER_DIR.`

// errWrong: something is, and was printed.
var errWrong = errors.New("something is wrong")

// usageError is of whoever typed it.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// command runs one command line and returns the exit status.
func command(ctx context.Context, args []string, out, errs io.Writer) int {
	root := &cobra.Command{
		Use: "agent", Short: "Makes a VPP what the keys of a host say", Long: longHelp,
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return usageError{errors.New("which command?")}
		},
		Args: cobra.ArbitraryArgs,
	}
	root.AddCommand(commands()...)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	for _, c := range root.Commands() {
		takes(c)
	}
	root.SetArgs(doubled(args))
	root.SetOut(out)
	root.SetErr(errs)
	c, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errWrong):
		return exitWrong
	case errors.As(err, &usage):
		fmt.Fprintf(errs, "%s: %v\n%s", c.CommandPath(), err, c.UsageString())
		return exitUsage
	}
	fmt.Fprintf(errs, "%s: %v\n", c.CommandPath(), err)
	return exitFailed
}

// takes makes a command refuse arguments as it refuses flags, and read flags from elsewhere too.
func takes(c *cobra.Command) {
	check := c.Args
	if check == nil {
		check = cobra.NoArgs
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{err}
		}
		return nil
	}
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if err := configure(c.Flags(), environment()); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// doubled lets long flags have one dash, as they once could.
func doubled(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; len(a) > 2 && a[0] == '-' && a[1] >= 'a' && a[1] <= 'z' {
			out[i] = "-" + a
		}
	}
	return out
}
