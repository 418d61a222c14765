// SPDX-License-Identifier: Apache-2.0

package classify

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/classify"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/policer"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// Inputs manages which of our tables our interfaces, and those that are claimed, have what they
// receive looked up in (input_acl_set_interface, policer_classify_set_interface,
// flow_classify_set_interface). With another table it is taken off and put on again, and nothing
// is looked up for the time of one message.
//
// An interface has one table for each use and family. One that somebody else put there, as the
// acl plugin does for sets of MACs, is foreign, and stays; a set of MACs and tables to filter by, of
// whatever family, exclude each other. VPP keeps it all when the interface
// goes, and lists it for the next one with the index, to no effect; that is seen, if VPP can be
// asked (from 25.06 on).
//
// To Police is refused (ErrUnsupported) if VPP has no policers, which are a plugin from 26.06 on.
func Inputs(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Input] {
	k := newInputs(c, claims)
	kind := iface.On(c, claims, &desiredstate.Kind[Input]{
		Name:     "classify-input",
		Requires: []desiredstate.AnyKind{Tables(c)},
		Messages: iface.Uses(c, &classify.InputACLSetInterface{}, &classify.PolicerClassifySetInterface{}, &classify.FlowClassifySetInterface{},
			&classify.ClassifyTableByInterface{}, &classify.PolicerClassifyDump{}, &classify.FlowClassifyDump{}, &memclnt.ControlPing{}),
		Dump: k.dump,
		Check: func(_ *desiredstate.View, want Input) error {
			// From 26.06 on policers are a plugin, but the message that puts a table for them on an interface is
			// not: VPP dies of it without the plugin.
			if want.Use == Police && !iface.Knows(c, &policer.PolicerDumpV2{}) {
				return fmt.Errorf("%w: it has no policers, and dies of a table that names them: load its policer plugin", vppnet.ErrUnsupported)
			}
			return nil
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Input], want Input) error {
			if err := k.takeOff(ctx, v, have); err != nil {
				return err
			}
			return k.put(ctx, v, have.ID, want)
		},
		Delete: k.takeOff,
	}, k.put)
	shares := kind.Shares
	kind.Shares = func(i Input) []desiredstate.Key {
		keys := shares(i)
		if i.Use == Filter && i.theirs == "" { // theirs can be of the very set of MACs that holds it
			keys = append(keys, iface.FilterKey(i.Interface))
		}
		return keys
	}
	return kind
}

type inputs struct {
	c      *vppnet.Conn
	vpp    classify.RPCService
	claims []vppnet.Claim
	shown  [3][2]*shared.Round[map[uint32]uint32] // what VPP lists for all interfaces at once
}

func newInputs(c *vppnet.Conn, claims []vppnet.Claim) *inputs {
	k := &inputs{c: c, vpp: classify.NewServiceClient(c), claims: claims}
	for _, use := range []Use{Police, CountFlows} {
		for family := range 2 {
			k.shown[use][family] = shared.NewRound(func(ctx context.Context) (map[uint32]uint32, error) { return list(ctx, k.vpp, use, family) })
		}
	}
	return k
}

var inputFeatures = [3][2]iface.Feature{
	Filter:     {{Arc: "ip4-unicast", End: "ip4-lookup", Name: "ip4-inacl"}, {Arc: "ip6-unicast", End: "ip6-lookup", Name: "ip6-inacl"}},
	Police:     {{Arc: "ip4-unicast", End: "ip4-lookup", Name: "ip4-policer-classify"}, {Arc: "ip6-unicast", End: "ip6-lookup", Name: "ip6-policer-classify"}},
	CountFlows: {{Arc: "ip4-unicast", End: "ip4-lookup", Name: "ip4-flow-classify"}, {Arc: "ip6-unicast", End: "ip6-lookup", Name: "ip6-flow-classify"}},
}

func (i Input) feature() iface.Feature { return inputFeatures[i.Use][number(i.IPv6)] }

func number(ipv6 bool) int {
	if ipv6 {
		return 1
	}
	return 0
}

// pair is a table as VPP wants it, by family.
func pair(ipv6 bool, table uint32) (ip4, ip6 uint32) {
	if ipv6 {
		return none, table
	}
	return table, none
}

// set puts a table on, which VPP ignores if one is there, or takes it off, which VPP refuses if
// another one is there.
func (k *inputs) set(ctx context.Context, id uint32, i Input, table uint32, on bool) (err error) {
	ip4, ip6 := pair(i.IPv6, table)
	index := interface_types.InterfaceIndex(id)
	switch i.Use {
	case Police:
		_, err = k.vpp.PolicerClassifySetInterface(ctx, &classify.PolicerClassifySetInterface{SwIfIndex: index, IP4TableIndex: ip4, IP6TableIndex: ip6, L2TableIndex: none, IsAdd: on})
	case CountFlows:
		_, err = k.vpp.FlowClassifySetInterface(ctx, &classify.FlowClassifySetInterface{SwIfIndex: index, IP4TableIndex: ip4, IP6TableIndex: ip6, IsAdd: on})
	default:
		_, err = k.vpp.InputACLSetInterface(ctx, &classify.InputACLSetInterface{SwIfIndex: index, IP4TableIndex: ip4, IP6TableIndex: ip6, L2TableIndex: none, IsAdd: on})
	}
	return err
}

