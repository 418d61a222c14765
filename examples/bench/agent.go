// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vpptest"
)

// agent is examples/agent in a process of its own. What it is to do stands in an
// etcd in this process, and it has done it when it says so there.
type agent struct {
	fleet
	program string
	url     string
	etcd    *clientv3.Client
	site    translate.Site
	vpp     string         // the socket that it is given
	proxy   *vpptest.Proxy // counts; nil: nobody does
	settle  time.Duration  // after so long without a message, no more follow from a job
	counted int            // messages
	since   time.Time      // there are so many

	process *process
	said    *said
	closers []func()
}

func (s *agent) key(port int) string { return s.site.Ports() + s.uuid(port) }

func (s *agent) flags() []string {
	return []string{
		"--etcd", s.url, "--vpp", s.vpp, "--host", s.site.Host, "--vhost-user-dir", s.dir, "--bound", "vpp",
		"--vhost-user-mode", mode(s.server), "--physnet", physnet + "=" + s.uplink,
	}
}

// prepare writes the keys of all groups and ports.
func (s *agent) prepare(ctx context.Context) error {
	var all []clientv3.Op
	for n := range s.networks() {
		if s.filtered {
			all = append(all, clientv3.OpPut(translate.Groups+s.gid(n), s.groupValue()))
		}
	}
	for n := range s.size {
		all = append(all, clientv3.OpPut(s.key(n), s.value(n, s.network(n))))
	}
	for ops := range slices.Chunk(all, 128) { // what etcd takes in one transaction
		if _, err := s.etcd.Txn(ctx).Then(ops...).Commit(); err != nil {
			return err
		}
	}
	return nil
}

// cold starts the agent, whose keys wait for it.
func (s *agent) cold(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	return s.all(ctx)
}

// all waits until all ports are said to be bound.
func (s *agent) all(ctx context.Context) error {
	return s.wait(ctx, func(ports map[string]int64, _ int64) bool { return len(ports) == s.size })
}

func (s *agent) start() error {
	p, err := launch(s.program, append([]string{"run", "--socket", "", "--resync", "1h"}, s.flags()...)...)
	if err == nil {
		s.process = p
	}
	return err
}

// wait waits for what is said, or for the agent's end.
func (s *agent) wait(ctx context.Context, enough func(ports map[string]int64, upTo int64) bool) error {
	return s.said.wait(ctx, s.process, enough)
}

// reach waits until all that etcd had at a revision is as wanted.
func (s *agent) reach(ctx context.Context, revision int64) error {
	return s.wait(ctx, func(_ map[string]int64, upTo int64) bool { return upTo >= revision })
}

// converged is "agent plan": it lists etcd, reads VPP, and prints what differs.
func (s *agent) converged(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, s.program, append([]string{"plan"}, s.flags()...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("agent plan: %w: %.1000s", err, out)
	}
	if lines := strings.Split(strings.TrimSpace(string(out)), "\n"); len(lines) != 1 || !strings.HasSuffix(lines[0], " as wanted") {
		return fmt.Errorf("agent plan finds something to do: %.1000s", out)
	}
	return nil
}

func (s *agent) add(ctx context.Context, port int) error {
	if _, err := s.etcd.Put(ctx, s.key(port), s.value(port, s.network(port))); err != nil {
		return err
	}
	return s.wait(ctx, func(ports map[string]int64, _ int64) bool { return ports[s.uuid(port)] != 0 })
}

func (s *agent) remove(ctx context.Context, port int) error {
	r, err := s.etcd.Delete(ctx, s.key(port))
	if err != nil {
		return err
	}
	return s.reach(ctx, r.Header.Revision)
}

func (s *agent) move(ctx context.Context, port, network int) error {
	r, err := s.etcd.Put(ctx, s.key(port), s.value(port, network))
	if err != nil {
		return err
	}
	return s.wait(ctx, func(ports map[string]int64, _ int64) bool { return ports[s.uuid(port)] > r.Header.Revision })
}

// stop kills the agent, which leaves all as it is.
func (s *agent) stop(context.Context) error {
	s.process.kill()
	return nil
}

// restart takes until the agent finds that there is nothing to do.
func (s *agent) restart(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	return s.process.wait(ctx)
}

// lost waits until no port is said to be bound any more.
func (s *agent) lost(ctx context.Context) error {
	return s.wait(ctx, func(ports map[string]int64, _ int64) bool { return len(ports) == 0 })
}

func (s *agent) back(ctx context.Context) error { return s.all(ctx) }

// teardown deletes all keys, and waits until VPP has nothing of the agent's.
func (s *agent) teardown(ctx context.Context) error {
	r, err := s.etcd.Delete(ctx, s.site.Ports(), clientv3.WithPrefix())
	if err != nil {
		return err
	}
	if err := s.reach(ctx, r.Header.Revision); err != nil {
		return err
	}
	left, err := s.left()
	if err == nil && left > 0 {
		err = fmt.Errorf("%d things of the agent's are left", left)
	}
	return err
}

// left counts what VPP has of the agent's.
func (s *agent) left() (n int, err error) {
	w, err := openWire(s.vpp, new(tally))
	if err != nil {
		return 0, err
	}
	defer w.close()
	r, err := w.read(true, s.filtered)
	for _, tag := range r.tags() {
		if strings.HasPrefix(tag, translate.Owner+"/") {
			n++
		}
	}
	return n, err
}

// sent waits until nothing has been sent for a while: the agent looks at VPP again
// half a second after VPP told of a link.
func (s *agent) sent(ctx context.Context) (messages, writes int) {
	if s.proxy == nil {
		return 0, 0
	}
	for {
		if n := len(s.proxy.Sent()); n != s.counted {
			s.counted, s.since = n, time.Now()
		}
		if time.Since(s.since) > s.settle || ctx.Err() != nil {
			return s.counted, s.proxy.Writes()
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *agent) close() {
	if s.process != nil {
		s.process.kill()
	}
	for _, f := range slices.Backward(s.closers) {
		f()
	}
}

// bytes are those of the whole process, for each port.
func (s *agent) bytes() float64 {
	return float64(resident(s.process.cmd.Process.Pid)) / float64(s.size)
}
