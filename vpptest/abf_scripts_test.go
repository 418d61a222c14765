// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/abf"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/fib_types"

	"github.com/vppkit/vppkit/vpptest"
)

var (
	policies = &abf.AbfPolicyDump{}
	steered  = &abf.AbfItfAttachDump{}
)

func policy(add bool, id, set uint32, paths ...fib_types.FibPath) api.Message {
	return &abf.AbfPolicyAddDel{IsAdd: add, Policy: abf.AbfPolicy{PolicyID: id, ACLIndex: set, NPaths: uint8(len(paths)), Paths: paths}}
}

func steer(add bool, id uint32, i index, priority uint32, is6 bool) api.Message {
	return &abf.AbfItfAttachAddDel{IsAdd: add, Attach: abf.AbfItfAttach{PolicyID: id, SwIfIndex: i, Priority: priority, IsIPv6: is6}}
}

func steerFeatures(i index) []vpptest.Step {
	return []vpptest.Step{
		isOn("ip4-unicast", "abf-input-ip4", i), isOn("ip6-unicast", "abf-input-ip6", i), isOn("ip4-unicast", "ip4-lookup", i), isOn("ip6-unicast", "ip6-lookup", i),
	}
}

func permitAll(tag string) api.Message {
	return &acl.ACLAddReplace{ACLIndex: none, Tag: tag, Count: 1, R: []acl_types.ACLRule{{IsPermit: acl_types.ACL_ACTION_API_PERMIT}}}
}

var abfScripts = []vpptest.Script{
	{Name: "abf", About: "policy routes, and what sends by them", Steps: steps(
		do(loopback()), do(loopback()), do(loopback()), do(admin(2, up)), do(policies), do(steered), do(permitAll("a")), do(permitAll("b")),
		do(policy(true, 7, 0, via(2, "10.0.0.2"))), do(policies), note("another path", policy(true, 7, 0, via(2, "10.0.0.3"))), do(policies),
		note("in another order", policy(true, 7, 0, via(1, "10.0.0.1"))), do(policies), note("it goes", policy(false, 7, 0, via(1, "10.0.0.1"))), do(policies), note("of another set", policy(true, 7, 1, via(2, "10.0.0.9"))), note("no paths", policy(true, 8, 0)), note("no set", policy(true, 8, 99, via(3, "10.0.0.8"))), do(policies),
		note("by no interface", policy(true, 9, 0, via(77, "10.0.0.2"))), note("in no table", policy(true, 9, 0, inTable(via(none, "10.0.0.2"), 77))), do(policies),
		note("several", policy(true, 10, 1, via(2, "2001:db8::2"), weighs(via(3, "2001:db8::3"), 2, 1), via(none, "2001:db8::4"))), do(policies), do(routes(0, true, srcAll)),
		steerFeatures(1), do(steer(true, 7, 1, 5, false)), do(steered), steerFeatures(1), note("again", steer(true, 7, 1, 6, false)), note("of the other family", steer(true, 7, 1, 6, true)), do(steer(true, 10, 1, 3, true)), do(steer(true, 7, 2, 0, false)), do(steered), steerFeatures(1),
		note("not there", steer(false, 8, 1, 0, false)), note("no such policy", steer(false, 99, 1, 0, false)), note("no such interface", steer(false, 7, 77, 0, false)), note("the set goes", &acl.ACLDel{ACLIndex: 0}),
		note("a path that is not there", policy(false, 7, 0, via(2, "10.0.0.77"))), do(policies), note("one goes", policy(false, 7, 0, via(2, "10.0.0.2"))), do(policies),
		do(steer(false, 7, 1, 0, false)), do(steered), steerFeatures(1), do(steer(false, 7, 2, 0, false)), do(steer(false, 10, 1, 0, true)), do(steered), steerFeatures(1),
		note("without paths", policy(false, 7, 0)), note("the set does not matter", policy(false, 7, 5, via(2, "10.0.0.3"))), do(policies), note("all at once", policy(false, 10, 1, via(none, "2001:db8::4"), via(2, "2001:db8::2"), weighs(via(3, "2001:db8::3"), 2, 1))), do(policies), note("gone", policy(false, 10, 1, via(2, "10.0.0.3"))),
		do(policy(false, 8, 99, via(3, "10.0.0.8"))), do(policies), do(routes(0, true, srcAll)), do(&acl.ACLDel{ACLIndex: 0}),
	)},
	{Name: "abf-gone", About: "what sends by policies outlives its interface, and the next with the index has it, to no effect", Steps: steps(
		do(loopback()), do(loopback()), do(permitAll("a")), do(permitAll("b")), do(policy(true, 7, 0, via(2, "10.0.0.2"))), do(policy(true, 8, 1, via(2, "10.0.0.2"))), do(steer(true, 7, 1, 0, false)), do(steer(true, 8, 1, 0, false)),
		do(unloop(1)), do(steered), do(loopback()), do(steered), steerFeatures(1), do(steer(false, 7, 1, 0, false)), do(steer(true, 7, 1, 0, false)), note("one was left", steer(false, 7, 1, 0, false)), do(steer(false, 8, 1, 0, false)), do(steer(true, 7, 1, 0, false)), steerFeatures(1),
		note("gone, and then taken away", unloop(1)), do(steer(false, 7, 1, 0, false)), do(steered), do(loopback()), do(steer(true, 7, 1, 0, false)), steerFeatures(1), do(steer(false, 7, 1, 0, false)), steerFeatures(1),
		note("where it leads to goes", unloop(2)), do(policies), note("that path is taken away", policy(false, 7, 0, via(2, "10.0.0.2"))), do(policies),
	)},
}
