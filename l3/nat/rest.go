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

// rest reads what is for an interface's address, whatever that is, addresses that the pool takes from
// interfaces, and mappings to several hosts.
func (k ed) rest(ctx context.Context) (out []rest, err error) {
	static, err := vppnet.Collect(k.vpp.Nat44StaticMappingDump(ctx, &binding.Nat44StaticMappingDump{}))
	if err != nil {
		return nil, err
	}
	for _, d := range static {
		if d.ExternalSwIfIndex != noIndex {
			out = append(out, waiting(d.Tag))
		}
	}
	exempt, err := vppnet.Collect(k.vpp.Nat44IdentityMappingDump(ctx, &binding.Nat44IdentityMappingDump{}))
	if err != nil {
		return nil, err
	}
	for _, d := range exempt {
		if d.SwIfIndex != noIndex {
			out = append(out, waiting(d.Tag))
		}
	}
	balanced, err := vppnet.Collect(k.vpp.Nat44LbStaticMappingDump(ctx, &binding.Nat44LbStaticMappingDump{}))
	if err != nil {
		return nil, err
	}
	for _, d := range balanced {
		out = append(out, rest{what: "a mapping to several hosts", tag: strings.TrimRight(d.Tag, "\x00")})
	}
	borrowed, err := vppnet.Collect(k.vpp.Nat44InterfaceAddrDump(ctx, &binding.Nat44InterfaceAddrDump{}))
	for range borrowed {
		out = append(out, rest{what: "an interface's addresses"})
	}
	return out, err
}

func (k ei) rest(ctx context.Context) (out []rest, err error) {
	static, err := vppnet.Collect(k.vpp.Nat44EiStaticMappingDump(ctx, &nat44_ei.Nat44EiStaticMappingDump{}))
	if err != nil {
		return nil, err
	}
	for _, d := range static {
		if d.ExternalSwIfIndex != noIndex {
			out = append(out, waiting(d.Tag))
		}
	}
	exempt, err := vppnet.Collect(k.vpp.Nat44EiIdentityMappingDump(ctx, &nat44_ei.Nat44EiIdentityMappingDump{}))
	if err != nil {
		return nil, err
	}
	for _, d := range exempt {
		if d.SwIfIndex != noIndex {
			out = append(out, waiting(d.Tag))
		}
	}
	borrowed, err := vppnet.Collect(k.vpp.Nat44EiInterfaceAddrDump(ctx, &nat44_ei.Nat44EiInterfaceAddrDump{}))
	for range borrowed {
		out = append(out, rest{what: "an interface's addresses"})
	}
	return out, err
}

func waiting(tag string) rest {
	return rest{what: "a mapping by an interface's address", tag: strings.TrimRight(tag, "\x00")}
}
