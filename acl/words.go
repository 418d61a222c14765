// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

var actions = []string{"deny", "permit", "permit+reflect"}

// String returns "deny", "permit" or "permit+reflect".
func (a Action) String() string {
	if int(a) < len(actions) {
		return actions[a]
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// MarshalText is String.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what String writes; "" is "deny".
func (a *Action) UnmarshalText(b []byte) error {
	n := slices.Index(actions, string(b))
	if n < 0 && len(b) > 0 {
		return fmt.Errorf("action %q, want one of %q", b, actions)
	}
	*a = Action(max(n, 0))
	return nil
}

// String returns "ip4", "ip6", or "ip" if the family is not known.
func (f Family) String() string {
	if f == 0 {
		return "ip"
	}
	return fmt.Sprintf("ip%d", uint8(f))
}

var protocols = map[Protocol]string{0: "any", ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMPv6: "icmpv6"}

// String returns "tcp", "udp", "icmp", "icmpv6", "any" or the number.
func (p Protocol) String() string {
	if s, ok := protocols[p]; ok {
		return s
	}
	return strconv.Itoa(int(p))
}

// MarshalText is String.
func (p Protocol) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what String writes, and any number; "" is "any".
func (p *Protocol) UnmarshalText(b []byte) error {
	for n, s := range protocols {
		if s == string(b) {
			*p = n
			return nil
		}
	}
	if len(b) == 0 {
		*p = 0
		return nil
	}
	n, err := strconv.ParseUint(string(b), 10, 8)
	if err != nil {
		return fmt.Errorf("protocol %q: want tcp, udp, icmp, icmpv6, any or a number up to 255", b)
	}
	*p = Protocol(n)
	return nil
}

// TCPFlags is a set of flags, as in the TCP header.
type TCPFlags uint8

// The flags of TCP.
const (
	FIN TCPFlags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

var flagNames = []string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"}

// String returns the flags' names, as in "syn+ack"; "none" if there are none.
func (f TCPFlags) String() string {
	if f == 0 {
		return "none"
	}
	var on []string
	for ; f != 0; f &= f - 1 {
		on = append(on, flagNames[bits.TrailingZeros8(uint8(f))])
	}
	return strings.Join(on, "+")
}

// MarshalText is String.
func (f TCPFlags) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what String writes; "" is "none".
func (f *TCPFlags) UnmarshalText(b []byte) error {
	var sum TCPFlags
	if s := string(b); s != "" && s != "none" {
		for name := range strings.SplitSeq(s, "+") {
			n := slices.Index(flagNames, name)
			if n < 0 {
				return fmt.Errorf("TCP flags %q: %q is none of %q", s, name, flagNames)
			}
			sum |= 1 << n
		}
	}
	*f = sum
	return nil
}
