// SPDX-License-Identifier: Apache-2.0

package iface

import (
	"context"
	"strings"

	"go.fd.io/govpp/binapi/ip"

	"github.com/vppkit/vppkit/vppnet"
)

// A Table is one family of a number's.
type Table struct {
	ip.IPTable
	Tag  string
	Kept bool // it has our tag, and we have let it go
}

// Tables are all tables (ip_table_dump, ip_mtable_dump and control_ping, which the caller has declared). VPP
// does not say who wants one, and keeps the tag of what we have let go for as long as anything else refers
// to it. But all of ours were made with a table for multicast, to which next to nothing refers, and which
// goes when we let go: one with our tag and without that is not ours any more.
func Tables(ctx context.Context, c *vppnet.Conn) (all []Table, err error) {
	answers, err := vppnet.Ask(ctx, c, &ip.IPTableDump{}, &ip.IPMtableDump{})
	multicast := map[ip.IPTable]bool{}
	for _, m := range answers {
		switch d := m.(type) {
		case *ip.IPTableDetails:
			all = append(all, Table{IPTable: d.Table, Tag: strings.TrimRight(d.Table.Name, "\x00")})
		case *ip.IPMtableDetails:
			multicast[ip.IPTable{TableID: d.Table.TableID, IsIP6: d.Table.IsIP6}] = true
		}
	}
	for i, t := range all {
		_, ours := c.Untag(t.Tag)
		all[i].Kept = ours && !multicast[ip.IPTable{TableID: t.TableID, IsIP6: t.IsIP6}]
	}
	return all, err
}
