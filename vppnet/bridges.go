// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"strconv"

	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
)

// bridge is a bridge domain as bridge_domain_dump shows it, ports and all: a reading
// that BridgeDomains and BridgePorts share, never wanted.
type bridge struct {
	name string
	*l2.BridgeDomainDetails
}

func (b bridge) Key() desiredstate.Key {
	return desiredstate.Key{Space: "bridge-domain-read", Name: bridgeNumber(b.id())}
}

func (b bridge) id() uint32 {
	if b.BridgeDomainDetails == nil {
		return 0 // the zero value has a key, too
	}
	return b.BdID
}

func (b bridge) Deps() []desiredstate.Key { return nil }

func (b bridge) Validate() error { return errors.New("a reading is found, not made") }

// bridgeNumber is what VPP calls a bridge domain.
func bridgeNumber(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

func bridges(c *Conn) *desiredstate.Kind[bridge] {
	vpp := l2.NewServiceClient(c)
	return &desiredstate.Kind[bridge]{
		Target:   c.Target(),
		Name:     "bridge-domain-read",
		Messages: c.Uses(&l2.BridgeDomainDump{}),
		Dump: Reread(c, func(ctx context.Context, _ *desiredstate.View) ([]desiredstate.Actual[bridge], error) {
			all, err := Collect(vpp.BridgeDomainDump(ctx, &l2.BridgeDomainDump{BdID: ^uint32(0), SwIfIndex: allInterfaces}))
			out := make([]desiredstate.Actual[bridge], len(all))
			marks := make([]Named, len(all))
			for i, d := range all {
				marks[i] = Named{d.BdTag, bridgeNumber(d.BdID)}
			}
			for i, n := range c.Names(marks...) {
				out[i] = desiredstate.Actual[bridge]{ID: all[i].BdID, Foreign: !n.Ours, Leftover: n.Surplus, Spec: bridge{n.Name, all[i]}}
			}
			return out, err
		}),
	}
}
