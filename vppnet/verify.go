// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
)

// Verifier makes a Kind.Verify of a function that asks VPP how what has these handles now is
// tagged and called by VPP; it may tell of others too. What has a tag is what has its name.
func Verifier(c *Conn, now func(ctx context.Context, ids []uint32) (map[uint32]Named, error)) func(context.Context, []desiredstate.Held) ([]bool, error) {
	return func(ctx context.Context, held []desiredstate.Held) ([]bool, error) {
		ids := make([]uint32, len(held))
		for i, h := range held {
			ids[i] = h.ID
		}
		found, err := now(ctx, ids)
		if err != nil {
			return nil, err
		}
		same := make([]bool, len(held))
		for i, h := range held {
			n, there := found[h.ID]
			same[i] = there && c.Is(h.Key.Name, n)
		}
		return same, nil
	}
}

// verifySwept is a Verifier of what a Sweep reads.
func verifySwept[D api.Message](c *Conn, s *Sweep, of func(D) (uint32, Named)) func(context.Context, []desiredstate.Held) ([]bool, error) {
	return Verifier(c, func(ctx context.Context, ids []uint32) (map[uint32]Named, error) {
		found, err := Swept[D](s.Ask(ctx, c, ids...))
		if err != nil {
			return nil, err
		}
		now := make(map[uint32]Named, len(found))
		for _, d := range found {
			id, n := of(d)
			now[id] = n
		}
		return now, nil
	})
}

func verifyInterfaces(c *Conn) func(context.Context, []desiredstate.Held) ([]bool, error) {
	return verifySwept(c, NewSweep(func(id uint32) api.Message {
		return &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(id)}
	}), func(d *interfaces.SwInterfaceDetails) (uint32, Named) {
		i := describe(d)
		return uint32(d.SwIfIndex), Named{i.Tag, i.VPPName}
	})
}

func verifyBridges(c *Conn) func(context.Context, []desiredstate.Held) ([]bool, error) {
	return verifySwept(c, NewSweep(func(id uint32) api.Message {
		return &l2.BridgeDomainDump{BdID: id, SwIfIndex: allInterfaces}
	}), func(d *l2.BridgeDomainDetails) (uint32, Named) {
		return d.BdID, Named{d.BdTag, bridgeNumber(d.BdID)}
	})
}
