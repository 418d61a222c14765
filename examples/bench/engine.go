// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

// engine is vppkit as a program uses it that has its own loop: Sync for all, Ensure
// and Remove for one port.
type engine struct {
	fleet
	vpp   string
	tally tally
	want  []desiredstate.Object
	held  uint64 // bytes before there was an engine

	c *vppnet.Conn
	e *desiredstate.Engine
}

func (s *engine) prepare(context.Context) error {
	s.want = s.objects()
	s.held = inUse()
	return nil
}

// cold connects, reads, and makes what lacks.
func (s *engine) cold(ctx context.Context) error {
	c, err := vppnet.Dial(ctx, s.vpp, owner, vppnet.WithTrace(s.tally.trace))
	if err != nil {
		return err
	}
	s.c = c
	s.e = newEngine(c, s.fleet)
	return s.sync(ctx, s.want)
}

func newEngine(c *vppnet.Conn, f fleet) *desiredstate.Engine {
	kinds := []desiredstate.AnyKind{
		vppnet.LinkStates(c, vppnet.ClaimInterfaces(func(name string) bool { return name == vppnet.Foreign(f.uplink) })),
		vppnet.SubInterfaces(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vhost.Ports(c, f.dir),
	}
	if f.filtered {
		kinds = append(kinds, acl.Sets(c), acl.MACIPSets(c), acl.Bindings(c), acl.MACIPBindings(c), acl.EtherTypeLists(c))
	}
	e := desiredstate.New(kinds...)
	e.MaxPrune = 1
	return e
}

func (s *engine) sync(ctx context.Context, want []desiredstate.Object) error {
	_, err := s.e.Sync(ctx, want...)
	return err
}

// converged reads all of VPP anew, and finds nothing to do.
func (s *engine) converged(ctx context.Context) error {
	s.e.Forget()
	return s.sync(ctx, s.want)
}

func (s *engine) add(ctx context.Context, port int) error {
	_, err := s.e.Ensure(ctx, s.portObjects(port)...)
	return err
}

func (s *engine) remove(ctx context.Context, port int) error {
	var keys []desiredstate.Key
	for _, o := range s.portObjects(port) {
		keys = append(keys, o.Key())
	}
	_, err := s.e.Remove(ctx, keys...)
	return err
}

func (s *engine) move(ctx context.Context, port, network int) error {
	_, err := s.e.Ensure(ctx, vppnet.BridgePort{Bridge: s.bridge(network), Interface: s.iface(port)})
	return err
}

func (s *engine) stop(context.Context) error { s.close(); return nil }

// restart is what cold is: it is VPP that has everything already.
func (s *engine) restart(ctx context.Context) error  { return s.cold(ctx) }
func (s *engine) lost(ctx context.Context) error     { return s.stop(ctx) }
func (s *engine) back(ctx context.Context) error     { return s.cold(ctx) }
func (s *engine) teardown(ctx context.Context) error { return s.sync(ctx, nil) }

func (s *engine) sent(context.Context) (messages, writes int) { return s.tally.sums() }

// bytes is what the engine holds for a port.
func (s *engine) bytes() float64 { return max(0, float64(inUse())-float64(s.held)) / float64(s.size) }

func (s *engine) close() {
	if s.c != nil {
		_ = s.c.Close()
	}
}
