// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"

	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
)

// blind sends the messages of a job without a look at what is there: all at once,
// as far as numbers need not be known first, or one after the other. Where the job
// is to look, it dumps and decodes, and does nothing with that.
type blind struct {
	fleet
	vpp       string
	pipelined bool
	tally     tally

	index interface_types.InterfaceIndex // of the uplink
	w     *wire
	x     *numbers
}

func (s *blind) run(stages ...func() []ask) error {
	for _, stage := range stages {
		send := s.w.each
		if s.pipelined {
			send = s.w.all
		}
		if err := send(stage()); err != nil {
			return err
		}
	}
	return nil
}

func (s *blind) prepare(context.Context) error {
	d, err := findUplink(s.vpp, s.uplink)
	if err == nil {
		s.index = d.SwIfIndex
	}
	return err
}

func (s *blind) cold(context.Context) error {
	w, err := openWire(s.vpp, &s.tally)
	if err != nil {
		return err
	}
	s.w = w
	s.x = newNumbers(s.fleet, s.index)
	return s.run(
		func() []ask { return s.x.creates(s.fleet) },
		func() []ask { return s.x.joins(s.fleet) },
	)
}

func (s *blind) converged(context.Context) error {
	_, err := s.w.read(s.pipelined, s.filtered)
	return err
}

func (s *blind) add(_ context.Context, port int) error {
	return s.run(
		func() []ask { return s.x.create(s.fleet, port) },
		func() []ask { return s.x.connect(s.fleet, port) },
	)
}

func (s *blind) remove(_ context.Context, port int) error {
	return s.run(func() []ask { return s.x.unmake(s.fleet, port) })
}

func (s *blind) move(_ context.Context, port, network int) error {
	return s.run(func() []ask { return []ask{s.x.join(s.x.ports[port].SwIfIndex, network)} })
}

func (s *blind) stop(context.Context) error { s.close(); return nil }

func (s *blind) restart(ctx context.Context) error {
	w, err := openWire(s.vpp, &s.tally)
	if err != nil {
		return err
	}
	s.w = w
	return s.converged(ctx)
}

func (s *blind) lost(ctx context.Context) error { return s.stop(ctx) }
func (s *blind) back(ctx context.Context) error { return s.cold(ctx) }

func (s *blind) teardown(context.Context) error {
	return s.run(func() []ask { return s.x.teardown(s.fleet) })
}

func (s *blind) sent(context.Context) (messages, writes int) { return s.tally.sums() }

func (s *blind) close() {
	if s.w != nil {
		s.w.close()
	}
}

// findUplink looks for an interface by a connection of its own, which is not
// counted.
func findUplink(vpp, name string) (*interfaces.SwInterfaceDetails, error) {
	w, err := openWire(vpp, new(tally))
	if err != nil {
		return nil, err
	}
	defer w.close()
	r, err := w.read(true, false)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(r.interfaces, func(d *interfaces.SwInterfaceDetails) bool { return d.InterfaceName == name })
	if i < 0 {
		return nil, fmt.Errorf("VPP has no interface %s", name)
	}
	return r.interfaces[i], nil
}
