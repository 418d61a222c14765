// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/quiet"
	"github.com/vppkit/vppkit/examples/agent/signed"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
)

const defaultPage = "/run/vppkit-agent.sock"

func run(ctx context.Context, args []string, _, errs io.Writer) error {
	var o options
	f := flag.NewFlagSet("agent run", flag.ContinueOnError)
	o.register(f)
	socket := f.String("socket", defaultPage, "`path` of the socket that agent status asks; \"\": none")
	verbose := f.Bool("v", false, "log every object that is made, changed or unmade")
	if err := parse(f, args, errs); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	hush := quiet.Handler(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: level}), quiet.Limits{})
	defer hush.Flush(context.WithoutCancel(ctx))
	log := slog.New(hush)

	var page net.Listener
	if *socket != "" {
		l, err := listen(*socket)
		if err != nil {
			return err
		}
		defer func() { _ = l.Close() }()
		page = l
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
	a.listener, a.inbox.ca, a.audit, a.alone = page, o.ca, o.audit, o.bound == "vpp"
	a.log.Info("serving", "etcd", client.Endpoints(), "ports", o.site.Ports(), "vpp", vpp)
	return ignore(a.run(ctx), context.Canceled)
}

// plan lists etcd, reads VPP, and prints the difference.
func plan(ctx context.Context, args []string, out, errs io.Writer) error {
	var o options
	f := flag.NewFlagSet("agent plan", flag.ContinueOnError)
	o.register(f)
	asJSON := f.Bool("json", false, "print the plan as JSON")
	if err := parse(f, args, errs); err != nil {
		return err
	}
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
	p, said, err := dryRun(ctx, client, vpp, o.site, o.ca)
	if err != nil {
		return err
	}
	for _, line := range said {
		fmt.Fprintln(errs, line)
	}
	if *asJSON {
		return printJSON(out, p)
	}
	_, err = fmt.Fprint(out, p)
	return err
}

// dryRun plans, and says what VPP cannot do, and which keys cannot be read.
func dryRun(ctx context.Context, client *clientv3.Client, vpp string, site translate.Site, ca *signed.CA) (*desiredstate.Plan, []string, error) {
	store := desiredstate.NewStore()
	box := newInbox(site, store, slog.New(slog.DiscardHandler))
	box.ca = ca
	follower := follow.Follower{Client: client}
	box.feed(&follower)
	if err := follower.List(ctx); err != nil {
		return nil, nil, err
	}
	box.finish()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := vppnet.Dial(ctx, vpp, translate.Owner)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = c.Close() }()

	if site.Election != nil { // a run started now would be what VPP is
		state, err := candidate(ctx, c)
		if err != nil {
			return nil, nil, fmt.Errorf("election: %w", err)
		}
		box.serve(state == vrrp.Master)
	}
	e, report := engine(c, site)
	found, _ := e.Found(ctx) // what cannot be read, the plan says
	box.recall(found)
	said := lacks(report)
	for _, name := range slices.Sorted(maps.Keys(box.wrong)) {
		said = append(said, fmt.Sprintf("%.80q is not served: %v", name, box.wrong[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(box.ports)) {
		if err := box.ports[name].Lacks; err != nil {
			said = append(said, fmt.Sprintf("%.80q is served in part: %v", name, err))
		}
	}
	for _, name := range box.unservedNames() {
		said = append(said, fmt.Sprintf("%.120q is not served: %v", name, box.unserved(name)))
	}
	for _, name := range slices.Sorted(maps.Keys(box.said)) {
		said = append(said, box.said[name])
	}
	for _, line := range box.routeLines() {
		if line.Error != "" {
			said = append(said, fmt.Sprintf("%.120q: %s", "routers/"+line.Name, line.Error))
		}
	}
	var wants []desiredstate.Object
	for key := range store.Statuses() {
		o, _ := store.Want(key)
		wants = append(wants, o)
	}
	p, err := e.Plan(ctx, wants...)
	return p, said, err
}
