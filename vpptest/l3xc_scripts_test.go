// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/l3xc"

	"github.com/vppkit/vppkit/vpptest"
)

var crossings = &l3xc.L3xcDump{SwIfIndex: none}

func crossL3(i index, is6 bool, paths ...fib_types.FibPath) api.Message {
	return &l3xc.L3xcUpdate{L3xc: l3xc.L3xc{SwIfIndex: i, IsIP6: is6, Paths: paths}}
}

func uncrossL3(i index, is6 bool) api.Message { return &l3xc.L3xcDel{SwIfIndex: i, IsIP6: is6} }

func crossFeatures(i index) []vpptest.Step {
	return []vpptest.Step{
		isOn("ip4-unicast", "l3xc-input-ip4", i), isOn("ip6-unicast", "l3xc-input-ip6", i), isOn("ip4-unicast", "ip4-lookup", i), isOn("ip6-unicast", "ip6-lookup", i),
	}
}

var l3xcScripts = []vpptest.Script{
	{Name: "l3xc", About: "L3 cross-connects", Steps: steps(
		do(loopback()), do(loopback()), do(loopback()), do(admin(2, up)), do(crossings), crossFeatures(1),
		do(crossL3(1, false, via(2, "10.0.0.2"))), do(crossings), do(&l3xc.L3xcDump{SwIfIndex: 1}), do(&l3xc.L3xcDump{SwIfIndex: 2}), do(&l3xc.L3xcDump{SwIfIndex: 77}), crossFeatures(1),
		note("another path", crossL3(1, false, via(3, "10.0.0.3"))), do(crossings), do(crossL3(1, true, via(2, "2001:db8::2"))), do(crossings), do(&l3xc.L3xcDump{SwIfIndex: 1}), crossFeatures(1),
		note("several, in an order of VPP's", crossL3(2, false, weighs(via(3, "10.0.0.9"), 3, 0), via(1, "10.0.0.2"), weighs(via(1, "10.0.0.7"), 1, 5))), do(crossings), note("by an interface alone", crossL3(3, false, via(2, ""))), note("looked up", crossL3(3, true, via(none, "2001:db8:1::1"))), do(crossings), do(routes(0, true, srcAll)),
		note("without a path", crossL3(2, true)), do(crossL3(77, false, via(2, "10.0.0.2"))), note("by no interface", crossL3(2, true, via(77, "2001:db8::2"))), note("in no table", crossL3(2, true, inTable(via(none, "2001:db8::2"), 77))), do(crossL3(0, false, via(2, "10.0.0.2"))), do(crossings),
		do(uncrossL3(0, false)), do(uncrossL3(1, false)), note("there is none", uncrossL3(1, false)), do(uncrossL3(77, false)), do(crossings), crossFeatures(1), do(uncrossL3(3, true)), do(routes(0, true, srcAll)), do(uncrossL3(3, false)), do(uncrossL3(2, false)), do(crossings),
	)},
	{Name: "l3xc-gone", About: "a cross-connect outlives its interface, and the next with the index has it, to no effect", Steps: steps(
		do(loopback()), do(loopback()), do(crossL3(1, false, via(2, "10.0.0.2"))), do(unloop(1)), do(crossings), do(loopback()), do(crossings), crossFeatures(1), note("again, to no effect", crossL3(1, false, via(2, "10.0.0.2"))), crossFeatures(1), do(uncrossL3(1, false)), do(crossL3(1, false, via(2, "10.0.0.2"))), crossFeatures(1), do(crossings),
		note("where it leads to goes", unloop(2)), do(crossings), do(uncrossL3(1, false)), do(crossings),
	)},
}
