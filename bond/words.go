// SPDX-License-Identifier: Apache-2.0

package bond

import (
	"fmt"
	"slices"
	"strings"
)

// Mode is how a bond uses its members. In JSON it is its text. Its value is that of
// bond_mode in VPP's API; 0 is none.
type Mode uint8

// The comments give the text.
const (
	RoundRobin   Mode = iota + 1 // round-robin: frames go out by one after the other
	ActiveBackup                 // active-backup: by the one that comes first, see Member.Weight
	XOR                          // xor: by the one that Balance says; the other end must know by itself
	Broadcast                    // broadcast: by all at once
	LACP                         // lacp: as xor, by those that the other end agrees on (IEEE 802.1AX); needs VPP's plugin lacp
)

var modes = []string{"", "round-robin", "active-backup", "xor", "broadcast", "lacp"}

// String returns VPP's word for it: "active-backup".
func (m Mode) String() string { return text(m, modes) }

// MarshalText is String.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (m *Mode) UnmarshalText(b []byte) error { return parse(m, b, modes) }

// balances says whether the mode looks at a Balance.
func (m Mode) balances() bool { return m == XOR || m == LACP }

// Balance is what of a frame says which member it goes out by. In JSON it is its text.
// Its value is that of bond_lb_algo in VPP's API.
type Balance uint8

// The comments give the text.
const (
	L2  Balance = iota // l2: MAC addresses
	L34                // l34: IP addresses and ports
	L23                // l23: MAC and IP addresses
)

var balances = []string{"l2", "l34", "l23"}

// String returns VPP's word for it: "l34".
func (b Balance) String() string { return text(b, balances) }

// MarshalText is String.
func (b Balance) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (b *Balance) UnmarshalText(t []byte) error { return parse(b, t, balances) }

// LACPState is the state that LACP tells of one end of a link, as on the wire.
type LACPState uint8

// The bits.
const (
	Activity        LACPState = 1 << iota // speaks without being spoken to
	ShortTimeout                          // takes silence of 3 s, not of 90 s, for the end
	Aggregation                           // can be one of several
	Synchronization                       // is in the bond that it should be in
	Collecting                            // takes frames
	Distributing                          // sends frames
	Defaulted                             // has never heard of the other end
	Expired                               // hears no more of the other end
)

var lacpStates = []string{"activity", "short-timeout", "aggregation", "synchronization", "collecting", "distributing", "defaulted", "expired"}

// String returns the names of the bits that are set: "activity,aggregation".
func (s LACPState) String() string {
	var set []string
	for i, name := range lacpStates {
		if s>>i&1 != 0 {
			set = append(set, name)
		}
	}
	return strings.Join(set, ",")
}

func text[T ~uint8](v T, words []string) string {
	if int(v) < len(words) {
		return words[v]
	}
	return fmt.Sprintf("%T(%d)", v, uint8(v))
}

func parse[T ~uint8](v *T, b []byte, words []string) error {
	n := slices.Index(words, string(b))
	if n < 0 {
		return fmt.Errorf("no such %T: %q, want one of %q", *v, b, slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" }))
	}
	*v = T(n)
	return nil
}
