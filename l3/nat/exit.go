// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"context"
	"fmt"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
	binding "go.fd.io/govpp/binapi/nat44_ed"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Exit says into which tables the packets of a table's hosts go once they are
// translated. Of several, the first that has a way to the destination; if none has,
// the table's own, which is how one host reaches another's floating IP. A table
// without a Exit uses those of all outside interfaces, which is right as long as
// there is but one. Endpoint-dependent only.
//
// Hosts behind an Inside interface are translated if an exit has a way to the
// destination that leads to an interface. So a route there that drops, or goes on in
// another table, exempts a prefix.
type Exit struct {
	Table string
	To    []string // in order; l3.DefaultTable is one, too
}

// ExitKey is the key of a table's Exit.
func ExitKey(table string) desiredstate.Key {
	if table == "" {
		table = l3.DefaultTable
	}
	return desiredstate.Key{Space: "nat-exit", Name: table}
}

// Key is ExitKey(n.Table).
func (n Exit) Key() desiredstate.Key { return ExitKey(n.Table) }

// Deps lists NAT and the tables.
func (n Exit) Deps() []desiredstate.Key {
	deps := append(place.TableDeps(n.Table), PluginKey())
	for _, to := range n.To {
		if to != l3.DefaultTable {
			deps = append(deps, l3.TableKey(to))
		}
	}
	return deps
}

// Validate checks the names.
func (n Exit) Validate() error {
	if err := place.CheckTable(n.Table); err != nil {
		return err
	}
	for i, to := range n.To {
		if to != l3.DefaultTable {
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

// Exits manages the exits of our tables (nat44_ed_add_del_vrf_table,
// nat44_ed_add_del_vrf_route). More are added at the end. VPP, told to forget one of several, shows another
// twice; so for all other changes it is told to forget all and of those that are to be, in one breath, and whoever
// begins a connection meanwhile does not notice.
func Exits(c *vppnet.Conn) *desiredstate.Kind[Exit] {
	k := exits{c, binding.NewServiceClient(c)}
	return &desiredstate.Kind[Exit]{
		Target:   c.Target(),
		Name:     "nat-exit",
		Requires: []desiredstate.AnyKind{l3.Tables(c), plugins(c, EndpointDependent, false)},
		Messages: c.Uses(&binding.Nat44EdVrfTablesV2Dump{}, &binding.Nat44EdAddDelVrfTable{}, &binding.Nat44EdAddDelVrfRoute{}, &memclnt.ControlPing{}),
		Dump:     k.dump,
		Check: func(v *desiredstate.View, n Exit) error {
			if table, err := place.TableID(v, n.Table); err == nil { // else it is still to come
				if _, ours := place.TableName(v, table); !ours {
					return fmt.Errorf("%w: table %s: name one of ours", desiredstate.ErrForeign, n.Key().Name)
				}
			}
			return nil
		},
		Create: func(ctx context.Context, v *desiredstate.View, n Exit) (uint32, error) {
			table, err := place.TableID(v, n.Table)
			if err != nil {
				return 0, err
			}
			to, err := tablesOf(v, n.To)
			if err != nil {
				return 0, err
			}
			if _, err := k.vpp.Nat44EdAddDelVrfTable(ctx, &binding.Nat44EdAddDelVrfTable{IsAdd: true, TableVrfID: table}); err != nil {
				return 0, err
			}
			return table, k.add(ctx, table, to)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Exit], want Exit) error {
			to, err := tablesOf(v, want.To)
			if err != nil {
				return err
			}
			if n := len(have.Spec.To); n <= len(to) && slices.Equal(have.Spec.To, want.To[:n]) {
				return k.add(ctx, have.ID, to[n:])
			}
			return k.swap(ctx, have.ID, to)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Exit]) error {
			_, err := k.vpp.Nat44EdAddDelVrfTable(ctx, &binding.Nat44EdAddDelVrfTable{TableVrfID: have.ID})
			return vppnet.Gone(err, api.NO_SUCH_ENTRY)
		},
	}
}

// tablesOf are VPP's numbers of tables.
func tablesOf(v *desiredstate.View, names []string) (ids []uint32, err error) {
	for _, name := range names {
		id := uint32(0)
		if name != l3.DefaultTable {
			if id, err = v.ID(l3.TableKey(name)); err != nil {
				return nil, err
			}
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (k exits) add(ctx context.Context, table uint32, to []uint32) error {
	for _, id := range to {
		if _, err := k.vpp.Nat44EdAddDelVrfRoute(ctx, &binding.Nat44EdAddDelVrfRoute{IsAdd: true, TableVrfID: table, VrfID: id}); err != nil {
			return err
		}
	}
	return nil
}

func (k exits) swap(ctx context.Context, table uint32, to []uint32) error {
	requests := []api.Message{
		&binding.Nat44EdAddDelVrfTable{TableVrfID: table},
		&binding.Nat44EdAddDelVrfTable{IsAdd: true, TableVrfID: table},
	}
	for _, id := range to {
		requests = append(requests, &binding.Nat44EdAddDelVrfRoute{IsAdd: true, TableVrfID: table, VrfID: id})
	}
	return place.AtOnce(ctx, k.c, requests...)
}

type exits struct {
	c   *vppnet.Conn
	vpp binding.RPCService
}

// dump cannot use the generated client: VPP answers the second version of this dump
// with the first version's message, which is as good.
func (k exits) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Exit], err error) {
	all, err := vppnet.Ask(ctx, k.c, &binding.Nat44EdVrfTablesV2Dump{})
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		id, to := uint32(0), []uint32(nil)
		switch d := m.(type) {
		case *binding.Nat44EdVrfTablesDetails:
			id, to = d.TableVrfID, d.VrfIds
		case *binding.Nat44EdVrfTablesV2Details:
			id, to = d.TableVrfID, d.VrfIds
		default:
			continue // whatever it is, it is no exit
		}
		name, ours := place.TableName(v, id)
		n := Exit{Table: name}
		for _, id := range to {
			name, _ := place.TableName(v, id)
			if name == "" {
				name = l3.DefaultTable
			}
			n.To = append(n.To, name)
		}
		out = append(out, desiredstate.Actual[Exit]{ID: id, Foreign: !ours, Spec: n})
	}
	return out, nil
}
