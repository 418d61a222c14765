// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/abf"
	"go.fd.io/govpp/binapi/fib_types"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// policies send what the rules of a set fit by a next hop of their own; each has a set.
func policies() *workload {
	var at func(desiredstate.Key) uint32
	set := func(n int) string { return fmt.Sprint("set", n) }
	hop := func(n int, changed bool) netip.Addr {
		if changed {
			n++
		}
		return netip.AddrFrom4([4]byte{10, 255, 0, byte(10 + n%hops)})
	}
	message := func(n int, changed, add bool) api.Message {
		way := fib_types.FibPath{SwIfIndex: at(vppnet.InterfaceKey("transit")), Weight: 1}
		way.Nh.Address.SetIP4(hop(n, changed).As4())
		return &abf.AbfPolicyAddDel{IsAdd: add, Policy: abf.AbfPolicy{
			PolicyID: uint32(n), ACLIndex: at(acl.SetKey(set(n))), NPaths: 1, Paths: []fib_types.FibPath{way},
		}}
	}
	return &workload{
		name: "policies", most: 100_000,
		base: []desiredstate.Object{vppnet.Loopback{Name: "transit"}},
		own: func(n int) desiredstate.Object {
			return acl.Set{Name: set(n), Rules: []acl.Rule{{Action: acl.Permit, Family: acl.IPv4}}}
		},
		kinds: func(c *vppnet.Conn) []desiredstate.AnyKind {
			sets := acl.Sets(c)
			return []desiredstate.AnyKind{vppnet.Loopbacks(c), sets, l3.PolicyRoutes(c, sets)}
		},
		numbers: func(id func(desiredstate.Key) uint32) { at = id },
		object: func(n int, changed bool) desiredstate.Object {
			return l3.PolicyRoute{Set: set(n), Paths: []l3.Path{{Interface: "transit", NextHop: hop(n, changed)}}}
		},
		message: message,
		change: func(n int, changed bool) []api.Message { // VPP would have both ways
			return []api.Message{message(n, !changed, false), message(n, changed, true)}
		},
		looks: 1, // who has it, which many ask at once
		moves: func(n int) bool { return n%10 == 0 },
		dumps: func(w *wire) []dump {
			var all []*abf.AbfPolicyDetails
			return []dump{dumpOf(w, &abf.AbfPolicyDump{}, &all)}
		},
	}
}
