// SPDX-License-Identifier: Apache-2.0

package place

import (
	"fmt"
	"net/netip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// TableSpace is that of l3.Table.
const TableSpace = "table"

// DefaultTable is l3.DefaultTable.
const DefaultTable = "vpp:0"

// TableKey is l3.TableKey.
func TableKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: TableSpace, Name: name}
}

// CheckTable reports why name cannot be that of a table that a spec refers to.
func CheckTable(name string) error {
	switch {
	case name == "":
		return nil
	case name == DefaultTable:
		return fmt.Errorf(`table %q: leave the name open, "" is the default table`, name)
	}
	return vppnet.CheckRef(TableSpace, name)
}

// TableDeps is the dependency on a table; VPP's own is always there.
func TableDeps(name string) []desiredstate.Key {
	if name == "" {
		return nil
	}
	return []desiredstate.Key{TableKey(name)}
}

// TableID is VPP's number of a table that a spec refers to.
func TableID(v *desiredstate.View, name string) (uint32, error) {
	if name == "" {
		return 0, nil
	}
	return v.ID(TableKey(name))
}

// TableName is what a spec calls the table of a number.
func TableName(v *desiredstate.View, id uint32) (name string, ours bool) {
	if id == 0 {
		return "", false
	}
	name, ours = v.Owned(TableSpace, id)
	if name == "" {
		name = vppnet.Foreign(fmt.Sprint(id))
	}
	return name, ours
}

// HeldAddress is held by what gives an interface in a table an address.
func HeldAddress(table string, a netip.Addr) desiredstate.Key {
	return desiredstate.Key{Space: "table-address", Name: table + " " + a.String()}
}
