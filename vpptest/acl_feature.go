// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	"go.fd.io/govpp/binapi/feature"
)

// arcsOf is where the acl plugin's features are, by direction: on the way through a
// bridge, and through a router.
var arcsOf = [2]map[string]string{
	input: {
		"l2-input-ip4": "acl-plugin-in-ip4-l2", "l2-input-ip6": "acl-plugin-in-ip6-l2", "l2-input-nonip": "acl-plugin-in-nonip-l2",
		"ip4-unicast": "acl-plugin-in-ip4-fa", "ip6-unicast": "acl-plugin-in-ip6-fa",
	},
	output: {
		"l2-output-ip4": "acl-plugin-out-ip4-l2", "l2-output-ip6": "acl-plugin-out-ip6-l2", "l2-output-nonip": "acl-plugin-out-nonip-l2",
		"ip4-output": "acl-plugin-out-ip4-fa", "ip6-output": "acl-plugin-out-ip6-fa",
	},
}

// isEnabled knows the features of this plugin only. They are on as long as there is a
// list, even where it has no effect any more.
func (f *filters) isEnabled(c *Call, q *feature.FeatureIsEnabled) *feature.FeatureIsEnabledReply {
	i := f.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		return &feature.FeatureIsEnabledReply{Retval: invalidInterface}
	}
	for direction, arcs := range arcsOf {
		if name := arcs[q.ArcName]; name != "" && name == q.FeatureName {
			return &feature.FeatureIsEnabledReply{IsEnabled: f.on(i, direction, q.ArcName)}
		}
	}
	return &feature.FeatureIsEnabledReply{Retval: c.NotImitated(fmt.Sprintf("feature %q of arc %q", q.FeatureName, q.ArcName))}
}

// toggled takes note of the arcs that something was turned on or off in.
func (f *filters) toggled(i *iface, direction int) {
	for arc := range arcsOf[direction] {
		if !nonIP(arc) || len(f.port(i).etypes[direction]) > 0 {
			f.reach[arc] = max(f.reach[arc], i.index+1)
		}
	}
}

func nonIP(arc string) bool { return arc == "l2-input-nonip" || arc == "l2-output-nonip" }

// on answers yes for an interface beyond all that anything was ever turned on for in the
// arc: VPP takes its own error for that. In those of a router's input there is something
// for each interface.
func (f *filters) on(i *iface, direction int, arc string) bool {
	if i.index >= f.reach[arc] && arc != "ip4-unicast" && arc != "ip6-unicast" {
		return true
	}
	p := f.port(i)
	if nonIP(arc) { // only for a whitelist of ethertypes
		return len(p.lists[direction]) > 0 && len(p.etypes[direction]) > 0
	}
	return len(p.lists[direction]) > 0
}
