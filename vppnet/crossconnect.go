// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
)

// CrossConnect sends all frames that come in by one interface out by another, without a look
// at them. A wire in both directions is two of them. To has to be bridged or cross-connected, too: VPP
// drops what leaves by an interface that is in L3, and says so nowhere but in its counters.
type CrossConnect struct {
	From, To string // interfaces
}

// Key is BridgePortKey(x.From): an interface has one place in L2, in a bridge domain or in a
// cross-connect.
func (x CrossConnect) Key() desiredstate.Key { return BridgePortKey(x.From) }

// Deps lists the interfaces.
func (x CrossConnect) Deps() []desiredstate.Key {
	return []desiredstate.Key{InterfaceKey(x.From), InterfaceKey(x.To)}
}

// Validate checks the names.
func (x CrossConnect) Validate() error {
	if x.From == x.To {
		return fmt.Errorf("interface %q is connected to itself", x.From)
	}
	return cmp.Or(CheckRef("interface of the frames", x.From), CheckRef("interface that they leave by", x.To))
}

// CrossConnects manages L2 cross-connects of our interfaces, or to our interfaces
// (sw_interface_set_l2_xconnect). To changes in place. One that is removed leaves an L3
// interface, as a BridgePort does.
func CrossConnects(c *Conn) *desiredstate.Kind[CrossConnect] {
	vpp := l2.NewServiceClient(c)
	set := func(ctx context.Context, v *desiredstate.View, x CrossConnect) (uint32, error) {
		from, err := v.ID(InterfaceKey(x.From))
		if err != nil {
			return 0, err
		}
		to, err := v.ID(InterfaceKey(x.To))
		if err != nil {
			return 0, err
		}
		_, err = vpp.SwInterfaceSetL2Xconnect(ctx, &l2.SwInterfaceSetL2Xconnect{
			RxSwIfIndex: interface_types.InterfaceIndex(from), TxSwIfIndex: interface_types.InterfaceIndex(to), Enable: true,
		})
		return from, err
	}
	// Where frames of an interface go that is not ours, its owner may have changed by now.
	still := func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[CrossConnect]) (bool, error) {
		if _, ours := v.Owned("interface", have.ID); ours {
			return true, nil
		}
		all, err := Collect(vpp.L2XconnectDump(ctx, &l2.L2XconnectDump{}))
		return slices.ContainsFunc(all, func(d *l2.L2XconnectDetails) bool {
			to, _ := v.Name("interface", uint32(d.TxSwIfIndex))
			return uint32(d.RxSwIfIndex) == have.ID && to == have.Spec.To
		}), err
	}
	return &desiredstate.Kind[CrossConnect]{
		Target:   c.Target(),
		Name:     "cross-connect",
		Requires: []desiredstate.AnyKind{Interfaces(c), BridgePorts(c)},
		Messages: c.Uses(&l2.SwInterfaceSetL2Xconnect{}, &l2.L2XconnectDump{}, &memclnt.ControlPing{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[CrossConnect], err error) {
			all, err := Collect(vpp.L2XconnectDump(ctx, &l2.L2XconnectDump{}))
			for _, d := range all {
				from, ok := desiredstate.At[Interface](v, uint32(d.RxSwIfIndex))
				to, _ := desiredstate.At[Interface](v, uint32(d.TxSwIfIndex)) // no name if it has gone
				if ok {
					out = append(out, desiredstate.Actual[CrossConnect]{
						ID: from.ID, Foreign: from.Foreign && (to.Foreign || to.Spec.Name == ""), Spec: CrossConnect{from.Spec.Name, to.Spec.Name},
					})
				}
			}
			return out, err
		},
		Shares: func(x CrossConnect) []desiredstate.Key { return UseKeys(x.From, x.To) },
		Holds:  func(x CrossConnect) []desiredstate.Key { return []desiredstate.Key{FrameKey(x.From)} },
		Undoes: func(x CrossConnect) []desiredstate.Key { return filterKeys(x.From) },
		Check: func(v *desiredstate.View, x CrossConnect) error {
			return CheckOurs(v, "neither of the interfaces is", InterfaceKey(x.From), InterfaceKey(x.To))
		},
		Create: set,
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[CrossConnect], want CrossConnect) error {
			if is, err := still(ctx, v, have); err != nil || !is {
				return cmp.Or(err, moved("its frames are cross-connected so no more"))
			}
			_, err := set(ctx, v, want)
			return err
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[CrossConnect]) error {
			if is, err := still(ctx, v, have); err != nil || !is {
				return err
			}
			return ports{c: c, vpp: vpp}.leave(ctx, have.ID)
		},
	}
}
