// SPDX-License-Identifier: Apache-2.0

// Package place says where the objects of l3, l3/nat and l3/vrrp stand: on an interface that
// is in a table. It has the names and numbers of both, which interfaces a kind may change, and
// what none may be told. It knows key spaces, not the kinds, so all three can import it.
package place

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Scope says which interfaces a kind manages: ours and those in a table of ours, but
// for what is claimed or disclaimed. Such a kind requires l3.Places.
type Scope []vppnet.Claim

// wherever says whether the interface with this index is in the scope whatever table it is in.
func (s Scope) wherever(v *desiredstate.View, id uint32) bool {
	name, ours := v.Owned(InterfaceSpace, id)
	return id != Local0 && vppnet.Ours(name, ours, s)
}

// Has says whether the interface with this index is in the scope, by one family at least.
func (s Scope) Has(v *desiredstate.View, id uint32) bool {
	name, ours := v.Owned(InterfaceSpace, id)
	if !ours {
		_, ours = v.Owned(MembershipSpace, id)
	}
	return id != Local0 && vppnet.Ours(name, ours, s)
}

// In is Has, of the family in which the interface is in this table: one that is ours for its
// table alone may be in ours by one family, and its owner's by the other.
func (s Scope) In(v *desiredstate.View, id uint32, table string) bool {
	if s.wherever(v, id) {
		return true
	}
	t, err := v.ID(TableKey(table))
	_, ours := v.Owned(TableSpace, t)
	return err == nil && ours && s.Has(v, id)
}

// Take is the index of an interface that may be changed, in one family at least.
func (s Scope) Take(v *desiredstate.View, name string) (uint32, error) {
	id, err := InterfaceID(v, name)
	if err == nil && !s.Has(v, id) {
		err = ErrNotOurs(name)
	}
	return id, err
}

// TakeIn is Take, of the family in which the interface is to be in this table.
func (s Scope) TakeIn(v *desiredstate.View, name, table string) (uint32, error) {
	id, err := s.Take(v, name)
	if err == nil {
		_, err = TableID(v, table)
	}
	if err == nil && !s.In(v, id, table) {
		err = ErrNotOurs(name)
	}
	return id, err
}

// ErrNotOurs is of what is to be on an interface that a kind may not change, or not in the family.
func ErrNotOurs(name string) error {
	return fmt.Errorf("%w: interface %s, nor is its table: put it into a table of ours, or claim it, by a vppnet.ClaimInterfaces that the kind is given", desiredstate.ErrForeign, name)
}

// Deps are what is on an interface, and names no table, depends on: of somebody else's that is not claimed, on its
// Membership, which alone makes it ours.
func (s Scope) Deps(iface string) []desiredstate.Key {
	others := strings.Contains(iface, "/") || strings.HasPrefix(iface, vppnet.Foreign(""))
	if vppnet.Ours(iface, !others, s) {
		return nil
	}
	return []desiredstate.Key{MembershipKey(iface)}
}

// Check says at planning what Take would say later, unless that depends on what is still to
// come: the interface, or its Membership, if there will be one.
func (s Scope) Check(v *desiredstate.View, name string) error {
	if _, err := v.ID(MembershipKey(name)); err != nil && v.Known(MembershipKey(name)) != nil {
		return nil
	}
	_, err := s.Take(v, name)
	return later(err)
}

// CheckIn says at planning what Placed would say later, unless that depends on what is still
// to come: the interface, or its Membership in a table.
func (s Scope) CheckIn(v *desiredstate.View, name, table string) error {
	if _, err := v.ID(MembershipKey(name)); table != "" && err != nil {
		return nil
	}
	_, err := s.TakeIn(v, name, table)
	return later(err)
}

// later is err, but for what is still to come.
func later(err error) error {
	if errors.Is(err, desiredstate.ErrMissing) {
		return nil
	}
	return err
}
