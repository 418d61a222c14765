// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "fmt"

// Action is what a plan does about one object; its value is its printed sign.
type Action rune

// The comments complete the sentence "the object is …".
const (
	Keep    Action = '=' // there, as wanted
	Create  Action = '+' // made
	Update  Action = '~' // changed in place
	Replace Action = '±' // unmade, then made as wanted
	Delete  Action = '-' // unmade
	Block   Action = '?' // not touched: the step's Err says why
)

// String returns the sign.
func (a Action) String() string { return string(rune(a)) }

// MarshalText returns the action's name: "create", "update" …
func (a Action) MarshalText() ([]byte, error) { return []byte(a.verb()), nil }

// UnmarshalText is the inverse of MarshalText.
func (a *Action) UnmarshalText(b []byte) error {
	for _, x := range []Action{Keep, Create, Update, Replace, Delete, Block} {
		if x.verb() == string(b) {
			*a = x
			return nil
		}
	}
	return fmt.Errorf("no such action: %q", b)
}

func (a Action) verb() string {
	switch a {
	case Keep:
		return "keep"
	case Create:
		return "create"
	case Update:
		return "update"
	case Replace:
		return "replace"
	case Delete:
		return "delete"
	}
	return "blocked"
}
