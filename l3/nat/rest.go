// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"context"
	"strings"

	binding "go.fd.io/govpp/binapi/nat44_ed"
	"go.fd.io/govpp/binapi/nat44_ei"

	"github.com/vppkit/vppkit/vppnet"
)

// rest is something in NAT that goes when it is turned off, and that is in no other reading.
type rest struct {
	what string
	tag  string // of what has one
}

// rest reads mappings to several hosts, and addresses that the pool takes from interfaces.
func (k ed) rest(ctx context.Context) (out []rest, err error) {
	balanced, err := vppnet.Collect(k.vpp.Nat44LbStaticMappingDump(ctx, &binding.Nat44LbStaticMappingDump{}))
	if err != nil {
		return nil, err
	}
	for _, d := range balanced {
		out = append(out, rest{what: "a mapping to several hosts", tag: strings.TrimRight(d.Tag, "\x00")})
	}
	borrowed, err := vppnet.Collect(k.vpp.Nat44InterfaceAddrDump(ctx, &binding.Nat44InterfaceAddrDump{}))
	for range borrowed {
		out = append(out, rest{what: anInterfaces})
	}
	return out, err
}

func (k ei) rest(ctx context.Context) (out []rest, err error) {
	borrowed, err := vppnet.Collect(k.vpp.Nat44EiInterfaceAddrDump(ctx, &nat44_ei.Nat44EiInterfaceAddrDump{}))
	for range borrowed {
		out = append(out, rest{what: anInterfaces})
	}
	return out, err
}

const anInterfaces = "an interface's addresses"
