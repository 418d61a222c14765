// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/pretty"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// demo shows the agent on an etcd and a VPP of its own.
func demoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "Shows the agent at work on an etcd and a VPP of its own",
		RunE: func(c *cobra.Command, _ []string) error { return demo(c.Context(), c.OutOrStdout()) },
	}
}

func demo(ctx context.Context, out io.Writer) error {
	o := options{etcd: "embedded", site: translate.Site{
		Host:     "compute-1",
		Physnets: map[string]string{"physnet1": "GigabitEthernet0/8/0"},
		Dir:      "/run/vpp-vhost-user", // only named: the in-memory VPP opens no sockets there
	}}
	client, closeEtcd, err := o.openEtcd()
	if err != nil {
		return err
	}
	defer closeEtcd()
	v, err := sim(o.site)
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	show := &show{
		out: &lockedWriter{Writer: out}, etcd: client, vpp: v, site: o.site,
		changed: map[string]int64{},
	}
	show.agent = newAgent(o.site, v.Socket(), client, 5*time.Minute, slog.New(slog.NewTextHandler(io.Discard, nil)))
	show.agent.watcher, show.agent.alone = show.progress, true
	return show.run(ctx)
}

// show is a demonstration under way.
type show struct {
	out   *lockedWriter
	etcd  *clientv3.Client
	vpp   *vpptest.VPP
	site  translate.Site
	agent *agent

	changed map[string]int64 // at which revision the key of a port was written
}

// lockedWriter keeps apart what several goroutines print.
type lockedWriter struct {
	mu sync.Mutex
	io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Writer.Write(p)
}

// shown numbers the ports of the demonstration.
func shown(n int) string { return fmt.Sprintf("7d0c24f1-5a3e-4c6b-9b51-%012d", n) }

func (s *show) run(ctx context.Context) error {
	s.title("Five ports of a VLAN network are bound to %s: five keys in etcd. The fifth is in a security group", s.site.Host)
	fmt.Fprintf(s.out, "put %s%s\n", translate.Groups, web)
	if _, err := s.etcd.Put(ctx, translate.Groups+web, `{"egress_rules": [], "ingress_rules": [{
		"is_ipv6": 0, "remote_ip_addr": "0.0.0.0", "ip_prefix_len": 0, "remote_group_id": null,
		"protocol": 6, "port_min": 80, "port_max": 80}]}`); err != nil {
		return err
	}
	for n := 1; n <= 5; n++ {
		fmt.Fprintf(s.out, "put %s%s\n", s.site.Ports(), shown(n))
		if err := s.put(ctx, n, 142); err != nil {
			return err
		}
	}
	s.title("The plan: what VPP lacks (agent plan)")
	p, _, err := dryRun(ctx, s.etcd, s.vpp.Socket(), s.site, nil, io.Discard)
	if err != nil {
		return err
	}
	if err := pretty.Plan(s.out.Writer, p); err != nil { // nobody else prints yet
		return err
	}

	s.title("The agent starts, and applies it (agent run)")
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- s.agent.run(ctx) }()
	err = s.scenes(ctx)
	cancel()
	return errors.Join(err, ignore(<-stopped, context.Canceled))
}

func (s *show) scenes(ctx context.Context) error {
	if err := s.converged(ctx, 1, 2, 3, 4, 5); err != nil {
		return err
	}
	if err := s.table(ctx); err != nil {
		return err
	}

	s.title("Port 1 moves to VLAN 200: one key changes")
	if err := s.put(ctx, 1, 200); err != nil {
		return err
	}
	if err := s.converged(ctx, 1, 2, 3, 4, 5); err != nil {
		return err
	}

	s.title("Port 2 is unplugged: its key is deleted")
	if _, err := s.etcd.Delete(ctx, s.site.Ports()+shown(2)); err != nil {
		return err
	}
	if err := s.converged(ctx, 1, 3, 4, 5); err != nil {
		return err
	}

	s.title("VPP is killed: nothing is bound any more, and etcd says so")
	s.vpp.Kill()
	if err := s.bound(ctx); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "0 ports below %sports/\n", s.site.State())

	s.title("VPP starts again, empty; the agent was not touched")
	if err := s.vpp.Restart(); err != nil {
		return err
	}
	if err := s.converged(ctx, 1, 3, 4, 5); err != nil {
		return err
	}
	return s.table(ctx)
}

