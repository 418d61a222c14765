// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// database is what ovs-vswitchd lives by, of which these are the columns that we read or
// write.
const database = "Open_vSwitch"

// The tables. Only what rootTable's row leads to is there: the rest ovsdb-server deletes.
const (
	rootTable      = "Open_vSwitch"
	bridgeTable    = "Bridge"
	portTable      = "Port"
	interfaceTable = "Interface"
)

type rootRow struct {
	UUID          string            `ovsdb:"_uuid"`
	Bridges       []string          `ovsdb:"bridges"`
	NextCfg       int               `ovsdb:"next_cfg"` // raised by who writes
	CurCfg        int               `ovsdb:"cur_cfg"`  // up to which ovs-vswitchd has taken up
	DatapathTypes []string          `ovsdb:"datapath_types"`
	IfaceTypes    []string          `ovsdb:"iface_types"`
	OtherConfig   map[string]string `ovsdb:"other_config"`
}

type bridgeRow struct {
	UUID         string            `ovsdb:"_uuid"`
	Name         string            `ovsdb:"name"`
	DatapathType string            `ovsdb:"datapath_type"`
	DatapathID   *string           `ovsdb:"datapath_id"` // ovs-vswitchd's word that it works
	Ports        []string          `ovsdb:"ports"`
	ExternalIDs  map[string]string `ovsdb:"external_ids"`
}

