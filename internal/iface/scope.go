// SPDX-License-Identifier: Apache-2.0

// Package iface is what kinds that put something on interfaces have in common: which
// interfaces they may, and which of VPP's features are on there.
package iface

import (
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Scope is the interfaces that a kind with these claims puts something on.
type Scope []vppnet.Claim

// Take is the handle of an interface that is ours, or claimed.
func (s Scope) Take(v *desiredstate.View, iface string) (uint32, error) {
	id, err := v.ID(vppnet.InterfaceKey(iface))
	if err == nil {
		err = s.Check(v, iface)
	}
	return id, err
}

// Check says whether an interface, which may be still to come, is not ours to use. VPP dies of
// a DHCP client on an overlay's own.
func (s Scope) Check(v *desiredstate.View, iface string) error {
	id, err := v.ID(vppnet.InterfaceKey(iface))
	if err != nil {
		return nil //nolint:nilerr // it is still to come
	}
	if !s.has(v, id) {
		return fmt.Errorf("%w: interface %s is not claimed: name one of ours, or give the kind a vppnet.ClaimInterfaces of it", desiredstate.ErrForeign, iface)
	}
	return vppnet.CheckNoOverlay(v, id, iface)
}

func (s Scope) has(v *desiredstate.View, id uint32) bool {
	name, ours := v.Owned(vppnet.InterfaceKey("").Space, id)
	return name != "" && vppnet.Ours(name, ours, s)
}

// Has says whether something on an interface that was found is the kind's business.
func (s Scope) Has(i desiredstate.Actual[vppnet.Interface]) bool {
	return vppnet.Ours(i.Spec.Name, !i.Foreign, s)
}

// All are the interfaces of this reading that the kind has to do with, and their handles.
func (s Scope) All(v *desiredstate.View) (all []desiredstate.Actual[vppnet.Interface], ids []uint32) {
	for i := range desiredstate.All[vppnet.Interface](v) {
		if s.Has(i) {
			all, ids = append(all, i), append(ids, i.ID)
		}
	}
	return all, ids
}
