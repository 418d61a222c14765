// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// MACIPRule says what becomes of the packets that come with a source MAC and
// IP address. One for IPv4 is about ARP too: there the sender's addresses inside
// have to fit as well. Rules are comparable.
type MACIPRule struct {
	Action Action // Deny or Permit

	// MAC fits if it is the source's, in the bits of Mask. The zero Mask: all bits,
	// or, if MAC is zero as well, none, so any address fits.
	MAC, Mask vppnet.MAC

	Family Family       // can be left out if Src tells it
	Src    netip.Prefix // without host bits; zero: any address of the family
}

// MACIPSet lists which source addresses may come in. What fits no rule is
// dropped, whatever its ethertype.
//
// VPP does not go through the rules in their order: it looks first where most
// rules have the same mask and length. Validate refuses rules that contradict each
// other where that would make a difference. Without deny rules there is none.
type MACIPSet struct {
	Name  string
	Rules []MACIPRule // 1 to MaxMACIPRules: a set without rules would let all pass
}

// Equal says whether two are the same.
func (s MACIPSet) Equal(o MACIPSet) bool { return s.Name == o.Name && slices.Equal(s.Rules, o.Rules) }

// MaxMACIPRules is how many rules a MACIP set can have. VPP takes more, but dies
// when what they fill, 8 MB a table, is not enough: at some 12,000 in one table.
const MaxMACIPRules = 1000

// MACIPKey is the key of a MACIP set. One that is not ours is named by its owner's
// tag, "owner/name", or by VPP's index, "vpp:7".
func MACIPKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: "macip-acl", Name: name}
}

// Key is MACIPKey(s.Name).
func (s MACIPSet) Key() desiredstate.Key { return MACIPKey(s.Name) }

// Deps is empty.
func (s MACIPSet) Deps() []desiredstate.Key { return nil }

var allBits = vppnet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// mask returns the bits of MAC that count.
func (r MACIPRule) mask() vppnet.MAC {
	if r.Mask.IsZero() && !r.MAC.IsZero() {
		return allBits
	}
	return r.Mask
}

func (r MACIPRule) family() Family { return familyOf(r.Family, r.Src) }

// normal returns the one rule of all that mean the same that a dump yields.
func (r MACIPRule) normal() MACIPRule {
	r.Family, r.Src = r.family(), noAny(r.Src)
	if r.Mask == allBits && !r.MAC.IsZero() {
		r.Mask = vppnet.MAC{}
	}
	return r
}

// Validate refuses what VPP would take but mean otherwise.
func (r MACIPRule) Validate() error {
	if r.Action > Permit {
		return fmt.Errorf("%s, want deny or permit: sources have no sessions", r.Action)
	}
	if err := checkFamily(r.family(), r.Src); err != nil {
		return err
	}
	if m := r.mask(); and(r.MAC, m) != r.MAC {
		return fmt.Errorf("MAC %s has bits beyond its mask %s", r.MAC, m)
	}
	if r.MAC.IsMulticast() {
		return fmt.Errorf("MAC %s: a group's address is no source", r.MAC)
	}
	return nil
}

func and(a, b vppnet.MAC) vppnet.MAC {
	for i := range a {
		a[i] &= b[i]
	}
	return a
}

// String returns the rule in one line: "permit ip4 from 10.0.0.1/32 at
// 02:00:00:00:00:01", with "/mask" if not all of the MAC counts.
func (r MACIPRule) String() string {
	at := r.MAC.String()
	switch m := r.mask(); {
	case m.IsZero():
		at = "any"
	case m != allBits:
		at += "/" + m.String()
	}
	return fmt.Sprintf("%s %s from %s at %s", r.Action, r.family(), orAny(r.Src), at)
}

// Validate checks name and rules.
func (s MACIPSet) Validate() error {
	if err := vppnet.CheckName(s.Name); err != nil {
		return err
	}
	if n := len(s.Rules); n == 0 || n > MaxMACIPRules {
		return fmt.Errorf("%d rules, want 1 to %d", n, MaxMACIPRules)
	}
	for i, r := range s.Rules {
		if err := r.Validate(); err != nil {
			return fmt.Errorf("rule %d (%s): %w", i, r, err)
		}
	}
	return s.checkOrder()
}

// String returns name and rules, one line each.
func (s MACIPSet) String() string { return lines(s.Name, s.Rules) }

func (s MACIPSet) same(o MACIPSet) bool {
	return s.Name == o.Name && slices.EqualFunc(s.Rules, o.Rules, func(a, b MACIPRule) bool { return a.normal() == b.normal() })
}
