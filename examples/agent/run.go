// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/observe"
	"github.com/vppkit/vppkit/examples/agent/quiet"
	"github.com/vppkit/vppkit/examples/agent/signed"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
	"github.com/vppkit/vppkit/examples/pretty"
	"github.com/vppkit/vppkit/l3/vrrp"
)

// runOptions are the flags that run has beside those that it shares.
type runOptions struct {
	options
	socket  string
	who     sockets // may connect to it
	page    string
	traceTo string
	verbose bool
}

func runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{Use: "run", Short: "Serves a host's ports"}
	f := c.Flags()
	o.register(f)
	configFlag(f)
	f.StringVar(&o.socket, "socket", defaultPage, "`path` of the socket that agent status asks; \"\": none")
	o.who.register(f, "socket", "that socket, whose users may also confirm removals and set what is logged; \"\": its owner's alone")
	f.StringVar(&o.page, "page", "", "`ADDRESS:PORT` of the loopback where a browser sees how the host stands, and Prometheus its metrics; whoever is on this machine can. \"\": nowhere but on the socket")
	f.StringVar(&o.traceTo, "trace-to", "", "`URL` of an OpenTelemetry collector (OTLP by gRPC) that gets a trace of each key that changes, down to VPP's messages")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log every object that is made, changed or unmade; see also agent level")
	c.RunE = func(c *cobra.Command, _ []string) error { return run(c.Context(), &o, c.ErrOrStderr()) }
	return c
}

func run(ctx context.Context, o *runOptions, errs io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	level := new(slog.LevelVar)
	hush := quiet.Handler(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: level}), quiet.Limits{})
	defer hush.Flush(context.WithoutCancel(ctx))
	log := slog.New(hush)

	var page, public net.Listener
	if o.socket != "" {
		if err := makePlace(o.socket, defaultPage, 0o755); err != nil {
			return fmt.Errorf("--socket: %w", err)
		}
		l, err := listen(o.socket)
		if err != nil {
			return fmt.Errorf("--socket: %w", err)
		}
		defer func() { _ = l.Close() }()
		if err := o.who.set(o.socket); err != nil {
			return fmt.Errorf("--socket-mode, --socket-group: %w", err)
		}
		page = l
	}
	if o.page != "" {
		l, err := observe.Listen(o.page)
		if err != nil {
			return fmt.Errorf("--page: %w", err)
		}
		defer func() { _ = l.Close() }()
		public = l
	}
	client, closeEtcd, err := o.openEtcd()
	if err != nil {
		return err
	}
	defer closeEtcd()
	vpp, closeVPP, err := o.openVPP()
	if err != nil {
		return err
	}
	defer closeVPP()
	a := newAgent(o.site, vpp, client, o.resync, log.With("host", o.site.Host))
	if a.insight.level = level; o.verbose {
		level.Set(slog.LevelDebug)
	}
	if o.traceTo != "" {
		end, err := a.insight.trace(ctx, o.traceTo, a.store)
		if err != nil {
			return err
		}
		defer end()
	}
	a.listener, a.public, a.inbox.CA, a.audit, a.alone = page, public, o.ca, o.audit, o.bound == "vpp"
	a.log.Info("serving", "etcd", client.Endpoints(), "ports", o.site.Ports(), "vpp", vpp)
	g, ctx := errgroup.WithContext(ctx)
	systemd := observe.NewSystemd()
	g.Go(func() error { return a.run(ctx) })
	g.Go(func() error { return a.tell(ctx, systemd) })
	g.Go(func() error { return systemd.Watch(ctx, a.alive) })
	return ignore(g.Wait(), context.Canceled)
}

// plan lists etcd, reads VPP, and prints the difference.
func planCommand() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use: "plan", Short: "Says what run would change in VPP, and changes nothing",
		Long: "Says what run would change in VPP, and changes nothing. Exits with 3 if not all that etcd asks for would be served.",
	}
	f := c.Flags()
	o.register(f)
	configFlag(f)
	asJSON := f.Bool("json", false, "print the plan as JSON")
	wait := f.Duration("timeout", time.Minute, "how long to wait for etcd and VPP")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return plan(c.Context(), &o, *wait, *asJSON, c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

func plan(ctx context.Context, o *options, wait time.Duration, asJSON bool, out, errs io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	client, closeEtcd, err := o.openEtcd()
	if err != nil {
		return err
	}
	defer closeEtcd()
	vpp, closeVPP, err := o.openVPP()
	if err != nil {
		return err
	}
	defer closeVPP()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	p, said, err := dryRun(ctx, client, vpp, o.site, o.ca, errs)
	if err != nil {
		return err
	}
	for _, line := range said {
		fmt.Fprintln(errs, line)
	}
	if asJSON {
		err = printJSON(out, p)
	} else {
		err = pretty.Plan(out, p)
	}
	if err == nil && (len(said) > 0 || p.Unread != nil || p.Count(desiredstate.Block) > 0) {
		err = errWrong
	}
	return err
}

// dryRun plans, and says what VPP cannot do, and which keys cannot be read.
func dryRun(ctx context.Context, client *clientv3.Client, vpp string, site translate.Site, ca *signed.CA, errs io.Writer) (*desiredstate.Plan, []string, error) {
	store := desiredstate.NewStore()
	box := wants.New(site, store, slog.New(slog.DiscardHandler))
	box.CA = ca
	box.ReadAtOnce() // or what groups name would not be listed
	follower := follow.Follower{Client: client}
	box.Feed(&follower)
	_, err := waitedFor(ctx, errs, "etcd", func(ctx context.Context) (*clientv3.GetResponse, error) {
		return client.Get(ctx, site.Keys(), clientv3.WithPrefix(), clientv3.WithCountOnly())
	})
	if err == nil {
		err = follower.List(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	box.Finish()
	c, err := dialVPP(ctx, vpp, errs)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = c.Close() }()

	if site.Election != nil { // a run started now would be what VPP is
		state, err := candidate(ctx, c)
		if err != nil {
			return nil, nil, fmt.Errorf("election: %w", err)
		}
		box.Serve(state == vrrp.Master)
	}
	e, report := engine(c, site)
	found, _ := e.Found(ctx) // what cannot be read, the plan says
	box.Recall(found)
	said := lacks(report)
	var wrong, lacking []string
	names, _ := box.Names()
	slices.Sort(names)
	for _, name := range names {
		if p, _, err := box.Look(name); err != nil {
			wrong = append(wrong, fmt.Sprintf("%.80q is not served: %v", name, err))
		} else if p.Lacks != nil {
			lacking = append(lacking, fmt.Sprintf("%.80q is served in part: %v", name, p.Lacks))
		}
	}
	said = slices.Concat(said, wrong, lacking)
	for _, name := range box.UnservedNames() {
		said = append(said, fmt.Sprintf("%.120q is not served: %v", name, box.Unserved(name)))
	}
	said = append(said, box.GroupTroubles()...)
	for _, line := range routeLines(box) {
		if line.Error != "" {
			said = append(said, fmt.Sprintf("%.120q: %s", "routers/"+line.Name, line.Error))
		}
	}
	var all []desiredstate.Object
	for key := range store.Statuses() {
		o, _ := store.Want(key)
		all = append(all, o)
	}
	p, err := e.Plan(ctx, all...)
	return p, said, err
}
