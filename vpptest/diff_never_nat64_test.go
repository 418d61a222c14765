// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"encoding/binary"
	"slices"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/nat64"
	"go.fd.io/govpp/binapi/nat_types"
)

// killsByNAT64 says why a message of the nat64 plugin may kill VPP.
func killsByNAT64(m api.Message, past []api.Message) string {
	on, everOutside, everOn := false, false, false
	for _, p := range past {
		switch p := p.(type) {
		case *nat64.Nat64PluginEnableDisable:
			on = p.Enable
		case *nat64.Nat64AddDelInterface:
			everOn = everOn || p.IsAdd
			everOutside = everOutside || p.IsAdd && p.Flags&nat_types.NAT_IS_INSIDE == 0
		}
	}
	switch m := m.(type) {
	case *nat64.Nat64PluginEnableDisable:
		if !m.Enable && everOn {
			return "NAT64 that is off stays in effect on an interface, and the next packet kills VPP"
		}
	case *nat64.Nat64AddDelInterface:
		if m.IsAdd && !on {
			return "NAT64 that is off is in effect on an interface, and the next packet kills VPP"
		}
	case *nat64.Nat64AddDelStaticBib:
		if !on {
			return "a mapping of NAT64 that is off kills VPP"
		}
	case *nat64.Nat64AddDelPoolAddrRange:
		first, last := binary.BigEndian.Uint32(m.StartAddr[:]), binary.BigEndian.Uint32(m.EndAddr[:])
		if last-first > 3 {
			return "VPP takes 1 MB of its heap for each address"
		}
		if everOutside && slices.ContainsFunc(past, deletes) {
			return "a change of the pool, while an outside interface has gone, kills VPP"
		}
	}
	return ""
}

// deletes: an interface may go.
func deletes(m api.Message) bool {
	return slices.ContainsFunc([]string{"delete", "tunnel", "gpe", "lisp", "one_"}, func(part string) bool { return strings.Contains(m.GetMessageName(), part) })
}
