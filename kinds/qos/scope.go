// SPDX-License-Identifier: Apache-2.0

package qos

import (
	"fmt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// scope is the interfaces that a kind with these claims puts something on.
type scope []vppnet.Claim

// take is the handle of an interface that is ours, or claimed, and has frames of its own.
func (s scope) take(v *desiredstate.View, iface string) (uint32, error) {
	id, err := v.ID(vppnet.InterfaceKey(iface))
	if err != nil {
		return 0, err
	}
	if !s.has(v, id) {
		return 0, fmt.Errorf("%w: interface %s is not claimed", desiredstate.ErrForeign, iface)
	}
	return id, vppnet.CheckNoMember(v, iface)
}

// check is take, of an interface that may be still to come.
func (s scope) check(v *desiredstate.View, iface string) error {
	if id, err := v.ID(vppnet.InterfaceKey(iface)); err == nil && !s.has(v, id) {
		return fmt.Errorf("%w: interface %s is not claimed", desiredstate.ErrForeign, iface)
	}
	return nil
}

func (s scope) has(v *desiredstate.View, id uint32) bool {
	name, ours := v.Owned(vppnet.InterfaceKey("").Space, id)
	return name != "" && vppnet.Ours(name, ours, s)
}
