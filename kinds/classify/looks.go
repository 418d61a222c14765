// SPDX-License-Identifier: Apache-2.0

package classify

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/classify"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

var setInterface = [...]string{Filter: "input_acl_set_interface", Police: "policer_classify_set_interface", CountFlows: "flow_classify_set_interface"}

// checkLooks reports why a table has to stay: packets are looked up in it, and not for an Input of ours, which goes before.
func (k tables) checkLooks(ctx context.Context, v *desiredstate.View, id uint32) error {
	all, err := k.looks.Join(ctx)
	for _, look := range all[id] {
		name, _ := v.Name(vppnet.InterfaceKey("").Space, look.ID)
		if _, ours := v.Known(InputKey(name, look.Spec.Use, look.Spec.IPv6)).(Input); !ours && err == nil {
			err = fmt.Errorf("%w: packets of the interface with index %d are looked up in it, and VPP would die of one: have that taken off (%s)",
				desiredstate.ErrInUse, look.ID, setInterface[look.Spec.Use])
		}
	}
	return err
}

// everyones are the looks of all interfaces, whosever they are, by table. What an interface left behind that has
// gone is listed, too, and must not hold a table: so a VPP that does not say what is on (before 25.06) is not asked.
func (k tables) everyones(ctx context.Context) (map[uint32][]desiredstate.Actual[Input], error) {
	if !iface.Asks(k.c) {
		return nil, nil
	}
	ifs, err := vppnet.Collect(interfaces.NewServiceClient(k.c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(none)}))
	if err != nil {
		return nil, err
	}
	var requests []api.Message
	for _, i := range ifs {
		requests = append(requests, &classify.ClassifyTableByInterface{SwIfIndex: i.SwIfIndex})
	}
	filters, err := vppnet.AskEach[*classify.ClassifyTableByInterfaceReply](ctx, k.c, requests...)
	if err != nil {
		return nil, err
	}
	var looks []desiredstate.Actual[Input]
	var into []uint32
	for use := range Use(len(uses)) {
		for family := range 2 {
			all := map[uint32]uint32{}
			if use == Filter {
				for n, i := range ifs {
					if f := filters[n]; f.Retval == 0 {
						all[uint32(i.SwIfIndex)] = []uint32{f.IP4TableID, f.IP6TableID}[family]
					}
				}
			} else if all, err = list(ctx, k.vpp, use, family); err != nil {
				return nil, err
			}
			for _, i := range ifs {
				if table, is := all[uint32(i.SwIfIndex)]; is && table != none {
					looks, into = append(looks, desiredstate.Actual[Input]{ID: uint32(i.SwIfIndex), Spec: Input{Use: use, IPv6: family == 1}}), append(into, table)
				}
			}
		}
	}
	looks, err = iface.Broken(ctx, k.c, looks, Input.feature)
	by := map[uint32][]desiredstate.Actual[Input]{}
	for n, look := range looks {
		if look.Broken == "" {
			by[into[n]] = append(by[into[n]], look)
		}
	}
	return by, err
}
