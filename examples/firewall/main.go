// SPDX-License-Identifier: Apache-2.0

// Firewall makes VPP's ACLs what a file says, all of it or nothing, as a router's commit does.
//
//	firewall --file rules.json            says what would be done
//	firewall --file rules.json --commit   does it
//
// The file has sets of rules, and which of them are on which interfaces:
//
//	{"acl": [{"Name": "web", "Rules": [{"Action": "permit+reflect", "Family": "ip4", "Protocol": "tcp", "DstPorts": "443"}]}],
//	 "acl-binding": [{"Interface": "vpp:GigabitEthernet0/8/0", "Input": ["web"]}]}
//
// Sets are ours by their tags in VPP, so nothing is kept between two runs. Others' sets on the
// same interfaces stay, in their order, after ours.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/binapi"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/pretty"
	"github.com/vppkit/vppkit/vppnet"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(os.Stdout).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "firewall:", err)
		os.Exit(1)
	}
}

func command(out io.Writer) *cobra.Command {
	var vpp, owner, file string
	var commit, gently, empty bool
	c := &cobra.Command{
		Use: "firewall", Short: "Makes VPP's ACLs what a file says, all of it or nothing", Args: cobra.NoArgs,
		SilenceErrors: true, SilenceUsage: true,
	}
	f := c.Flags()
	f.StringVar(&vpp, "vpp", "/run/vpp/api.sock", "VPP's API socket")
	f.StringVar(&owner, "owner", "firewall", "in whose name, as VPP's tags show it")
	f.StringVar(&file, "file", "", "the file of the rules")
	f.BoolVar(&commit, "commit", false, "do it; else it is only said what would be done")
	f.BoolVar(&gently, "gently", false, "refuse what ends sessions that rules have let in")
	f.BoolVar(&empty, "remove", false, "do it though most of what is there would go")
	c.RunE = func(c *cobra.Command, _ []string) error {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
		defer cancel()
		conn, err := vppnet.Dial(ctx, vpp, owner)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		w, err := open(conn)
		if err != nil {
			return err
		}
		if gently {
			w.Refuse = desiredstate.NoMoreThan(desiredstate.DisturbsTraffic)
		}
		plan, err := w.plan(ctx, text)
		if err != nil {
			return err
		}
		if err := pretty.Plan(out, plan); err != nil || !commit {
			return err
		}
		if empty {
			plan.Confirm()
		}
		_, err = w.Commit(ctx, plan) // which says what there is instead
		return err
	}
	return c
}

// A wall is the ACLs of one VPP that are one owner's.
type wall struct{ *desiredstate.Engine }

func open(c *vppnet.Conn) (wall, error) {
	kinds := []desiredstate.AnyKind{acl.Sets(c), acl.Bindings(c)}
	return wall{desiredstate.New(kinds...)}, binapi.Check(c, kinds...).Err()
}

// plan says what a file asks for.
func (w wall) plan(ctx context.Context, text []byte) (*desiredstate.Plan, error) {
	var file map[string][]json.RawMessage
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	var want []desiredstate.Object
	for kind, all := range file {
		for i, one := range all {
			o, err := w.Decode(kind, one)
			if err != nil {
				return nil, fmt.Errorf("%s %d: %w", kind, i, err)
			}
			want = append(want, o)
		}
	}
	return w.Plan(ctx, want...)
}
