// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"cmp"
	"fmt"
	"reflect"
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
// struct, used by value, that no one changes once it was handed over. It has no
// fields of interface, function or channel types: what they hold cannot be compared,
// read from JSON, or shown.
//
// Objects are compared by == or, if they have slices or maps, by reflect.DeepEqual. A type of
// which there are very many may have a method Equal(S) bool that says the same, faster.
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

	// Covered: something else hides a part of it (Kind.Covers), so what Spec says of that part
	// means nothing and Fill compares nothing of it. Dump says so if it sees it; the engine also
	// knows by what was made since.
	Covered bool

	// Broken: it is there as Spec says and does not work: why, in a few words. It is changed
	// or replaced although nothing of Spec differs. Empty: it works.
	Broken string

	// Note is what the kind has found beside Spec and needs to know later, such as the
	// target's default of a number; it is plain data. An object that is changed keeps it
	// until it is read again; one that was just made has none.
	Note any
}

var errNil = fmt.Errorf("%w: the object is nil", ErrInvalid)

// isNil says so of a nil pointer in an interface, too.
func isNil(x any) bool {
	v := reflect.ValueOf(x)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// plain says why values of a type are not plain data.
func plain(t reflect.Type) error {
	seen := map[reflect.Type]bool{}
	var look func(t reflect.Type, at string) error
	look = func(t reflect.Type, at string) error {
		if seen[t] {
			return nil
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
			return fmt.Errorf("%w: %s is %s, want plain data", ErrInvalid, at, t)
		case reflect.Struct:
			for i := range t.NumField() {
				f := t.Field(i)
				if err := look(f.Type, at+"."+f.Name); err != nil {
					return err
				}
			}
		case reflect.Map:
			if err := look(t.Key(), at+"[]"); err != nil {
				return err
			}
			return look(t.Elem(), at+"[]")
		case reflect.Pointer, reflect.Slice, reflect.Array:
			return look(t.Elem(), at)
		}
		return nil
	}
	return look(t, t.String())
}
