// SPDX-License-Identifier: Apache-2.0

package place

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
)

// Claims are prefixes, all of which is ours in a kind of what VPP keeps no mark of: as is
// all that is for a table of ours.
type Claims []netip.Prefix

// Has says whether all of a prefix, for the table of a number, is ours.
func (p Claims) Has(v *desiredstate.View, table uint32, all netip.Prefix) bool {
	_, owned := TableName(v, table)
	return owned || slices.ContainsFunc(p, func(p netip.Prefix) bool { return p.Bits() <= all.Bits() && p.Contains(all.Addr()) })
}

// Take is the number of a table for which a prefix may be used.
func (p Claims) Take(v *desiredstate.View, table string, all netip.Prefix) (uint32, error) {
	id, err := TableID(v, table)
	if err == nil {
		err = p.CheckID(v, id, all)
	}
	return id, err
}

// CheckID reports why a prefix may not be used for the table of a number.
func (p Claims) CheckID(v *desiredstate.View, table uint32, all netip.Prefix) error {
	if p.Has(v, table, all) {
		return nil
	}
	what := fmt.Sprintf("prefix %v", all)
	if all.IsSingleIP() {
		what = fmt.Sprintf("address %v", all.Addr())
	}
	return fmt.Errorf("%w: %s is not for a table of ours, and in none of the claimed prefixes %v: give the kind one that has it", desiredstate.ErrForeign, what, p)
}

// Check says at planning what Take would say later, unless the table is still to come.
func (p Claims) Check(v *desiredstate.View, table string, all netip.Prefix) error {
	_, err := p.Take(v, table, all)
	if errors.Is(err, desiredstate.ErrMissing) {
		return nil
	}
	return err
}
