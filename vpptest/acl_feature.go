// SPDX-License-Identifier: Apache-2.0

package vpptest

// aclFeatures are where the acl plugin's features are, by direction: on the way through a
// bridge, and through a router.
var aclFeatures = [2]map[string]string{
	input: {
		"l2-input-ip4": "acl-plugin-in-ip4-l2", "l2-input-ip6": "acl-plugin-in-ip6-l2", "l2-input-nonip": "acl-plugin-in-nonip-l2",
		"ip4-unicast": "acl-plugin-in-ip4-fa", "ip6-unicast": "acl-plugin-in-ip6-fa",
	},
	output: {
		"l2-output-ip4": "acl-plugin-out-ip4-l2", "l2-output-ip6": "acl-plugin-out-ip6-l2", "l2-output-nonip": "acl-plugin-out-nonip-l2",
		"ip4-output": "acl-plugin-out-ip4-fa", "ip6-output": "acl-plugin-out-ip6-fa",
	},
}

// loadFeatures: they are on as long as there is a list, even where it has no effect any
// more; what is not IP is looked at only for a whitelist of ethertypes.
func (f *filters) loadFeatures() {
	for direction, names := range aclFeatures {
		for arc, name := range names {
			f.v.life.features.follow(arc, name, func(i *iface) bool {
				if p := f.port(i); nonIP(arc) {
					return p.nonIP[direction] > 0
				} else {
					return len(p.lists[direction]) > 0
				}
			})
		}
	}
}

// toggled takes note of the arcs that something was turned on or off in.
func (f *filters) toggled(i *iface, direction int) {
	for arc := range aclFeatures[direction] {
		if !nonIP(arc) || len(f.port(i).etypes[direction]) > 0 {
			f.v.life.features.toggled(arc, i)
		}
	}
}

func nonIP(arc string) bool { return arc == "l2-input-nonip" || arc == "l2-output-nonip" }