// put puts a table on, and looks whether it is that one, and has an effect.
func (k *inputs) put(ctx context.Context, v *desiredstate.View, id uint32, i Input) error {
	table, err := v.ID(TableKey(i.Table))
	if err != nil {
		return err
	}
	if err := k.set(ctx, id, i, table, true); err != nil {
		return err
	}
	is, err := k.listed(ctx, id, i)
	if err != nil {
		return err
	}
	if is != table {
		return fmt.Errorf("%w: VPP has the classifier's table %d on %s, of a set of MACs, of somebody else or of an interface that had this index: have that taken off",
			desiredstate.ErrConflict, is, i.Interface)
	}
	if !iface.Asks(k.c) {
		return nil
	}
	on, err := iface.AreOn(ctx, k.c, []iface.Feature{i.feature()}, id)
	if err != nil || on[0][0] {
		return err
	}
	if err := k.set(ctx, id, i, table, false); err != nil {
		return err
	}
	return k.set(ctx, id, i, table, true)
}

func (k *inputs) takeOff(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Input]) error {
	table, err := v.ID(TableKey(have.Spec.Table))
	if err != nil {
		return err
	}
	return vppnet.Gone(k.set(ctx, have.ID, have.Spec, table, false), api.NO_SUCH_TABLE, api.INVALID_SW_IF_INDEX)
}

// listed is the table that VPP lists for an interface.
func (k *inputs) listed(ctx context.Context, id uint32, i Input) (uint32, error) {
	if i.Use != Filter {
		all, err := k.shown[i.Use][number(i.IPv6)].Join(ctx)
		if t, ok := all[id]; ok || err != nil {
			return t, err
		}
		return none, nil
	}
	r, err := k.vpp.ClassifyTableByInterface(ctx, &classify.ClassifyTableByInterface{SwIfIndex: interface_types.InterfaceIndex(id)})
	if err != nil {
		return none, err
	}
	if i.IPv6 {
		return r.IP6TableID, nil
	}
	return r.IP4TableID, nil
}

// list asks for the tables of all interfaces, which VPP gives to who asks for the interface 0.
// It is asked for no other one, as it then takes tables for lengths, and dies.
func list(ctx context.Context, vpp classify.RPCService, use Use, family int) (map[uint32]uint32, error) {
	out := map[uint32]uint32{}
	if use == CountFlows {
		all, err := vppnet.Collect(vpp.FlowClassifyDump(ctx, &classify.FlowClassifyDump{Type: classify.FlowClassifyTable(family)}))
		for _, d := range all {
			out[uint32(d.SwIfIndex)] = d.TableIndex
		}
		return out, err
	}
	all, err := vppnet.Collect(vpp.PolicerClassifyDump(ctx, &classify.PolicerClassifyDump{Type: classify.PolicerClassifyTable(family)}))
	for _, d := range all {
		out[uint32(d.SwIfIndex)] = d.TableIndex
	}
	return out, err
}

func (k *inputs) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Input], err error) {
	ours, ids := iface.Scope(k.claims).All(v)
	var requests []api.Message
	for _, id := range ids {
		requests = append(requests, &classify.ClassifyTableByInterface{SwIfIndex: interface_types.InterfaceIndex(id)})
	}
	filters, err := vppnet.AskEach[*classify.ClassifyTableByInterfaceReply](ctx, k.c, requests...)
	if err != nil {
		return nil, err
	}
	for use := range Use(len(uses)) {
		for family := range 2 {
			var all map[uint32]uint32
			if use != Filter {
				if all, err = list(ctx, k.vpp, use, family); err != nil {
					return nil, err
				}
			}
			for n, i := range ours {
				table, ok := all[i.ID]
				if use == Filter {
					table = []uint32{filters[n].IP4TableID, filters[n].IP6TableID}[family]
					ok = filters[n].Retval == 0 && table != none
				}
				if ok {
					out = append(out, found(v, i, Input{Interface: i.Spec.Name, Use: use, IPv6: family == 1}, table))
				}
			}
		}
	}
	return iface.Broken(ctx, k.c, out, Input.feature)
}

// found is what looks into a table; into one that is not ours it is somebody else's.
func found(v *desiredstate.View, i desiredstate.Actual[vppnet.Interface], spec Input, table uint32) desiredstate.Actual[Input] {
	name, ours := v.Owned(TableKey("").Space, table)
	if ours {
		spec.Table = name
	} else {
		spec.theirs = vppnet.Foreign(fmt.Sprint(table))
	}
	return desiredstate.Actual[Input]{ID: i.ID, Spec: spec, Foreign: !ours}
}
