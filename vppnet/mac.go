// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"crypto/sha256"
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
func (m MAC) String() string {
	var text [len("02:00:5e:10:00:01")]byte
	out, _ := m.AppendText(text[:0])
	return string(out)
}

// AppendText appends String.
func (m MAC) AppendText(b []byte) ([]byte, error) {
	const digits = "0123456789abcdef"
	for i, x := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[x>>4], digits[x&15])
	}
	return b, nil
}

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

// MAC is the address that an interface of ours has if its spec leaves it open:
// a locally administered one, made of owner and name. It is the same after VPP
// restarts, so what neighbours have learnt stays true, and it tells an interface
// that lost its maker before it got its tag: its last four bytes are of the name, its
// first two are what the owner makes of those. Hosts that share a network need
// owners, or names, that differ.
func (c *Conn) MAC(name string) MAC {
	sum := sha256.Sum256([]byte(c.owner + ofOwner + name))
	return c.sign(MAC{2: sum[0], 3: sum[1], 4: sum[2], 5: sum[3]})
}

// sign sets the first two bytes to what the owner makes of the others.
func (c *Conn) sign(m MAC) MAC {
	sum := sha256.Sum256(append([]byte(c.owner+"\x00"), m[2:]...))
	m[0], m[1] = sum[0]&^1|2, sum[1]
	if m[0] == 0xde && m[1] == 0xad { // VPP's own are like this
		m[1] = 0xae
	}
	return m
}

// Signed says whether the address is one that Conn.MAC makes.
func (c *Conn) Signed(m MAC) bool { return !m.IsZero() && m == c.sign(m) }

// fillMAC is the address that an interface is to have: what it has, as long as a bond hides that.
func (c *Conn) fillMAC(have, want MAC, hidden bool, name string) MAC {
	if hidden {
		return have
	}
	return c.pick(want, name)
}

// pick is the address that an interface is made with.
func (c *Conn) pick(want MAC, name string) MAC {
	if want.IsZero() {
		return c.MAC(name)
	}
	return want
}
