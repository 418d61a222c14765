// SPDX-License-Identifier: Apache-2.0

// Package transport names the protocols that NAT tells hosts' ports by.
package transport

import (
	"fmt"
	"strings"
)

// Protocol is one with ports, or none. In JSON it is its name.
type Protocol uint8

// The protocols of mappings, by their IP numbers. ICMP has identifiers for ports.
const (
	None Protocol = 0
	ICMP Protocol = 1
	TCP  Protocol = 6
	UDP  Protocol = 17
)

var protocolNames = map[Protocol]string{None: "", ICMP: "icmp", TCP: "tcp", UDP: "udp"}

// String returns "icmp", "tcp", "udp" or "".
func (p Protocol) String() string {
	if s, ok := protocolNames[p]; ok {
		return s
	}
	return fmt.Sprintf("%d", uint8(p))
}

// MarshalText is String.
func (p Protocol) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what String writes of a protocol of mappings.
func (p *Protocol) UnmarshalText(b []byte) error {
	for known, name := range protocolNames {
		if name == strings.ToLower(string(b)) {
			*p = known
			return nil
		}
	}
	return fmt.Errorf("protocol %q: want icmp, tcp, udp, or nothing", b)
}

// Check reports a number that is none of these.
func (p Protocol) Check() error {
	if _, ok := protocolNames[p]; !ok {
		return fmt.Errorf("protocol %v: want ICMP, TCP, UDP, or none", p)
	}
	return nil
}
