// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"
	"fmt"

	"go.fd.io/govpp/binapi/classify"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// tables are those of the classifier by which VPP filters what an interface receives; all: none.
//
// A MACIP set is one chain of them, that VPP puts in all three places. Where one is taken, by a table
// that anybody put there, VPP stops, and says that all is well: the set is listed as bound and
// filters nothing from there on.
type tables struct{ ip4, ip6, l2 uint32 }

var noTables = tables{all, all, all}

// whole says whether they are a MACIP set's, and nobody else's.
func (t tables) whole() bool { return t.l2 != all && t.ip4 == t.l2 && t.ip6 == t.l2 }

// partly is what is wrong with a MACIP set that is bound where there are others' tables.
const partly = "it is bound, and VPP filters by other tables of the classifier"

// taken refuses a MACIP set where there are tables that are not its own, or where VPP has put it nowhere.
func (t tables) taken(iface string) error {
	for _, table := range []uint32{t.ip4, t.ip6, t.l2} {
		if table != all {
			return fmt.Errorf("%w: what %s receives is filtered by table %d of the classifier, beside which VPP binds a MACIP set to no effect: have it taken off (input_acl_set_interface)",
				desiredstate.ErrConflict, iface, table)
		}
	}
	return fmt.Errorf("%w: VPP has bound the MACIP set, and filters by no table what %s receives: somebody has just taken the set's off; have that stopped (input_acl_set_interface)",
		desiredstate.ErrConflict, iface)
}

func askTables(id uint32) *classify.ClassifyTableByInterface {
	return &classify.ClassifyTableByInterface{SwIfIndex: interface_types.InterfaceIndex(id)}
}

func tablesOf(r *classify.ClassifyTableByInterfaceReply) tables {
	return tables{r.IP4TableID, r.IP6TableID, r.L2TableID}
}

// readTables asks for the tables of one interface.
func readTables(ctx context.Context, c *vppnet.Conn, id uint32) (tables, error) {
	r, err := classify.NewServiceClient(c).ClassifyTableByInterface(ctx, askTables(id))
	if err != nil {
		return noTables, err
	}
	return tablesOf(r), nil
}
