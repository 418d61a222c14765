// SPDX-License-Identifier: Apache-2.0

package ovstest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// shown are the columns that somebody wanted so.
var shown = map[string][]string{
	"Bridge":    {"name", "datapath_type", "ports", "external_ids"},
	"Port":      {"name", "interfaces", "tag", "trunks", "vlan_mode", "external_ids"},
	"Interface": {"name", "type", "options"},
}

// String is all that was wanted of OVS, and the files of its sockets, once ovs-vswitchd has taken up
// what was written, whoever did and died. Nothing in it changes by itself.
func (o *OVS) String() string {
	o.settle()
	var lines []string
	names := map[string]string{}
	rows := map[string][]ovsdb.Row{}
	for table := range shown {
		results := o.Transact(ovsdb.Operation{Op: "select", Table: table})
		rows[table] = results[0].Rows
		for _, r := range results[0].Rows {
			names[r["_uuid"].(ovsdb.UUID).GoUUID], _ = r["name"].(string)
		}
	}
	for table, columns := range shown {
		for _, r := range rows[table] {
			line := strings.ToLower(table)
			for _, c := range columns {
				line += fmt.Sprintf(" %s=%s", c, text(r[c], names))
			}
			lines = append(lines, line)
		}
	}
	files, err := os.ReadDir(o.VhostDir())
	must(err)
	for _, f := range files {
		lines = append(lines, "socket "+f.Name())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// settle waits until ovs-vswitchd has taken up what it was told of, if it runs.
func (o *OVS) settle() {
	for end := time.Now().Add(10 * time.Second); !o.stopped.Load() && time.Now().Before(end); time.Sleep(time.Millisecond) {
		results := o.Transact(ovsdb.Operation{Op: "select", Table: "Open_vSwitch", Columns: []string{"cur_cfg", "next_cfg"}})
		if rows := results[0].Rows; len(rows) == 0 || number(rows[0]["cur_cfg"]) >= number(rows[0]["next_cfg"]) {
			return
		}
	}
}

// number is a column's, which JSON has as a float.
func number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case int:
		return float64(v)
	}
	return 0
}

// text is a value with rows by their names, sorted.
func text(v any, names map[string]string) string {
	switch v := v.(type) {
	case ovsdb.UUID:
		return names[v.GoUUID]
	case ovsdb.OvsSet:
		out := make([]string, len(v.GoSet))
		for n, x := range v.GoSet {
			out[n] = text(x, names)
		}
		slices.Sort(out)
		return strings.Join(out, ",")
	case ovsdb.OvsMap:
		var out []string
		for k, x := range v.GoMap {
			out = append(out, fmt.Sprintf("%v:%v", k, x))
		}
		slices.Sort(out)
		return strings.Join(out, ",")
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// Transact does what somebody else does, past the proxy.
func (o *OVS) Transact(ops ...ovsdb.Operation) []ovsdb.OperationResult {
	results, err := transact(o.Direct(), ops...)
	must(err)
	return results
}

func transact(socket string, ops ...ovsdb.Operation) ([]ovsdb.OperationResult, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	m, err := model.NewClientDBModel("Open_vSwitch", nil)
	if err != nil {
		return nil, err
	}
	db, err := client.NewOVSDBClient(m, client.WithEndpoint("unix:"+socket))
	if err != nil {
		return nil, err
	}
	if err := db.Connect(ctx); err != nil {
		return nil, err
	}
	defer db.Close()
	results, err := db.Transact(ctx, ops...)
	if err != nil {
		return nil, err
	}
	wrong, err := ovsdb.CheckOperationResults(results, ops)
	for _, w := range wrong {
		err = errors.Join(err, w)
	}
	return results, err
}