type portRow struct {
	UUID        string            `ovsdb:"_uuid"`
	Name        string            `ovsdb:"name"`
	Interfaces  []string          `ovsdb:"interfaces"`
	Tag         *int              `ovsdb:"tag"`
	Trunks      []int             `ovsdb:"trunks"`
	VLANMode    *string           `ovsdb:"vlan_mode"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

type interfaceRow struct {
	UUID    string            `ovsdb:"_uuid"`
	Name    string            `ovsdb:"name"`
	Type    string            `ovsdb:"type"`
	Options map[string]string `ovsdb:"options"`
	OFPort  *int              `ovsdb:"ofport"` // -1: could not be made
	Error   *string           `ovsdb:"error"`
}

func models() (model.ClientDBModel, error) {
	return model.NewClientDBModel(database, map[string]model.Model{
		rootTable: &rootRow{}, bridgeTable: &bridgeRow{}, portTable: &portRow{}, interfaceTable: &interfaceRow{},
	})
}

// columns are those of a table that its row type has.
var columns = map[string][]string{
	rootTable:      {"_uuid", "bridges", "next_cfg", "cur_cfg", "datapath_types", "iface_types", "other_config"},
	bridgeTable:    {"_uuid", "name", "datapath_type", "datapath_id", "ports", "external_ids"},
	portTable:      {"_uuid", "name", "interfaces", "tag", "trunks", "vlan_mode", "external_ids"},
	interfaceTable: {"_uuid", "name", "type", "options", "ofport", "error"},
}

// snapshot is all that matters, at one moment.
type snapshot struct {
	bridges    []bridgeRow // by name
	ports      map[string]portRow
	interfaces map[string]interfaceRow
}

// read takes a snapshot, in one transaction, of what ovs-vswitchd has taken up as well.
func (c *Conn) read(ctx context.Context) (s snapshot, err error) {
	if err := c.settle(ctx); err != nil {
		return s, err
	}
	var ops []ovsdb.Operation
	for _, table := range []string{bridgeTable, portTable, interfaceTable} {
		ops = append(ops, ovsdb.Operation{Op: ovsdb.OperationSelect, Table: table, Columns: columns[table]})
	}
	given := c.handles.given()
	results, err := c.transact(ctx, "read", ops...)
	if err != nil {
		return s, err
	}
	ports, interfaces := []portRow(nil), []interfaceRow(nil)
	if s.bridges, err = decode[bridgeRow](c, bridgeTable, results[0]); err != nil {
		return s, err
	}
	if ports, err = decode[portRow](c, portTable, results[1]); err != nil {
		return s, err
	}
	if interfaces, err = decode[interfaceRow](c, interfaceTable, results[2]); err != nil {
		return s, err
	}
	slices.SortFunc(s.bridges, func(a, b bridgeRow) int { return strings.Compare(a.Name, b.Name) })
	s.ports = make(map[string]portRow, len(ports))
	for _, p := range ports {
		s.ports[p.UUID] = p
	}
	s.interfaces = make(map[string]interfaceRow, len(interfaces))
	for _, i := range interfaces {
		s.interfaces[i.UUID] = i
	}
	there := map[string]bool{}
	for _, b := range s.bridges {
		there[b.UUID] = true
	}
	c.handles.keep(given, func(uuid string) bool { _, port := s.ports[uuid]; return port || there[uuid] })
	return s, nil
}

// one reads the row of a table that has this UUID; ok: there is one.
func one[R any](ctx context.Context, c *Conn, table, uuid string) (row R, ok bool, err error) {
	results, err := c.transact(ctx, "read", ovsdb.Operation{
		Op: ovsdb.OperationSelect, Table: table, Where: []ovsdb.Condition{is(uuid)}, Columns: columns[table],
	})
	if err != nil {
		return row, false, err
	}
	rows, err := decode[R](c, table, results[0])
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	return rows[0], true, nil
}

// decode makes rows of a table of what a select has found.
func decode[R any](c *Conn, table string, r ovsdb.OperationResult) ([]R, error) {
	out := make([]R, len(r.Rows))
	for n := range r.Rows {
		info, err := c.model.NewModelInfo(&out[n])
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", table, err)
		}
		if err := c.model.Mapper.GetRowData(&r.Rows[n], info); err != nil {
			return nil, fmt.Errorf("read %s: %w", table, err)
		}
		uuid, ok := r.Rows[n]["_uuid"].(ovsdb.UUID)
		if !ok {
			return nil, fmt.Errorf("read %s: a row has no UUID", table)
		}
		if err := info.SetField("_uuid", uuid.GoUUID); err != nil {
			return nil, fmt.Errorf("read %s: %w", table, err)
		}
	}
	return out, nil
}

// is selects the row with this UUID.
func is(uuid string) ovsdb.Condition {
	return ovsdb.NewCondition("_uuid", ovsdb.ConditionEqual, ovsdb.UUID{GoUUID: uuid})
}

// has selects rows whose set has this UUID.
func has(column, uuid string) ovsdb.Condition {
	return ovsdb.NewCondition(column, ovsdb.ConditionIncludes, ovsdb.UUID{GoUUID: uuid})
}

// set is a set of UUIDs, or of anything else.
func set[T any](all ...T) ovsdb.OvsSet {
	s := ovsdb.OvsSet{GoSet: make([]any, len(all))}
	for n, x := range all {
		s.GoSet[n] = x
	}
	return s
}

func dict(m map[string]string) ovsdb.OvsMap {
	out := ovsdb.OvsMap{GoMap: make(map[any]any, len(m))}
	for k, v := range m {
		out.GoMap[k] = v
	}
	return out
}

// refs are the UUIDs of rows, or their names in the transaction.
func refs(uuids ...string) ovsdb.OvsSet {
	all := make([]ovsdb.UUID, len(uuids))
	for n, u := range uuids {
		all[n].GoUUID = u
	}
	return set(all...)
}

// insert adds a row, which the rest of the transaction knows as name.
func insert(table, name string, row ovsdb.Row) ovsdb.Operation {
	return ovsdb.Operation{Op: ovsdb.OperationInsert, Table: table, UUIDName: name, Row: row}
}

// mutate changes a column of the rows selected.
func mutate(table, column string, how ovsdb.Mutator, value any, where ...ovsdb.Condition) ovsdb.Operation {
	return ovsdb.Operation{
		Op: ovsdb.OperationMutate, Table: table, Where: where,
		Mutations: []ovsdb.Mutation{{Column: column, Mutator: how, Value: value}},
	}
}

// expect ends a transaction, without effect, unless just this is selected.
func expect(table string, row ovsdb.Row, where ...ovsdb.Condition) ovsdb.Operation {
	now := 0
	op := ovsdb.Operation{Op: ovsdb.OperationWait, Table: table, Timeout: &now, Where: where, Until: "==", Rows: []ovsdb.Row{row}}
	for column := range row {
		op.Columns = append(op.Columns, column)
	}
	return op
}
