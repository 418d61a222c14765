// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.fd.io/govpp/binapi/feature"
)

//go:embed features.txt
var featuresText string

// allFeatures are parsed once, by arc.
var allFeatures = sync.OnceValue(func() map[string][]string {
	all := make(map[string][]string)
	for line := range strings.Lines(featuresText) {
		if arc, names, ok := strings.Cut(line, ":"); ok && line[0] != '#' {
			all[arc] = strings.Fields(names)
		}
	}
	return all
})

// features are what packets pass on their way, by arc and name.
type features struct {
	v     *VPP
	on    map[string]map[string]func(*iface) bool  // those whose state is known
	turn  map[string]map[string]func(*iface, bool) // those that a client turns on and off by name
	reach map[string]uint32                        // by arc, the first interface index beyond all that something was set for
}

// everywhere are the arcs in which VPP sets something for each interface.
var everywhere = []string{"ip4-unicast", "ip6-unicast", "ip4-multicast", "ip6-multicast", "mpls-input"}

// neverOn are features that no message of ours turns on.
var neverOn = map[string][]string{
	"ip4-unicast": {
		"abf-input-ip4", "l3xc-input-ip4", "nat64-out2in",
		"ip4-rx-urpf-loose", "ip4-rx-urpf-strict", "ip4-lookup",
	},
	"ip6-unicast":  {"abf-input-ip6", "l3xc-input-ip6", "nat64-in2out", "ip6-rx-urpf-loose", "ip6-rx-urpf-strict", "ip6-lookup"},
	"ip4-output":   {"interface-output"},
	"mpls-output":  {"interface-output"},
	"mpls-input":   {"mpls-lookup"},
	"arp":          {"error-drop"},
	"device-input": {"ethernet-input"},
	"ip6-output":   {"interface-output"},
	"ip6-local":    {"ip6-local-end-of-arc"},
}

func loadFeatures(v *VPP) {
	f := &features{v: v, on: make(map[string]map[string]func(*iface) bool), turn: make(map[string]map[string]func(*iface, bool)), reach: make(map[string]uint32)}
	v.life.features = f
	for arc, names := range neverOn {
		for _, name := range names {
			f.follow(arc, name, func(*iface) bool { return false })
		}
	}
	Handle(v, f.isEnabled)
	Handle(v, f.enable)
}

// follow says how to know whether a feature is on.
func (f *features) follow(arc, name string, on func(*iface) bool) {
	if f.on[arc] == nil {
		f.on[arc] = make(map[string]func(*iface) bool)
	}
	f.on[arc][name] = on
}

// toggle says how to turn a feature on and off by its name.
func (f *features) toggle(arc, name string, turn func(i *iface, on bool)) {
	if f.turn[arc] == nil {
		f.turn[arc] = make(map[string]func(*iface, bool))
	}
	f.turn[arc][name] = turn
}

// enable turns a feature on, once more if it was, or off.
func (f *features) enable(c *Call, q *feature.FeatureEnableDisable) *feature.FeatureEnableDisableReply {
	i := f.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		return &feature.FeatureEnableDisableReply{Retval: invalidInterface}
	}
	if !f.has(q.ArcName, q.FeatureName) {
		return &feature.FeatureEnableDisableReply{Retval: invalidValue}
	}
	turn := f.turn[q.ArcName][q.FeatureName]
	if turn == nil {
		return &feature.FeatureEnableDisableReply{Retval: c.NotImitated(fmt.Sprintf("turning feature %q of arc %q", q.FeatureName, q.ArcName))}
	}
	turn(i, q.Enable)
	return &feature.FeatureEnableDisableReply{}
}

// toggled takes note that something was turned on or off in an arc.
func (f *features) toggled(arc string, i *iface) { f.toggledAt(arc, i.index) }

func (f *features) toggledAt(arc string, index uint32) { f.reach[arc] = max(f.reach[arc], index+1) }

// isEnabled says yes where VPP takes its own error for that: to arcs and features that
// it does not have, and to an interface beyond all that anything was ever set for.
func (f *features) isEnabled(c *Call, q *feature.FeatureIsEnabled) *feature.FeatureIsEnabledReply {
	i := f.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		return &feature.FeatureIsEnabledReply{Retval: invalidInterface}
	}
	if i.hw.class == gpeClass || i.hw.class == gpeL2Class {
		return &feature.FeatureIsEnabledReply{Retval: c.NotImitated("features of an overlay's own interface")}
	}
	if !f.has(q.ArcName, q.FeatureName) || i.index >= f.reach[q.ArcName] && !slices.Contains(everywhere, q.ArcName) {
		return &feature.FeatureIsEnabledReply{IsEnabled: true}
	}
	on := f.on[q.ArcName][q.FeatureName]
	if on == nil {
		return &feature.FeatureIsEnabledReply{Retval: c.NotImitated(fmt.Sprintf("feature %q of arc %q", q.FeatureName, q.ArcName))}
	}
	return &feature.FeatureIsEnabledReply{IsEnabled: on(i)}
}

// has tells whether this VPP has the feature. Those of plugins that we imitate are
// followed, or the plugin is missing.
func (f *features) has(arc, name string) bool {
	if strings.HasPrefix(name, "acl-plugin-") || strings.HasPrefix(name, "nat44-") || strings.HasPrefix(name, "nat-pre-") {
		return f.on[arc][name] != nil
	}
	return slices.Contains(allFeatures()[arc], name)
}
