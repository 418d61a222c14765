// SPDX-License-Identifier: Apache-2.0

package place

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
)

// Claims are prefixes whose addresses are ours in a kind of what VPP keeps no mark of: as is
// all that is for a table of ours.
type Claims []netip.Prefix

// Has says whether an address, for the table of a number, is ours.
func (p Claims) Has(v *desiredstate.View, table uint32, a netip.Addr) bool {
	_, owned := TableName(v, table)
	return owned || slices.ContainsFunc(p, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Take is the number of a table for which an address may be used.
func (p Claims) Take(v *desiredstate.View, table string, a netip.Addr) (uint32, error) {
	id, err := TableID(v, table)
	if err == nil {
		err = p.CheckID(v, id, a)
	}
	return id, err
}

// CheckID reports why an address may not be used for the table of a number.
func (p Claims) CheckID(v *desiredstate.View, table uint32, a netip.Addr) error {
	if p.Has(v, table, a) {
		return nil
	}
	return fmt.Errorf("%w: address %v is not for a table of ours, and in none of the claimed prefixes %v: give the kind one that has it", desiredstate.ErrForeign, a, p)
}

// Check says at planning what Take would say later, unless the table is still to come.
func (p Claims) Check(v *desiredstate.View, table string, a netip.Addr) error {
	_, err := p.Take(v, table, a)
	if errors.Is(err, desiredstate.ErrMissing) {
		return nil
	}
	return err
}
