// SPDX-License-Identifier: Apache-2.0

package nat64

import (
	"cmp"
	"context"
	"errors"
	"time"

	binding "go.fd.io/govpp/binapi/nat64"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Timeouts say how long a session without packets is kept, in whole seconds; 0 is VPP's default.
type Timeouts struct {
	UDP            time.Duration // 5 minutes
	TCPEstablished time.Duration // 2 hours and 4 minutes
	TCPTransitory  time.Duration // 4 minutes
	ICMP           time.Duration // 1 minute
}

// TimeoutsKey is the key of the one Timeouts.
func TimeoutsKey() desiredstate.Key {
	return desiredstate.Key{Space: "nat64-timeouts", Name: "nat64"}
}

// Key is TimeoutsKey().
func (n Timeouts) Key() desiredstate.Key { return TimeoutsKey() }

// Deps is empty.
func (n Timeouts) Deps() []desiredstate.Key { return nil }

// Validate wants whole seconds, and some that are not VPP's own anyway.
func (n Timeouts) Validate() error {
	if n.filled() == (Timeouts{}).filled() {
		return errors.New("these are VPP's own timeouts: leave them out")
	}
	return place.CheckSeconds(n.UDP, n.TCPEstablished, n.TCPTransitory, n.ICMP)
}

// filled is n with VPP's own figures where it has none.
func (n Timeouts) filled() Timeouts {
	return Timeouts{
		UDP: cmp.Or(n.UDP, 5*time.Minute), TCPEstablished: cmp.Or(n.TCPEstablished, 124*time.Minute),
		TCPTransitory: cmp.Or(n.TCPTransitory, 4*time.Minute), ICMP: cmp.Or(n.ICMP, time.Minute),
	}
}

// AllTimeouts manages them (nat64_set_timeouts), which change in place, for what is heard of from
// then on. VPP always has them, and nothing says whose they are: an engine that is given this
// kind owns them, and unless they are wanted they are VPP's defaults again.
func AllTimeouts(c *vppnet.Conn) *desiredstate.Kind[Timeouts] {
	vpp := binding.NewServiceClient(c)
	set := func(ctx context.Context, n Timeouts) error {
		n = n.filled()
		seconds := func(d time.Duration) uint32 { return uint32(d / time.Second) }
		_, err := vpp.Nat64SetTimeouts(ctx, &binding.Nat64SetTimeouts{
			UDP: seconds(n.UDP), TCPEstablished: seconds(n.TCPEstablished), TCPTransitory: seconds(n.TCPTransitory), ICMP: seconds(n.ICMP),
		})
		return err
	}
	return &desiredstate.Kind[Timeouts]{
		Target:   c.Target(),
		Name:     "nat64-timeouts",
		Messages: c.Uses(&binding.Nat64SetTimeouts{}, &binding.Nat64GetTimeouts{}),
		Dump: func(ctx context.Context, _ *desiredstate.View) ([]desiredstate.Actual[Timeouts], error) {
			d, err := vpp.Nat64GetTimeouts(ctx, &binding.Nat64GetTimeouts{})
			if err != nil {
				return nil, err
			}
			span := func(seconds uint32) time.Duration { return time.Duration(seconds) * time.Second }
			n := Timeouts{UDP: span(d.UDP), TCPEstablished: span(d.TCPEstablished), TCPTransitory: span(d.TCPTransitory), ICMP: span(d.ICMP)}
			if n == (Timeouts{}).filled() {
				return nil, nil
			}
			return []desiredstate.Actual[Timeouts]{{Spec: n}}, nil
		},
		Create: func(ctx context.Context, _ *desiredstate.View, n Timeouts) (uint32, error) { return 0, set(ctx, n) },
		Update: func(ctx context.Context, _ *desiredstate.View, _ desiredstate.Actual[Timeouts], want Timeouts) error {
			return set(ctx, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, _ desiredstate.Actual[Timeouts]) error {
			return set(ctx, Timeouts{})
		},
		Fill: func(_ desiredstate.Actual[Timeouts], want Timeouts) Timeouts { return want.filled() },
	}
}
