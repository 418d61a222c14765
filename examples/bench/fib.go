// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// fib is MACs of a bridge domain, behind two ports of it; of ten, one moves.
func fib() *workload {
	var bridge uint32
	var ports [2]uint32
	names := [2]string{"left", "right"}
	at := func(n int, changed bool) int {
		if changed {
			return (n + 1) % 2
		}
		return n % 2
	}
	base := []desiredstate.Object{vppnet.BridgeDomain{Name: "lan"}}
	for _, name := range names {
		base = append(base, vppnet.Loopback{Name: name}, vppnet.BridgePort{Bridge: "lan", Interface: name})
	}
	return &workload{
		name: "fib", most: 1_000_000, base: base,
		kinds: func(c *vppnet.Conn) []desiredstate.AnyKind {
			return []desiredstate.AnyKind{vppnet.Loopbacks(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.FIBEntries(c)}
		},
		numbers: func(id func(desiredstate.Key) uint32) {
			bridge = id(vppnet.BridgeKey("lan"))
			for i, name := range names {
				ports[i] = id(vppnet.InterfaceKey(name))
			}
		},
		object: func(n int, changed bool) desiredstate.Object {
			return vppnet.FIBEntry{Bridge: "lan", MAC: vppnet.MAC(macOf(n)), Interface: names[at(n, changed)]}
		},
		message: func(n int, changed, add bool) api.Message {
			m := &l2.L2fibAddDel{Mac: ethernet_types.MacAddress(macOf(n)), BdID: bridge, IsAdd: add}
			if add {
				m.StaticMac, m.SwIfIndex = true, interface_types.InterfaceIndex(ports[at(n, changed)])
			}
			return m
		},
		moves: func(n int) bool { return n%10 == 0 },
		dumps: func(w *wire) []dump {
			var all []*l2.L2FibTableDetails
			return []dump{dumpOf(w, &l2.L2FibTableDump{BdID: bridge}, &all)}
		},
	}
}

func macOf(n int) [6]byte { return [6]byte{2, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }
