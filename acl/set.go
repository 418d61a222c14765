// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Set is an ordered list of rules (VPP: an ACL), of which the first that fits
// decides. A set without rules fits nothing: bound alone, it drops all.
type Set struct {
	Name  string
	Rules []Rule // at most MaxRules
}

// Equal says whether two are the same.
func (s Set) Equal(o Set) bool { return s.Name == o.Name && slices.Equal(s.Rules, o.Rules) }

// MaxRules is how many rules a set can have. VPP takes more, but dies when it is
// asked for a set that does not fit its message memory, at 350,000; and long
// before, changing a set keeps it from forwarding for seconds.
const MaxRules = 10000

// SetKey is the key of a set. One that is not ours is named by its owner's tag,
// "owner/name", or by VPP's index, "vpp:7".
func SetKey(name string) desiredstate.Key { return desiredstate.Key{Space: "acl", Name: name} }

// Key is SetKey(s.Name).
func (s Set) Key() desiredstate.Key { return SetKey(s.Name) }

// Deps is empty.
func (s Set) Deps() []desiredstate.Key { return nil }

// Validate checks name and rules.
func (s Set) Validate() error {
	if err := vppnet.CheckName(s.Name); err != nil {
		return err
	}
	if len(s.Rules) > MaxRules {
		return fmt.Errorf("%d rules, want at most %d", len(s.Rules), MaxRules)
	}
	for i, r := range s.Rules {
		if err := r.Validate(); err != nil {
			return fmt.Errorf("rule %d (%s): %w", i, r, err)
		}
	}
	return nil
}

// String returns name and rules, one line each.
func (s Set) String() string { return lines(s.Name, s.Rules) }

// same says whether two sets mean, rule by rule, the same.
func (s Set) same(o Set) bool {
	return s.Name == o.Name && slices.EqualFunc(s.Rules, o.Rules, func(a, b Rule) bool { return a.normal() == b.normal() })
}

func lines[R fmt.Stringer](name string, rules []R) string {
	var b strings.Builder
	b.WriteString(name)
	for i, r := range rules {
		fmt.Fprintf(&b, "\n  %d: %s", i, r)
	}
	return b.String()
}
