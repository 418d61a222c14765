// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"fmt"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
	nat "go.fd.io/govpp/binapi/nat44_ed"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// NATExit says into which tables the packets of a table's hosts go once they are
// translated. Of several, the first that has a way to the destination; if none has,
// the table's own, which is how one host reaches another's floating IP. A table
// without a NATExit uses those of all outside interfaces, which is right as long as
// there is but one. Endpoint-dependent only.
//
// Hosts behind an Inside interface are translated if an exit has a way to the
// destination that leads to an interface. So a route there that drops, or goes on in
// another table, exempts a prefix.
type NATExit struct {
	Table string
	To    []string // in order; DefaultTable is one, too
}

// NATExitKey is the key of a table's NATExit.
func NATExitKey(table string) desiredstate.Key {
	if table == "" {
		table = DefaultTable
	}
	return desiredstate.Key{Space: "nat-exit", Name: table}
}

// Key is NATExitKey(n.Table).
func (n NATExit) Key() desiredstate.Key { return NATExitKey(n.Table) }

// Deps lists NAT and the tables.
func (n NATExit) Deps() []desiredstate.Key {
	deps := append(tableDeps(n.Table), NATKey())
	for _, to := range n.To {
		if to != DefaultTable {
			deps = append(deps, TableKey(to))
		}
	}
	return deps
}

// Validate checks the names.
func (n NATExit) Validate() error {
	if err := checkTable(n.Table); err != nil {
		return err
	}
	for i, to := range n.To {
		if to != DefaultTable {
			if err := vppnet.CheckRef("table", to); err != nil {
				return err
			}
		}
		if slices.Contains(n.To[:i], to) {
			return fmt.Errorf("exit %s: twice", to)
		}
	}
	return nil
}

// NATExits manages the exits of our tables (nat44_ed_add_del_vrf_table,
// nat44_ed_add_del_vrf_route). All changes replace: VPP, told to forget one of
// several, shows another twice.
func NATExits(c *vppnet.Conn) *desiredstate.Kind[NATExit] {
	k := natExits{c, nat.NewServiceClient(c)}
	return &desiredstate.Kind[NATExit]{
		Target:   c.Target(),
		Name:     "nat-exit",
		Requires: []desiredstate.AnyKind{Tables(c), nats(c, EndpointDependent, false)},
		Messages: c.Uses(&nat.Nat44EdVrfTablesV2Dump{}, &nat.Nat44EdAddDelVrfTable{}, &nat.Nat44EdAddDelVrfRoute{}, &memclnt.ControlPing{}),
		Dump:     k.dump,
		Create: func(ctx context.Context, v *desiredstate.View, n NATExit) (uint32, error) {
			table, err := tableID(v, n.Table)
			if err != nil {
				return 0, err
			}
			if _, ours := tableName(v, table); !ours {
				return 0, fmt.Errorf("%w: table %s", desiredstate.ErrForeign, n.Key().Name)
			}
			var to []uint32
			for _, name := range n.To {
				id := uint32(0)
				if name != DefaultTable {
					if id, err = v.ID(TableKey(name)); err != nil {
						return 0, err
					}
				}
				to = append(to, id)
			}
			if _, err := k.vpp.Nat44EdAddDelVrfTable(ctx, &nat.Nat44EdAddDelVrfTable{IsAdd: true, TableVrfID: table}); err != nil {
				return 0, err
			}
			for _, id := range to {
				if _, err := k.vpp.Nat44EdAddDelVrfRoute(ctx, &nat.Nat44EdAddDelVrfRoute{IsAdd: true, TableVrfID: table, VrfID: id}); err != nil {
					return table, err
				}
			}
			return table, nil
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[NATExit]) error {
			_, err := k.vpp.Nat44EdAddDelVrfTable(ctx, &nat.Nat44EdAddDelVrfTable{TableVrfID: have.ID})
			return vppnet.Gone(err, api.NO_SUCH_ENTRY)
		},
	}
}

type natExits struct {
	c   *vppnet.Conn
	vpp nat.RPCService
}

// dump cannot use the generated client: VPP answers the second version of this dump
// with the first version's message, which is as good.
func (k natExits) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[NATExit], err error) {
	all, err := vppnet.Ask(ctx, k.c, &nat.Nat44EdVrfTablesV2Dump{})
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		id, to := uint32(0), []uint32(nil)
		switch d := m.(type) {
		case *nat.Nat44EdVrfTablesDetails:
			id, to = d.TableVrfID, d.VrfIds
		case *nat.Nat44EdVrfTablesV2Details:
			id, to = d.TableVrfID, d.VrfIds
		default:
			continue // whatever it is, it is no exit
		}
		name, ours := tableName(v, id)
		n := NATExit{Table: name}
		for _, id := range to {
			name, _ := tableName(v, id)
			if name == "" {
				name = DefaultTable
			}
			n.To = append(n.To, name)
		}
		out = append(out, desiredstate.Actual[NATExit]{ID: id, Foreign: !ours, Spec: n})
	}
	return out, nil
}
