// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"errors"
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// scope says which interfaces a kind manages: ours and those in a table of ours, but
// for what is claimed or disclaimed.
type scope []vppnet.Claim

// needs are the kinds that a scope reads.
func (s scope) needs(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{vppnet.Interfaces(c), Tables(c), Memberships(c)}
}

func (s scope) has(v *desiredstate.View, id uint32) bool {
	if id == local0 {
		return false
	}
	name, ours := v.Owned(interfaceSpace, id)
	if !ours {
		_, ours = v.Owned(membershipSpace, id)
	}
	return vppnet.Ours(name, ours, s)
}

// take is the index of an interface that may be changed.
func (s scope) take(v *desiredstate.View, name string) (uint32, error) {
	id, err := interfaceID(v, name)
	if err == nil && !s.has(v, id) {
		err = fmt.Errorf("%w: interface %s, nor is its table", desiredstate.ErrForeign, name)
	}
	if err == nil {
		err = vppnet.CheckNoMember(v, name)
	}
	return id, err
}

// check says at planning what take would say later, unless that depends on what is still
// to come: the interface, or its Membership in a table.
func (s scope) check(v *desiredstate.View, name, table string) error {
	if _, err := v.ID(MembershipKey(name)); table != "" && err != nil {
		return nil
	}
	_, err := s.take(v, name)
	if errors.Is(err, desiredstate.ErrMissing) {
		return nil
	}
	return err
}

// all lists the interfaces of a reading that are in the scope.
func (s scope) all(v *desiredstate.View) (ids []uint32) {
	for i := range desiredstate.All[vppnet.Interface](v) {
		if s.has(v, i.ID) {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

const interfaceSpace = "interface"

// interfaceName is what a spec calls the interface with this index. One that has
// gone is known by its number, so that what refers to it can be removed.
func interfaceName(v *desiredstate.View, id uint32) string {
	if name, ok := v.Name(interfaceSpace, id); ok {
		return name
	}
	return vppnet.Foreign(fmt.Sprint(id))
}

// tableOf is the table that a Membership puts an interface into, for a kind that
// reads Memberships.
func tableOf(v *desiredstate.View, id uint32) string {
	m, _ := desiredstate.At[Membership](v, id)
	return m.Spec.Table
}

// inTable are the dependencies of what hangs on an interface's place in a table:
// the interface and, unless that is the default table, its Membership and the table
// itself, whose number is looked up.
func inTable(iface, table string) []desiredstate.Key {
	deps := []desiredstate.Key{vppnet.InterfaceKey(iface)}
	if table != "" {
		deps = append(deps, MembershipKey(iface), TableKey(table))
	}
	return deps
}
