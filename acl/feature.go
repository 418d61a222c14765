// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/classify"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// everywhere asks a dump for all interfaces.
const everywhere = ^interface_types.InterfaceIndex(0)

// filtered is an interface that has filters, and what its L2 features are: a reading
// that Bindings and MACIPBindings share, never wanted.
type filtered struct {
	id       uint32
	in, out  []uint32 // sets
	macip    uint32   // set; all: none
	tables   tables   // of the classifier, where there is a MACIP set
	features uint32
	gone     bool // since it was found to have filters
}

func (f filtered) Key() desiredstate.Key {
	return desiredstate.Key{Space: "acl-filtered", Name: strconv.FormatUint(uint64(f.id), 10)}
}

// Equal says whether two readings are the same.
func (f filtered) Equal(o filtered) bool {
	return f.id == o.id && slices.Equal(f.in, o.in) && slices.Equal(f.out, o.out) && f.macip == o.macip && f.tables == o.tables &&
		f.features == o.features && f.gone == o.gone
}

func (f filtered) Deps() []desiredstate.Key { return nil }

func (f filtered) Validate() error { return errors.New("a reading is found, not made") }

func filters(c *vppnet.Conn) *desiredstate.Kind[filtered] {
	vpp := acl.NewServiceClient(c)
	return &desiredstate.Kind[filtered]{
		Target:   c.Target(),
		Name:     "acl-filtered",
		Messages: c.Uses(&acl.ACLInterfaceListDump{}, &acl.MacipACLInterfaceListDump{}, &classify.ClassifyTableByInterface{}, &l2.L2Flags{}, &memclnt.ControlPing{}),
		Dump: vppnet.Reread(c, func(ctx context.Context, _ *desiredstate.View) ([]desiredstate.Actual[filtered], error) {
			lists, err := vppnet.Collect(vpp.ACLInterfaceListDump(ctx, &acl.ACLInterfaceListDump{SwIfIndex: everywhere}))
			if err != nil {
				return nil, err
			}
			macips, err := vppnet.Collect(vpp.MacipACLInterfaceListDump(ctx, &acl.MacipACLInterfaceListDump{SwIfIndex: everywhere}))
			if err != nil {
				return nil, err
			}
			var out []desiredstate.Actual[filtered]
			at := map[uint32]int{}
			find := func(i interface_types.InterfaceIndex) *filtered {
				id := uint32(i)
				if _, ok := at[id]; !ok {
					at[id] = len(out)
					out = append(out, desiredstate.Actual[filtered]{ID: id, Spec: filtered{id: id, macip: all, tables: noTables}})
				}
				return &out[at[id]].Spec
			}
			for _, d := range lists {
				if len(d.Acls) > 0 {
					f := find(d.SwIfIndex)
					f.in, f.out = split(d)
				}
			}
			for _, d := range macips {
				if len(d.Acls) > 0 && d.Acls[0] != all {
					find(d.SwIfIndex).macip = d.Acls[0]
				}
			}
			if err := readFeatures(ctx, c, out); err != nil {
				return nil, err
			}
			return out, readAllTables(ctx, c, out)
		}),
	}
}

// each asks about all that has what is looked for, at once, and says what to make of the answers.
func each[R api.Message](ctx context.Context, c *vppnet.Conn, of []desiredstate.Actual[filtered], has func(filtered) bool,
	ask func(id uint32) api.Message, take func(*filtered, R),
) error {
	var asked []*filtered
	var reqs []api.Message
	for i := range of {
		if f := &of[i].Spec; has(*f) {
			asked, reqs = append(asked, f), append(reqs, ask(f.id))
		}
	}
	replies, err := vppnet.AskEach[R](ctx, c, reqs...)
	for i, r := range replies {
		take(asked[i], r)
	}
	return err
}

func readFeatures(ctx context.Context, c *vppnet.Conn, of []desiredstate.Actual[filtered]) error {
	return each(ctx, c, of, func(filtered) bool { return true },
		func(id uint32) api.Message { return askFeatures(interface_types.InterfaceIndex(id)) },
		func(f *filtered, r *l2.L2FlagsReply) { f.features, f.gone = r.ResultingFeatureBitmap, r.Retval != 0 })
}

func readAllTables(ctx context.Context, c *vppnet.Conn, of []desiredstate.Actual[filtered]) error {
	return each(ctx, c, of, func(f filtered) bool { return f.macip != all },
		func(id uint32) api.Message { return askTables(id) },
		func(f *filtered, r *classify.ClassifyTableByInterfaceReply) {
			f.tables, f.gone = tablesOf(r), f.gone || r.Retval != 0
		})
}
