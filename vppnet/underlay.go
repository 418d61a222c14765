// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"fmt"
	"net/netip"

	"github.com/vppkit/vppkit/desiredstate"
)

// What a tunnel runs on: addresses, and the table that they are in. Package l3 has tables;
// here they are known by their key space alone.

const tableSpace = "table"

func tableKey(name string) desiredstate.Key { return desiredstate.Key{Space: tableSpace, Name: name} }

// checkTable reports why name cannot be that of a table; "" is the default one.
func checkTable(name string) error {
	switch name {
	case "":
		return nil
	case Foreign("0"):
		return fmt.Errorf(`table %q: leave the name open, "" is the default table`, name)
	}
	return CheckRef("table", name)
}

func tableDeps(name string) []desiredstate.Key {
	if name == "" {
		return nil
	}
	return []desiredstate.Key{tableKey(name)}
}

// tableID is VPP's number of a table.
func tableID(v *desiredstate.View, name string) (uint32, error) {
	if name == "" {
		return 0, nil
	}
	return v.ID(tableKey(name))
}

// tableName is what a spec calls the table of a number.
func tableName(v *desiredstate.View, id uint32) string {
	if id == 0 {
		return ""
	}
	if name, ok := v.Name(tableSpace, id); ok {
		return name
	}
	return Foreign(number(id))
}

// checkEnds reports why a tunnel cannot lead from one address to another. VPP takes an IPv6
// address of which only the last four bytes are set for one of IPv4.
func checkEnds(src, dst netip.Addr) error {
	for i, a := range []netip.Addr{src, dst} {
		what := []string{"source", "destination"}[i]
		if !a.IsValid() {
			return fmt.Errorf("%s is not set", what)
		}
		if b := a.As16(); a.IsUnspecified() || a.Is4In6() || a.Zone() != "" || a.Is6() && [12]byte(b[:12]) == [12]byte{} {
			return fmt.Errorf("%s %s: want an IPv4 or IPv6 address, without a zone", what, a)
		}
	}
	switch {
	case src.IsMulticast():
		return fmt.Errorf("source %s is a multicast address", src)
	case src == dst || src.Is4() != dst.Is4():
		return fmt.Errorf("from %s to %s: want two addresses of one family", src, dst)
	}
	return nil
}

// checkRefs is CheckRef for an interface that may be left open.
func checkRefs(what, name string) error {
	if name == "" {
		return nil
	}
	return CheckRef(what, name)
}