func (s *show) title(format string, args ...any) { fmt.Fprintf(s.out, "\n# "+format+"\n\n", args...) }

// web is a security group.
const web = "9e4b77c0-52d1-4b39-8f10-000000000080"

// put binds a port, as the driver does.
func (s *show) put(ctx context.Context, n, vlan int) error {
	groups, secured := "[]", n == 5
	if secured {
		groups = `["` + web + `"]`
	}
	r, err := s.etcd.Put(ctx, s.site.Ports()+shown(n), fmt.Sprintf(`{
		"mac_address": "fa:16:3e:00:00:%02x", "mtu": 1500, "physnet": "physnet1",
		"network_type": "vlan", "segmentation_id": %d, "binding_type": "vhostuser",
		"security_groups": %s, "allowed_address_pairs": [], "fixed_ips": [{"subnet_id": "demo", "ip_address": "10.0.0.%d"}],
		"port_security_enabled": %t, "device_id": "demo"}`, n, vlan, groups, n, secured))
	if err == nil {
		s.changed[shown(n)] = r.Header.Revision
	}
	return err
}

// progress prints what the agent's engine does.
func (s *show) progress(e desiredstate.Event) {
	switch e.Type {
	case desiredstate.Done:
		fmt.Fprintf(s.out, "%s %s\n", e.Action, e.Key)
	case desiredstate.Failed:
		fmt.Fprintf(s.out, "! %s %s: %v\n", e.Action, e.Key, e.Err)
	}
}

// converged waits until VPP holds what is wanted, and etcd says that exactly
// these ports are bound.
func (s *show) converged(ctx context.Context, ports ...int) error {
	if err := s.bound(ctx, ports...); err != nil {
		return err
	}
	if err := s.agent.store.Wait(ctx); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "converged: %d ports below %sports/\n", len(ports), s.site.State())
	return nil
}

// bound waits until etcd says that exactly these ports are bound, as their keys
// say by now.
func (s *show) bound(ctx context.Context, ports ...int) error {
	for {
		r, err := s.etcd.Get(ctx, s.site.State()+"ports/", clientv3.WithPrefix())
		if err != nil {
			return err
		}
		have := map[string]bool{}
		for _, kv := range r.Kvs {
			name := strings.TrimPrefix(string(kv.Key), s.site.State()+"ports/")
			have[name] = kv.ModRevision > s.changed[name]
		}
		missing := len(have) != len(ports)
		for _, n := range ports {
			missing = missing || !have[shown(n)]
		}
		if !missing {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("ports %v are not bound: %w", ports, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// table shows what is in VPP, as VPP tells.
func (s *show) table(ctx context.Context) error {
	c, err := vppnet.Dial(ctx, s.vpp.Socket(), translate.Owner)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	e, _ := engine(c, s.site)
	all, err := e.Found(ctx)
	if err != nil {
		return err
	}
	up, in := map[string]string{}, map[string]string{}
	for _, f := range all {
		switch o := f.Spec.(type) {
		case vppnet.LinkState:
			if o.Up {
				up[o.Interface] = "up"
			}
		case vppnet.BridgePort:
			in[o.Interface] = o.Bridge
		}
	}
	s.title("What VPP holds")
	t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "INDEX\tINTERFACE\tKIND\tLINK\tBRIDGE DOMAIN")
	for _, f := range all {
		if f.Key.Space == "interface" {
			fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\n", f.ID, f.Key.Name, f.Kind, cmp.Or(up[f.Key.Name], "down"), in[f.Key.Name])
		}
	}
	return t.Flush()
}
