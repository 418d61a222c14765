// SPDX-License-Identifier: Apache-2.0

package place

import (
	"context"
	"fmt"

	"go.fd.io/govpp/binapi/nat_types"

	"github.com/vppkit/vppkit/internal/shared"
)

// Role is what an interface is to a NAT: inside, outside or both, or output.
type Role uint8

// The roles.
const (
	Inside Role = 1 << iota
	Outside
	Output
)

// RoleOf is what VPP's flags say.
func RoleOf(flags nat_types.NatConfigFlags) (r Role) {
	if flags&nat_types.NAT_IS_INSIDE != 0 {
		r |= Inside
	}
	if flags&nat_types.NAT_IS_OUTSIDE != 0 {
		r |= Outside
	}
	return r
}

// each calls f for each of the roles in r, until one fails.
func (r Role) each(f func(Role) error) error {
	for one := Inside; one <= Output; one <<= 1 {
		if r&one != 0 {
			if err := f(one); err != nil {
				return err
			}
		}
	}
	return nil
}

// Roles gives interfaces their roles, and takes them.
type Roles struct {
	read *shared.Round[map[uint32]Role]
	put  func(ctx context.Context, id uint32, r Role, add bool) error
}

// NewRoles returns Roles that are read for all interfaces at once, and put one by one.
func NewRoles(read func(context.Context) (map[uint32]Role, error), put func(ctx context.Context, id uint32, r Role, add bool) error) Roles {
	return Roles{shared.NewRound(read), put}
}

// Set asks what is there before it takes away: VPP, told to take a role that an
// interface does not have, hides the other one and leaves it in effect. VPP tells of all
// interfaces at once, so those that change together share that.
func (k Roles) Set(ctx context.Context, id uint32, want Role) error {
	all, err := k.read.Join(ctx)
	if err != nil {
		return err
	}
	have := all[id]
	add := func() error {
		return (want &^ have).each(func(r Role) error { return k.put(ctx, id, r, true) })
	}
	remove := func() error {
		return (have &^ want).each(func(r Role) error { return k.put(ctx, id, r, false) })
	}
	first, then := add, remove
	if (have|want)&Output != 0 { // that is alone on an interface
		first, then = remove, add
	}
	if err := first(); err != nil {
		return err
	}
	if err := then(); err != nil {
		return fmt.Errorf("roles were %03b: %w", have, err)
	}
	return nil
}
