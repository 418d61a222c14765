// SPDX-License-Identifier: Apache-2.0

// Package place says where the objects of l3, l3/nat and l3/vrrp stand: on an interface that
// is in a table. It has the names and numbers of both, which interfaces a kind may change, and
// what none may be told. It knows key spaces, not the kinds, so all three can import it.
package place

import (
	"errors"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Scope says which interfaces a kind manages: ours and those in a table of ours, but
// for what is claimed or disclaimed. Such a kind requires l3.Places.
type Scope []vppnet.Claim

// Has says whether the interface with this index is in the scope.
func (s Scope) Has(v *desiredstate.View, id uint32) bool {
	if id == Local0 {
		return false
	}
	name, ours := v.Owned(InterfaceSpace, id)
	if !ours {
		_, ours = v.Owned(MembershipSpace, id)
	}
	return vppnet.Ours(name, ours, s)
}

// Take is the index of an interface that may be changed.
func (s Scope) Take(v *desiredstate.View, name string) (uint32, error) {
	id, err := InterfaceID(v, name)
	if err == nil && !s.Has(v, id) {
		err = fmt.Errorf("%w: interface %s, nor is its table: put it into a table of ours, or claim it, by a vppnet.ClaimInterfaces that the kind is given", desiredstate.ErrForeign, name)
	}
	return id, err
}

// Check says at planning what Take would say later, unless that depends on what is still
// to come: the interface, or its Membership in a table.
func (s Scope) Check(v *desiredstate.View, name, table string) error {
	if _, err := v.ID(MembershipKey(name)); table != "" && err != nil {
		return nil
	}
	_, err := s.Take(v, name)
	if errors.Is(err, desiredstate.ErrMissing) {
		return nil
	}
	return err
}

// All lists the interfaces of a reading that are in the scope.
func (s Scope) All(v *desiredstate.View) (ids []uint32) {
	for i := range desiredstate.All[vppnet.Interface](v) {
		if s.Has(v, i.ID) {
			ids = append(ids, i.ID)
		}
	}
	return ids
}
