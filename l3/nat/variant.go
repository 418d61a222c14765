// SPDX-License-Identifier: Apache-2.0

package nat

// Variant is one of the two NAT44 plugins of VPP. All NAT kinds of an engine
// are of one variant; the objects are the same for both.
//
// What differs: endpoint-dependent NAT gives a port of an address to many sessions
// that lead to different hosts, has twice-NAT, and drops TCP that it has not seen
// begin. So when a router fails over to another VPP, every TCP connection through
// it breaks, those of floating IPs included. Endpoint-independent NAT has one port
// for each session of a host, no twice-NAT, and takes up TCP anywhere: connections
// of floating IPs outlive a failover, those of shared addresses do not. It wants
// the external address of a mapping of ports in the pool. And hosts inside do not
// reach each other by their floating IPs (hairpinning): VPP 25.10 means to do that,
// but has such packets by-pass the node that would.
type Variant uint8

// The variants.
const (
	EndpointDependent   Variant = iota // plugin nat, nat44_ed_* and nat44_*
	EndpointIndependent                // plugin nat44_ei, nat44_ei_*
)

// String returns "endpoint-dependent" or "endpoint-independent".
func (n Variant) String() string {
	if n == EndpointIndependent {
		return "endpoint-independent"
	}
	return "endpoint-dependent"
}
