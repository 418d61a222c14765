// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"cmp"
	"strings"
)

// Key names an object. Several kinds may share a Space: a vhost-user port and
// a loopback are both found in "interface", so whatever refers to an interface
// need not know which it is, and no two of them can have one name.
type Key struct {
	Space string `json:"space"`
	Name  string `json:"name"`
}

// String returns "space/name".
func (k Key) String() string { return k.Space + "/" + k.Name }

// Compare orders keys by space, then by name.
func (k Key) Compare(o Key) int {
	return cmp.Or(strings.Compare(k.Space, o.Space), strings.Compare(k.Name, o.Name))
}

// Object is a wanted thing: plain data and three pure methods. Its type is a
// struct, used by value, that no one changes once it was handed over.
type Object interface {
	// Key names the object.
	Key() Key

	// Deps lists what must exist before the object and must outlive it.
	Deps() []Key

	// Validate reports what is wrong with the object by itself. Its error is
	// final: the object is not tried again until it changes.
	Validate() error
}

// Actual is an object found in the target.
type Actual[S Object] struct {
	Spec    S
	ID      uint32 // the target's handle of it
	Foreign bool   // not ours: may be referred to, is never changed

	// Leftover: ours, and nobody can want it by its name, such as what a crash left
	// unfinished, or a second object of one name. It goes when what is not wanted
	// goes, and makes way for what is wanted.
	Leftover bool
}
