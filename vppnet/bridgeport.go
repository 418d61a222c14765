// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
)

// BridgePort puts an interface into a bridge domain.
type BridgePort struct {
	Bridge    string
	Interface string
	BVI       bool // the one interface by which the bridge domain reaches L3

	// SplitHorizonGroup: between two ports of one group nothing is forwarded.
	// 0: no group.
	SplitHorizonGroup uint8
}

// BridgePortKey is the key of the BridgePort of an interface, which can be in
// one bridge domain only.
func BridgePortKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "bridge-port", Name: iface}
}

// Key is BridgePortKey(p.Interface).
func (p BridgePort) Key() desiredstate.Key { return BridgePortKey(p.Interface) }

// Deps lists the bridge domain and the interface.
func (p BridgePort) Deps() []desiredstate.Key {
	return []desiredstate.Key{BridgeKey(p.Bridge), InterfaceKey(p.Interface)}
}

// Validate checks the names.
func (p BridgePort) Validate() error {
	if err := CheckRef("bridge domain", p.Bridge); err != nil {
		return err
	}
	return CheckRef("interface", p.Interface)
}

// BridgePorts manages the ports of our bridge domains, and our interfaces'
// places in others' (sw_interface_set_l2_bridge). A port is ours if its bridge
// domain or its interface is, but for those that VPP makes for overlays.
//
// What becomes a BVI has no MAC that the bridge domain has a static entry for (ErrConflict): see
// [FIBEntries].
//
// All changes happen in place. The addresses that were learnt on a port that
// changes are forgotten. A port that is removed becomes an L3 interface again, and VPP takes the
// effect on L2 from its filters: those that are to stay are put to effect by the same plan.
func BridgePorts(c *Conn) *desiredstate.Kind[BridgePort] {
	k := ports{c, l2.NewServiceClient(c), newBridged(c)}
	return &desiredstate.Kind[BridgePort]{
		Target:   c.Target(),
		Name:     "bridge-port",
		Requires: []desiredstate.AnyKind{Interfaces(c), BridgeDomains(c)},
		Messages: c.Uses(&l2.SwInterfaceSetL2Bridge{}, &interfaces.SwInterfaceDump{}, &l2.L2InterfaceVlanTagRewrite{},
			&l2.L2FibTableDump{}, &memclnt.ControlPing{}),
		Dump: Reread(c, func(_ context.Context, v *desiredstate.View) (out []desiredstate.Actual[BridgePort], err error) {
			for b := range desiredstate.All[bridge](v) {
				for _, p := range b.Spec.SwIfDetails {
					id := uint32(p.SwIfIndex)
					if i, ok := desiredstate.At[Interface](v, id); ok {
						foreign := b.Foreign && i.Foreign || i.Foreign && i.Spec.Device == deviceOverlayL2
						out = append(out, desiredstate.Actual[BridgePort]{ID: id, Foreign: foreign, Spec: BridgePort{
							Bridge: b.Spec.name, Interface: i.Spec.Name, BVI: p.SwIfIndex == b.Spec.BviSwIfIndex, SplitHorizonGroup: p.Shg,
						}})
					}
				}
			}
			return out, nil
		}),
		Check: func(v *desiredstate.View, p BridgePort) error {
			return CheckOurs(v, "neither the bridge domain nor the interface is", BridgeKey(p.Bridge), InterfaceKey(p.Interface))
		},
		Create: func(ctx context.Context, v *desiredstate.View, p BridgePort) (uint32, error) {
			id, err := v.ID(InterfaceKey(p.Interface))
			if err != nil {
				return 0, err
			}
			return id, k.join(ctx, v, id, p)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[BridgePort], want BridgePort) error {
			if is, err := k.still(ctx, v, have); err != nil || !is {
				return cmp.Or(err, moved("it is in that bridge domain no more"))
			}
			return k.join(ctx, v, have.ID, want)
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[BridgePort]) error {
			if is, err := k.still(ctx, v, have); err != nil || !is {
				return err
			}
			return k.leave(ctx, have.ID)
		},
		Holds: func(p BridgePort) []desiredstate.Key {
			held := []desiredstate.Key{FrameKey(p.Interface)}
			if p.BVI {
				held = append(held, desiredstate.Key{Space: "bvi", Name: p.Bridge})
			}
			return held
		},
		Undoes: func(p BridgePort) []desiredstate.Key { return filterKeys(p.Interface) },
	}
}

// filterKeys are those of what VPP takes off an interface that leaves L2, and still lists: the keys of
// acl.Binding, acl.MACIPBinding and qos.Record, of IP.
func filterKeys(iface string) []desiredstate.Key {
	return []desiredstate.Key{{Space: "acl-binding", Name: iface}, {Space: "macip-binding", Name: iface}, {Space: "qos-record", Name: iface + " ip"}}
}

