// SPDX-License-Identifier: Apache-2.0

package nat

import "github.com/vppkit/vppkit/l3/internal/transport"

// Protocol is one with ports, or none, by its IP number. In JSON, and as text, it is its name:
// "icmp", "tcp", "udp" or "".
type Protocol = transport.Protocol

// The protocols of mappings. ICMP has identifiers for ports.
const (
	NoProtocol = transport.None
	ICMP       = transport.ICMP
	TCP        = transport.TCP
	UDP        = transport.UDP
)
