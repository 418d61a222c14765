// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "context"

// Unavailable stands in for a kind that the target cannot do, such as one of a
// plugin that is not loaded. An engine made of it reads and changes no objects of
// that kind, and refuses those that are wanted with ErrUnavailable and why; what
// depends on them waits, and all else is done.
func Unavailable(k AnyKind, why error) AnyKind { return unavailable{k, why} }

type unavailable struct {
	AnyKind
	why error
}

func (u unavailable) erase() *kind {
	k := u.AnyKind.erase()
	k.unavailable, k.requires = u.why, nil
	k.dump = func(context.Context, *View) ([]actual, error) { return nil, nil }
	return k
}
