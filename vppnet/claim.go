// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
)

// A Claim moves the line between what a kind manages and what it leaves alone, which
// otherwise is whether a thing in VPP carries our tag, or hangs on something that
// does. Of several, the first that accepts a name decides.
type Claim struct {
	accepts func(name string) bool
	ours    bool
	id      *byte
}

// Claims returns a Claim of the things whose names f accepts.
func Claims(f func(name string) bool) Claim { return Claim{f, true, new(byte)} }

// ClaimInterfaces claims the interfaces whose names f accepts, such as the
// machine's own "GigabitEthernet0/8/0". Nobody else may manage them.
func ClaimInterfaces(f func(name string) bool) Claim { return Claims(f) }

// DisclaimInterfaces says that a kind has nothing to do with the interfaces whose
// names f accepts, though they are ours. Where VPP can only be asked interface by
// interface, it is not asked about them: ports of VMs have no addresses.
func DisclaimInterfaces(f func(name string) bool) Claim { return Claim{f, false, new(byte)} }

// Variant is what a kind with claims has as its Kind.Variant: kinds with the same Claims,
// made once and kept, are the same.
func Variant(claims ...Claim) any {
	if len(claims) == 0 {
		return nil
	}
	var ids strings.Builder
	for _, c := range claims {
		fmt.Fprintf(&ids, "claim %p ", c.id)
	}
	return ids.String()
}

// Ours says whether a kind with these claims manages what has this name, if without
// them it would be ours or not.
func Ours(name string, ours bool, claims []Claim) bool {
	for _, c := range claims {
		if c.accepts(name) {
			return c.ours
		}
	}
	return ours
}

// CheckOurs is a Kind.Check of what joins several things, of which one has to be ours. What is still
// to come is: nobody else's can be made. The error is desiredstate.ErrForeign, and names what
// there is to choose from.
func CheckOurs(v *desiredstate.View, what string, keys ...desiredstate.Key) error {
	for _, k := range keys {
		id, err := v.ID(k)
		if err != nil {
			return nil //nolint:nilerr // it is still to come
		}
		if _, ours := v.Owned(k.Space, id); ours {
			return nil
		}
	}
	advice := "name one of ours"
	if slices.ContainsFunc(keys, func(k desiredstate.Key) bool { return k.Space == InterfaceKey("").Space }) {
		advice += ", or adopt an interface (Engine.Adopt)"
	}
	return fmt.Errorf("%w: %s: %s", desiredstate.ErrForeign, what, advice)
}
