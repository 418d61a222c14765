// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"fmt"
	"net"
)

// MAC is an Ethernet address. In JSON it is a string, "02:00:5e:10:00:01". The
// zero MAC stands for "not set" wherever a spec has one; no interface has it.
type MAC [6]byte

// ParseMAC reads an address in any of the forms that [net.ParseMAC] takes.
func ParseMAC(s string) (MAC, error) {
	b, err := net.ParseMAC(s)
	if err != nil || len(b) != len(MAC{}) {
		return MAC{}, fmt.Errorf("MAC %q: want six bytes, as in 02:00:5e:10:00:01", s)
	}
	return MAC(b), nil
}

// String returns the address as in "02:00:5e:10:00:01".
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// IsZero says whether the address is not set.
func (m MAC) IsZero() bool { return m == MAC{} }

// IsMulticast says whether the address is one of a group, broadcast included.
func (m MAC) IsMulticast() bool { return m[0]&1 != 0 }

// MarshalText is String.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText is ParseMAC; empty text is the zero MAC.
func (m *MAC) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*m = MAC{}
		return nil
	}
	*m, err = ParseMAC(string(b))
	return err
}

// CheckUnicast reports why an interface cannot have the address; the zero MAC
// passes. VPP itself takes any.
func (m MAC) CheckUnicast() error {
	if m.IsMulticast() {
		return fmt.Errorf("MAC %s is a multicast address", m)
	}
	return nil
}
