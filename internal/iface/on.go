// SPDX-License-Identifier: Apache-2.0

package iface

import (
	"context"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// On completes a kind of what is put on interfaces that are in a scope, and returns it: objects
// whose first dependency is their interface, and whose handle is the interface's. put does it.
// Others' interfaces and members of bonds are refused at planning.
func On[S desiredstate.Object](c *vppnet.Conn, scope Scope, k *desiredstate.Kind[S],
	put func(ctx context.Context, v *desiredstate.View, id uint32, want S) error,
) *desiredstate.Kind[S] {
	k.Shares = func(x S) []desiredstate.Key { return vppnet.UseKeys(x.Deps()[0].Name) }
	return OnDevice(c, scope, k, put)
}

// OnDevice is On for what a device has below all that a bond takes of it: members of bonds have
// it too.
func OnDevice[S desiredstate.Object](c *vppnet.Conn, scope Scope, k *desiredstate.Kind[S],
	put func(ctx context.Context, v *desiredstate.View, id uint32, want S) error,
) *desiredstate.Kind[S] {
	k.Target, k.Variant = c.Target(), vppnet.Variant(scope...)
	k.Requires = append([]desiredstate.AnyKind{vppnet.Interfaces(c)}, k.Requires...)
	own := k.Check
	k.Check = func(v *desiredstate.View, want S) error {
		if own != nil {
			if err := own(v, want); err != nil {
				return err
			}
		}
		return scope.Check(v, want.Deps()[0].Name)
	}
	k.Create = func(ctx context.Context, v *desiredstate.View, want S) (uint32, error) {
		id, err := scope.Take(v, want.Deps()[0].Name)
		if err != nil {
			return 0, err
		}
		return id, put(ctx, v, id, want)
	}
	return k
}
