// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"time"

	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vpptest"
)

// The systems. The floor goes first: the others are compared with it.
const (
	floorSystem      = "floor"
	sequentialSystem = "sequential"
	engineSystem     = "engine"
	agentSystem      = "agent"

	earlierSystem = "engine, earlier" // of another build, in a plot
)

var allSystems = []string{floorSystem, sequentialSystem, engineSystem, agentSystem}

func (b *bench) fleet(vpp *target, ports int) fleet {
	return fleet{size: ports, server: b.server, dir: vpp.dir, uplink: vpp.uplink, filtered: b.acl}
}

func mode(server bool) string {
	if server {
		return "server"
	}
	return "client"
}

// measure has one system do all jobs on a VPP that start starts. What it returns
// was measured, even if the rest could not be.
func (b *bench) measure(ctx context.Context, start source, name string, ports int) ([]result, error) {
	if w := workloadOf(b.workload); w != nil {
		return b.live(ctx, start, name, ports, func(vpp *target) (worker, []job, error) {
			l := &load{workload: w, size: ports, vpp: vpp.Socket}
			var s steps = &byHand{load: l}
			if name == engineSystem {
				s = &byEngine{load: l}
			}
			return s, l.jobs(s, b.repeat), nil
		})
	}
	with := func(repeat int, start func(*target) (system, error)) func(*target) (worker, []job, error) {
		return func(vpp *target) (worker, []job, error) {
			s, err := start(vpp)
			if err != nil {
				return nil, nil, err
			}
			return s, jobs(s, b.fleet(vpp, ports), vpp, repeat), nil
		}
	}
	if name != agentSystem {
		return b.live(ctx, start, name, ports, with(b.repeat, func(vpp *target) (system, error) {
			f := b.fleet(vpp, ports)
			if name == engineSystem {
				return &engine{fleet: f, vpp: vpp.Socket}, nil
			}
			return &blind{fleet: f, vpp: vpp.Socket, pipelined: name == floorSystem}, nil
		}))
	}
	// What stands between the agent and VPP to count takes its time, so the agent
	// does all twice.
	out, err := b.live(ctx, start, name, ports, with(min(b.repeat, 5), func(vpp *target) (system, error) { return b.newAgent(vpp, ports, false) }))
	if err != nil {
		return out, err
	}
	counted, err := b.live(ctx, start, name, ports, with(1, func(vpp *target) (system, error) { return b.newAgent(vpp, ports, true) }))
	for i, c := range counted {
		out[i].Messages, out[i].Writes = c.Messages, c.Writes
	}
	return out, err
}

// newAgent makes a system of an agent with an etcd of its own.
func (b *bench) newAgent(vpp *target, ports int, count bool) (*agent, error) {
	dir, err := os.MkdirTemp("", "bench-etcd")
	if err != nil {
		return nil, err
	}
	s := &agent{
		fleet: b.fleet(vpp, ports), program: b.agent, vpp: vpp.Socket, settle: b.settle,
		site: translate.Site{Host: "bench"},
	}
	s.closers = append(s.closers, func() { _ = os.RemoveAll(dir) })
	e, err := etcd.Embed(dir)
	if err != nil {
		s.close()
		return nil, err
	}
	s.closers = append(s.closers, e.Stop)
	s.url = e.URL()
	if s.etcd, err = etcd.Dial(s.url, etcd.Access{}); err != nil {
		s.close()
		return nil, err
	}
	s.closers = append(s.closers, func() { _ = s.etcd.Close() })
	s.said = hear(s.etcd, s.site.State())
	s.closers = append(s.closers, s.said.close)
	if count {
		if s.proxy, err = vpptest.StartProxy(vpp.Socket); err != nil {
			s.close()
			return nil, err
		}
		s.closers = append(s.closers, s.proxy.Close)
		s.vpp = s.proxy.Socket()
	}
	return s, nil
}

// worker is a system as far as measuring it goes.
type worker interface {
	sent(context.Context) (messages, writes int)
	close()
}

// live is the life of one system with one VPP.
func (b *bench) live(ctx context.Context, start source, name string, ports int, with func(*target) (worker, []job, error)) (out []result, err error) {
	vpp, err := start()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, vpp.close()) }()
	fmt.Fprintf(b.errs, "bench: %s, %d %s, VPP %s\n", name, ports, b.workload, vpp.Name)
	s, list, err := with(vpp)
	if err != nil {
		return nil, err
	}
	defer s.close()
	for _, j := range list {
		if !b.wants(j.name) && j.name != cold { // without which there is nothing for the others
			continue
		}
		var m measurement
		label := fmt.Sprintf("%s/%d/%s/%s", vpp.Name, ports, name, j.name)
		pprof.Do(ctx, pprof.Labels("run", label), func(ctx context.Context) { m, err = measure(ctx, s, j) })
		if err != nil {
			return out, fmt.Errorf("%s, %d ports: %w", name, ports, err)
		}
		if b.wants(j.name) {
			r := result{
				Workload: b.workload, VPP: vpp.Name, Job: j.name, System: name, Ports: ports,
				Seconds: m.took.Seconds(), Messages: m.messages, Writes: m.writes,
			}
			if name != agentSystem {
				r.CPU = m.cpu.Seconds()
			}
			if e, ok := s.(interface{ bytes() float64 }); ok {
				r.BytesPerObject = e.bytes()
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// settling is what the agent needs to notice what its own doing made VPP tell.
const settling = 1500 * time.Millisecond