type ports struct {
	c   *Conn
	vpp l2.RPCService
	in  *shared.Round[map[uint32]uint32]
}

// newBridged asks in which bridge domain each interface is. Those who ask at once share the
// answer.
func newBridged(c *Conn) *shared.Round[map[uint32]uint32] {
	vpp := l2.NewServiceClient(c)
	return shared.NewRound(func(ctx context.Context) (map[uint32]uint32, error) {
		all, err := Collect(vpp.BridgeDomainDump(ctx, &l2.BridgeDomainDump{BdID: ^uint32(0), SwIfIndex: allInterfaces}))
		in := map[uint32]uint32{}
		for _, d := range all {
			for _, p := range d.SwIfDetails {
				in[uint32(p.SwIfIndex)] = d.BdID
			}
		}
		return in, err
	})
}

// still says whether a port is where it was found. An interface of ours is ours to move
// wherever it is; another's may be there by now where its owner wants it.
func (k ports) still(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[BridgePort]) (bool, error) {
	if _, ours := v.Owned("interface", have.ID); ours {
		return true, nil
	}
	in, err := k.in.Join(ctx)
	if err != nil {
		return false, err
	}
	bridge, err := v.ID(BridgeKey(have.Spec.Bridge))
	is, bridged := in[have.ID]
	return err == nil && bridged && is == bridge, nil
}

// moved is why what was found somewhere is not changed there.
func moved(why string) error { return fmt.Errorf("%w: %s", desiredstate.ErrChanged, why) }

func (k ports) join(ctx context.Context, v *desiredstate.View, id uint32, p BridgePort) error {
	bridge, err := v.ID(BridgeKey(p.Bridge)) // VPP makes one up if there is none
	if err != nil {
		return err
	}
	done, err := k.c.macTurn(ctx, id)
	if err != nil {
		return err
	}
	defer done()
	if p.BVI {
		if err := k.mayBeBVI(ctx, v, bridge, id, p.Interface); err != nil {
			return err
		}
	}
	req := &l2.SwInterfaceSetL2Bridge{
		RxSwIfIndex: interface_types.InterfaceIndex(id), BdID: bridge, Shg: p.SplitHorizonGroup, Enable: true,
	}
	if p.BVI {
		req.PortType = l2.L2_API_PORT_TYPE_BVI
	}
	_, err = k.vpp.SwInterfaceSetL2Bridge(ctx, req)
	if errors.Is(err, api.BD_ALREADY_HAS_BVI) {
		// VPP has taken the port out of where it was, and left it in between.
		ctx, cancel := shared.Outlive(ctx)
		defer cancel()
		err = errors.Join(err, k.out(ctx, id))
	}
	return err
}

// mayBeBVI refuses a BVI without a MAC, or with one that the bridge domain has an entry for.
func (k ports) mayBeBVI(ctx context.Context, v *desiredstate.View, bridge, id uint32, iface string) error {
	if err := CheckNoOverlay(v, id, iface); err != nil {
		return err
	}
	macs, err := k.c.macs(ctx, id)
	if err != nil {
		return err
	}
	return k.c.noEntry(ctx, bridge, macs[id])
}

// leave makes the interface an L3 one.
func (k ports) leave(ctx context.Context, id uint32) error {
	done, err := k.c.macTurn(ctx, id)
	if err != nil {
		return err
	}
	defer done()
	return k.out(ctx, id)
}

// out makes the interface an L3 one. VPP forgets its tag rewrite on the way,
// which is not the port's to lose, so it is set again.
func (k ports) out(ctx context.Context, id uint32) error {
	i, err := k.c.at(ctx, id)
	if err != nil {
		return Gone(err, api.INVALID_SW_IF_INDEX)
	}
	_, err = k.vpp.SwInterfaceSetL2Bridge(ctx, &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: interface_types.InterfaceIndex(id)})
	if i.Rewrite != (Rewrite{}) && !errors.Is(err, api.INVALID_SW_IF_INDEX) {
		// Even if leaving failed: its reply may be what was lost. A port that has
		// left is not removed again, and the rewrite is known only here: hence a
		// second try.
		ctx, cancel := shared.Outlive(ctx)
		defer cancel()
		if again := k.c.rewrite(ctx, id, i.Rewrite); again != nil {
			err = errors.Join(err, k.c.rewrite(ctx, id, i.Rewrite))
		}
	}
	return Gone(err, api.INVALID_SW_IF_INDEX)
}
