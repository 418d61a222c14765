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

// Verifier makes a Kind.Verify: requests ask VPP about these handles, all in one round
// trip, and read says of an answer which handle it is about, and how what has that is
// tagged and called by VPP.
func Verifier(c *Conn, requests func(held []desiredstate.Held) []api.Message, read func(api.Message) (id uint32, n Named, ok bool)) func(context.Context, []desiredstate.Held) ([]bool, error) {
	return func(ctx context.Context, held []desiredstate.Held) ([]bool, error) {
		answers, err := Ask(ctx, c, requests(held)...)
		if err != nil {
			return nil, err
		}
		found := make(map[uint32]Named, len(answers))
		for _, m := range answers {
			if id, n, ok := read(m); ok {
				found[id] = n
			}
		}
		same := make([]bool, len(held))
		for i, h := range held {
			n, there := found[h.ID]
			same[i] = there && c.Is(h.Key.Name, n)
		}
		return same, nil
	}
}

// Each makes the requests of a Verifier, one a handle.
func Each(request func(id uint32) api.Message) func([]desiredstate.Held) []api.Message {
	return func(held []desiredstate.Held) []api.Message {
		out := make([]api.Message, len(held))
		for i, h := range held {
			out[i] = request(h.ID)
		}
		return out
	}
}

// Verifying makes a Kind.Verify of a function of names and handles, in the same order.
func Verifying(same func(ctx context.Context, names []string, ids []uint32) ([]bool, error)) func(context.Context, []desiredstate.Held) ([]bool, error) {
	return func(ctx context.Context, held []desiredstate.Held) ([]bool, error) {
		names, ids := make([]string, len(held)), make([]uint32, len(held))
		for i, h := range held {
			names[i], ids[i] = h.Key.Name, h.ID
		}
		return same(ctx, names, ids)
	}
}

func verifyInterfaces(c *Conn) func(context.Context, []desiredstate.Held) ([]bool, error) {
	return Verifier(c, Each(func(id uint32) api.Message {
		return &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(id)}
	}), func(m api.Message) (uint32, Named, bool) {
		d, ok := m.(*interfaces.SwInterfaceDetails)
		if !ok {
			return 0, Named{}, false
		}
		i := describe(d)
		return uint32(d.SwIfIndex), Named{i.Tag, i.VPPName}, true
	})
}

func verifyBridges(c *Conn) func(context.Context, []desiredstate.Held) ([]bool, error) {
	return Verifier(c, Each(func(id uint32) api.Message {
		return &l2.BridgeDomainDump{BdID: id, SwIfIndex: allInterfaces}
	}), func(m api.Message) (uint32, Named, bool) {
		d, ok := m.(*l2.BridgeDomainDetails)
		if !ok {
			return 0, Named{}, false
		}
		return d.BdID, Named{d.BdTag, bridgeNumber(d.BdID)}, true
	})
}
