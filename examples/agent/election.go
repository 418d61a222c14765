// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
)

// elect has the inbox serve routers as long as VPP is master. It returns once it is
// known what VPP is: a master that only lost its agent stays what it is.
func (a *agent) elect(ctx context.Context, c *vppnet.Conn) error {
	if a.site.Election == nil {
		return nil
	}
	events, err := vrrp.Watch(ctx, c)
	if err != nil {
		return fmt.Errorf("election: %w", err)
	}
	state, err := candidate(ctx, c)
	if err != nil {
		return fmt.Errorf("election: %w", err)
	}
	a.inbox.Serve(state == vrrp.Master)
	go func() {
		var again <-chan time.Time // nil: it is known what VPP is
		for {
			select { // events tell numbers of interfaces: ours may have another by now
			case _, ok := <-events:
				if !ok {
					return
				}
			case <-again:
			}
			state, err := candidate(ctx, c)
			if err != nil {
				a.log.Error("election", "err", err)
				again = time.After(time.Second)
				continue
			}
			again = nil
			a.log.Info("election", "state", state)
			a.inbox.Serve(state == vrrp.Master)
		}
	}()
	return nil
}

// candidate is what VPP is on the interface by which it takes part.
func candidate(ctx context.Context, c *vppnet.Conn) (state vrrp.State, err error) {
	const nobody = ^uint32(0)
	c.Uses(&interfaces.SwInterfaceDump{})
	all, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	if err != nil {
		return 0, err
	}
	index := nobody
	for _, d := range all {
		if name, ours := c.Untag(d.Tag); ours && name == translate.ElectionInterface {
			index = uint32(d.SwIfIndex)
		}
	}
	states, err := vrrp.States(ctx, c)
	for _, s := range states {
		if s.Index == index {
			state = s.New
		}
	}
	return state, err
}
