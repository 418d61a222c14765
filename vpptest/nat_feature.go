// SPDX-License-Identifier: Apache-2.0

package vpptest

// natFeatures are what the roles of interfaces turn on, by plugin: of who is inside,
// outside, or both; and what output takes in both arcs.
var natFeatures = map[string][5]string{
	"nat44-ed": {"nat-pre-in2out", "nat-pre-out2in", "nat44-ed-classify", "nat-pre-out2in", "nat-pre-in2out-output"},
	"nat44-ei": {"nat44-ei-in2out", "nat44-ei-out2in", "nat44-ei-classify", "nat44-ei-out2in", "nat44-ei-in2out-output"},
}

// natIdle are those that it never turns on in a VPP without workers.
var natIdle = map[string]map[string][]string{
	"nat44-ed": {
		"ip4-unicast": {"nat44-ed-in2out", "nat44-ed-out2in", "nat44-out2in-worker-handoff", "nat44-in2out-worker-handoff", "nat44-handoff-classify"},
		"ip4-output":  {"nat44-ed-in2out-output", "nat44-in2out-output-worker-handoff"},
	},
	"nat44-ei": {
		"ip4-unicast": {"nat44-ei-out2in-worker-handoff", "nat44-ei-in2out-worker-handoff", "nat44-ei-handoff-classify"},
		"ip4-output":  {"nat44-ei-in2out-output-worker-handoff"},
	},
}

func (n *nat44) loadFeatures() {
	f, names := n.v.life.features, natFeatures[n.name]
	is := func(inside, outside bool) func(*iface) bool {
		return func(i *iface) bool {
			_, r := n.roleOf(i.index)
			return r != nil && r.inside == inside && r.outside == outside
		}
	}
	output := func(i *iface) bool {
		_, ok := n.outputOf(i.index)
		return ok
	}
	f.follow("ip4-unicast", names[0], is(true, false))
	f.follow("ip4-unicast", names[1], func(i *iface) bool { return is(false, true)(i) || output(i) })
	f.follow("ip4-unicast", names[2], is(true, true))
	f.follow("ip4-output", names[4], output)
	for arc, idle := range natIdle[n.name] {
		for _, name := range idle {
			f.follow(arc, name, func(*iface) bool { return false })
		}
	}
}
