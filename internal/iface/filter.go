// SPDX-License-Identifier: Apache-2.0

package iface

import "github.com/vppkit/vppkit/desiredstate"

// FilterKey is what either a set of MACs or tables of the classifier can have of an interface: the
// places where VPP keeps by which table it filters what comes in. A set takes all three of them
// (IPv4, IPv6, bridged), or has no effect. It is no object's; see desiredstate.Kind.Holds.
func FilterKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "interface-filter", Name: iface}
}
