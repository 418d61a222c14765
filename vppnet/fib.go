// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
)

// FIBEntry says where a bridge domain finds an address: a static entry of its
// L2 FIB, which neither ages nor moves.
type FIBEntry struct {
	Bridge    string // one of ours
	MAC       MAC
	Interface string // a port of the bridge domain
	Filter    bool   // drop what is sent to the address; Interface is ""
}

// Key is "l2-fib/<bridge> <MAC>".
func (f FIBEntry) Key() desiredstate.Key {
	return desiredstate.Key{Space: "l2-fib", Name: f.Bridge + " " + f.MAC.String()}
}

// Deps lists the bridge domain, the port and its interface, because an entry that
// survived one of them would belong to the next one with its number.
func (f FIBEntry) Deps() []desiredstate.Key {
	deps := []desiredstate.Key{BridgeKey(f.Bridge)}
	if f.Interface != "" {
		deps = append(deps, BridgePortKey(f.Interface), InterfaceKey(f.Interface))
	}
	return deps
}

// Validate wants a unicast address, and either an interface or Filter.
func (f FIBEntry) Validate() error {
	if err := CheckRef("bridge domain", f.Bridge); err != nil {
		return err
	}
	switch {
	case f.MAC.IsZero():
		return errors.New("MAC is not set")
	case f.Filter && f.Interface != "":
		return errors.New("an entry that filters has no interface")
	case !f.Filter:
		if err := CheckRef("interface", f.Interface); err != nil {
			return err
		}
	}
	return f.MAC.CheckUnicast()
}

// FIBEntries manages the static L2 FIB entries of our bridge domains, all of
// them (l2fib_add_del); the one that VPP makes for a BVI is not shown, and none takes
// its place (ErrConflict). All changes happen in place.
//
// A reading walks the L2 FIB of the whole VPP (l2_fib_table_dump), learnt entries
// included, while all workers stand still. Where there are 100,000s of them,
// read seldom.
func FIBEntries(c *Conn) *desiredstate.Kind[FIBEntry] {
	k := fib{l2.NewServiceClient(c), newBVIs(c)}
	return &desiredstate.Kind[FIBEntry]{
		Target:   c.Target(),
		Name:     "l2-fib",
		Requires: []desiredstate.AnyKind{Interfaces(c), BridgeDomains(c), BridgePorts(c)},
		Messages: c.Uses(&l2.L2FibTableDump{}, &l2.L2fibAddDel{}, &l2.BridgeDomainDump{}, &interfaces.SwInterfaceDump{}, &memclnt.ControlPing{}),
		Dump:     Reread(c, k.dump),
		Check: func(v *desiredstate.View, f FIBEntry) error {
			return CheckOurs(v, "bridge domain "+f.Bridge, BridgeKey(f.Bridge))
		},
		Create: func(ctx context.Context, v *desiredstate.View, f FIBEntry) (uint32, error) {
			bridge, err := v.ID(BridgeKey(f.Bridge))
			if err != nil {
				return 0, err
			}
			return bridge, k.add(ctx, v, bridge, f)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[FIBEntry], want FIBEntry) error {
			if _, err := k.restore(ctx, have); err != nil {
				return err
			}
			return k.add(ctx, v, have.ID, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[FIBEntry]) error {
			// Interface 0 is any. By the true one, an entry could not be deleted
			// whose interface has gone.
			if done, err := k.restore(ctx, have); done || err != nil {
				return err
			}
			_, err := k.vpp.L2fibAddDel(ctx, &l2.L2fibAddDel{Mac: ethernet_types.MacAddress(have.Spec.MAC), BdID: have.ID})
			return Gone(err, api.NO_SUCH_ENTRY)
		},
	}
}

type fib struct {
	vpp  l2.RPCService
	bvis *shared.Batch[uint32, bvi]
}

func (k fib) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[FIBEntry], err error) {
	var ours []uint32
	for b := range desiredstate.All[BridgeDomain](v) {
		if !b.Foreign {
			ours = append(ours, b.ID)
		}
	}
	if len(ours) == 0 {
		return nil, nil
	}
	bvis := map[uint32]MAC{}
	for _, b := range ours {
		bvis[b] = bviMAC(v, b)
	}
	// VPP walks the whole table for each dump.
	bridge := ours[0]
	if len(ours) > 1 {
		bridge = ^uint32(0)
	}
	all, err := Collect(k.vpp.L2FibTableDump(ctx, &l2.L2FibTableDump{BdID: bridge}))
	for _, d := range slices.DeleteFunc(all, func(d *l2.L2FibTableDetails) bool { return !d.StaticMac || d.BviMac }) {
		bridge, ok := v.Owned("bridge-domain", d.BdID)
		if !ok {
			continue
		}
		f := FIBEntry{Bridge: bridge, MAC: MAC(d.Mac), Filter: d.FilterMac}
		if !f.Filter {
			if f.Interface, ok = v.Name("interface", uint32(d.SwIfIndex)); !ok {
				f.Interface = Foreign(fmt.Sprint(d.SwIfIndex)) // gone; known so that it can be deleted
			}
		}
		a := desiredstate.Actual[FIBEntry]{Spec: f, ID: d.BdID}
		if !f.MAC.IsZero() && bvis[d.BdID] == f.MAC {
			a.Broken = inPlaceOfBVI
		}
		out = append(out, a)
	}
	return out, err
}

func (k fib) add(ctx context.Context, v *desiredstate.View, bridge uint32, f FIBEntry) error {
	if err := k.mayAdd(ctx, v, bridge, f.MAC); err != nil {
		return err
	}
	req := &l2.L2fibAddDel{
		Mac: ethernet_types.MacAddress(f.MAC), BdID: bridge, IsAdd: true, StaticMac: true, FilterMac: f.Filter,
		SwIfIndex: allInterfaces,
	}
	if !f.Filter {
		id, err := v.ID(InterfaceKey(f.Interface))
		if err != nil {
			return err
		}
		req.SwIfIndex = interface_types.InterfaceIndex(id)
	}
	_, err := k.vpp.L2fibAddDel(ctx, req)
	return err
}
