// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
)

// VPP keeps an entry in the L2 FIB for the MAC of a bridge domain's BVI, and has one entry for each
// MAC. Somebody's in its place takes from the BVI all that is sent to it, for good: when that goes,
// VPP's own does not come back. So no entry is made where the BVI has the MAC, and no BVI gets the
// MAC of an entry: who comes second is refused. Of two that come at once the BVI stays, since the
// next reading finds what is in its place.

// inPlaceOfBVI is what is wrong with an entry that has the MAC of the BVI.
const inPlaceOfBVI = "it is in the place of the BVI's own, which gets no frames"

// A bvi is the BVI of a bridge domain.
type bvi struct {
	id  uint32 // all, if there is none
	mac MAC
}

// newBVIs asks for the BVIs of bridge domains.
func newBVIs(c *Conn) *shared.Batch[uint32, bvi] {
	return shared.NewBatch(func(ctx context.Context, bridges []uint32) (map[uint32]bvi, error) {
		out := make(map[uint32]bvi, len(bridges))
		var dumps []api.Message
		for _, id := range bridges {
			out[id] = bvi{id: ^uint32(0)}
			dumps = append(dumps, &l2.BridgeDomainDump{BdID: id, SwIfIndex: allInterfaces})
		}
		found, err := Ask(ctx, c, dumps...)
		if err != nil {
			return nil, err
		}
		all, err := As[*l2.BridgeDomainDetails](found)
		if err != nil {
			return nil, err
		}
		var ids []uint32
		for _, d := range all {
			if d.BviSwIfIndex != allInterfaces {
				ids = append(ids, uint32(d.BviSwIfIndex))
			}
		}
		macs, err := c.macs(ctx, ids...)
		for _, d := range all {
			id := uint32(d.BviSwIfIndex)
			out[d.BdID] = bvi{id, macs[id]}
		}
		return out, err
	})
}

// macs asks for the MACs of interfaces. A sub-interface has its parent's.
func (c *Conn) macs(ctx context.Context, ids ...uint32) (map[uint32]MAC, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var dumps []api.Message
	for _, id := range ids {
		dumps = append(dumps, &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(id)})
	}
	found, err := Ask(ctx, c, dumps...)
	if err != nil {
		return nil, err
	}
	all, err := As[*interfaces.SwInterfaceDetails](found)
	if err != nil {
		return nil, err
	}
	out, parents := map[uint32]MAC{}, []uint32(nil)
	for _, d := range all {
		if out[uint32(d.SwIfIndex)] = MAC(d.L2Address); d.SupSwIfIndex != uint32(d.SwIfIndex) {
			parents = append(parents, d.SupSwIfIndex)
		}
	}
	above, err := c.macs(ctx, parents...)
	for _, d := range all {
		if d.SupSwIfIndex != uint32(d.SwIfIndex) {
			out[uint32(d.SwIfIndex)] = above[d.SupSwIfIndex]
		}
	}
	return out, err
}

// noEntry refuses a BVI with this MAC where the bridge domain has an entry for it.
func (c *Conn) noEntry(ctx context.Context, bridge uint32, mac MAC) error {
	all, err := Collect(l2.NewServiceClient(c).L2FibTableDump(ctx, &l2.L2FibTableDump{BdID: bridge}))
	for _, d := range all {
		if d.StaticMac && !d.BviMac && MAC(d.Mac) == mac {
			return fmt.Errorf("%w: %w: its bridge domain has a static entry for the BVI's MAC, %s, in its L2 FIB: remove that, or take another MAC",
				desiredstate.ErrEarly, desiredstate.ErrConflict, mac)
		}
	}
	return err
}

// mayAdd refuses an entry with the MAC of the BVI.
func (k fib) mayAdd(ctx context.Context, v *desiredstate.View, bridge uint32, mac MAC) error {
	b, err := k.bvis.Ask(ctx, bridge)
	if err != nil || b.mac != mac {
		return err
	}
	name, _ := v.Name("interface", b.id)
	return fmt.Errorf("%w: %w: it is the MAC of the BVI, %s, which has an entry of its own: want none, or another MAC",
		desiredstate.ErrEarly, desiredstate.ErrConflict, name)
}

// restore gives the BVI its entry back, if this is in its place.
func (k fib) restore(ctx context.Context, have desiredstate.Actual[FIBEntry]) (done bool, err error) {
	if have.Broken == "" {
		return false, nil
	}
	b, err := k.bvis.Ask(ctx, have.ID)
	if err != nil || b.mac != have.Spec.MAC {
		return false, err
	}
	_, err = k.vpp.L2fibAddDel(ctx, &l2.L2fibAddDel{
		Mac: ethernet_types.MacAddress(b.mac), BdID: have.ID, SwIfIndex: interface_types.InterfaceIndex(b.id), IsAdd: true, StaticMac: true, BviMac: true,
	})
	return true, err
}

// bviMAC is the MAC of a bridge domain's BVI, as a reading found both.
func bviMAC(v *desiredstate.View, bridgeID uint32) MAC {
	b, ok := desiredstate.At[bridge](v, bridgeID)
	if !ok {
		return MAC{}
	}
	i, _ := desiredstate.At[Interface](v, uint32(b.Spec.BviSwIfIndex))
	if i.Spec.Parent != "" {
		if id, err := v.ID(InterfaceKey(i.Spec.Parent)); err == nil {
			i, _ = desiredstate.At[Interface](v, id)
		}
	}
	return i.Spec.MAC
}
