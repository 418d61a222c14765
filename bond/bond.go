// SPDX-License-Identifier: Apache-2.0

package bond

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/bond"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Bond is an interface that is made of others, its [Member]s. Without any it drops all.
type Bond struct {
	Name    string
	Mode    Mode
	Balance Balance // of XOR and LACP

	// NUMAOnly has LACP send only by members that are near the CPU, as long as there are any.
	NUMAOnly bool

	// GSO has segments made by members, which must all be able to. VPP does not show it, so
	// the bond's tag keeps it: it takes two of the 63 bytes that the tag has.
	GSO bool

	// MAC is the bond's and all members'; zero: made of owner and name, see Conn.MAC. LACP
	// makes itself known by it, so it must differ from that of the other end.
	MAC vppnet.MAC

	// ID is the number in VPP's name for it, "BondEthernet7", 1 to 4294967294. 0: one that is
	// free.
	ID uint32
}

// Key is vppnet.InterfaceKey(b.Name).
func (b Bond) Key() desiredstate.Key { return vppnet.InterfaceKey(b.Name) }

// Deps is empty.
func (b Bond) Deps() []desiredstate.Key { return nil }

// Validate checks name, mode and MAC, and that the mode looks at what is set.
func (b Bond) Validate() error {
	if err := (*vppnet.Conn)(nil).CheckName(b.Name, b.options()...); err != nil {
		return err
	}
	switch {
	case b.Mode == 0 || b.Mode > LACP:
		return fmt.Errorf("mode %q, want one of %q", b.Mode, modes[1:])
	case b.Balance > L23:
		return fmt.Errorf("balance %v, want one of %q", b.Balance, balances)
	case b.Balance != 0 && !b.Mode.balances():
		return fmt.Errorf("balance %v: mode %v does not look at it", b.Balance, b.Mode)
	case b.NUMAOnly && b.Mode != LACP:
		return fmt.Errorf("NUMA only: mode %v does not look at it", b.Mode)
	case b.ID == noInterface:
		return fmt.Errorf("ID %d is VPP's word for none", b.ID)
	}
	return b.MAC.CheckUnicast()
}

const noInterface = 1<<32 - 1

// options are kept in the tag.
func (b Bond) options() []string {
	if b.GSO {
		return []string{optionGSO}
	}
	return nil
}

const optionGSO = "g"

// Bonds manages bonds (bond_create2). All that changes replaces: VPP would give another MAC
// to the bond, but not to the members that come to it later.
//
// A bond that was given a MAC bears no mark of ours before it has its tag: if the program
// dies between the two messages, it stays until an object like it is wanted again.
func Bonds(c *vppnet.Conn) *desiredstate.Kind[Bond] {
	k := bonds{c, bond.NewServiceClient(c)}
	return vppnet.Tagged(c, &desiredstate.Kind[Bond]{
		Name:     "bond",
		Messages: c.Uses(&bond.SwBondInterfaceDump{}, &bond.BondCreate2{}, &bond.BondDelete{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Bond], err error) {
			all, err := k.all(ctx)
			for _, d := range all {
				i, _ := desiredstate.At[vppnet.Interface](v, uint32(d.SwIfIndex))
				b := Bond{Name: i.Spec.Name, Mode: Mode(d.Mode), NUMAOnly: d.NumaOnly, MAC: i.Spec.MAC, ID: d.ID}
				if b.Mode.balances() {
					b.Balance = Balance(d.Lb)
				}
				b.GSO = slices.Contains(c.TagOptions(i.Spec.Tag), optionGSO)
				out = append(out, desiredstate.Actual[Bond]{Spec: b, ID: uint32(d.SwIfIndex)})
			}
			return out, err
		},
		Create: func(ctx context.Context, _ *desiredstate.View, b Bond) (uint32, error) { return k.create(ctx, b) },
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Bond]) error {
			_, err := k.vpp.BondDelete(ctx, &bond.BondDelete{SwIfIndex: interface_types.InterfaceIndex(have.ID)})
			return vppnet.Gone(err, api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[Bond], want Bond) Bond {
			if want.MAC.IsZero() && have.Spec.MAC == c.MAC(want.Name) {
				want.MAC = have.Spec.MAC
			}
			if want.ID == 0 {
				want.ID = have.Spec.ID
			}
			return want
		},
		Holds: func(b Bond) []desiredstate.Key {
			if b.ID == 0 {
				return nil
			}
			return []desiredstate.Key{{Space: "bond-id", Name: strconv.FormatUint(uint64(b.ID), 10)}}
		},
	}, vppnet.Orphan[Bond]{
		Mark:   func(want Bond) string { return k.mac(want).String() },
		Marked: func(found Bond, _ vppnet.Interface) (string, bool) { return found.MAC.String(), c.Signed(found.MAC) },
		Like: func(have, want Bond) bool {
			have.Name, have.GSO = want.Name, want.GSO // which VPP does not show
			return have == want
		},
		Anew:    true,
		Options: Bond.options,
	})
}

type bonds struct {
	c   *vppnet.Conn
	vpp bond.RPCService
}

func (k bonds) all(ctx context.Context) ([]*bond.SwBondInterfaceDetails, error) {
	return vppnet.Collect(k.vpp.SwBondInterfaceDump(ctx, &bond.SwBondInterfaceDump{SwIfIndex: noInterface}))
}

func (k bonds) mac(b Bond) vppnet.MAC {
	if b.MAC.IsZero() {
		return k.c.MAC(b.Name)
	}
	return b.MAC
}

func (k bonds) create(ctx context.Context, b Bond) (uint32, error) {
	req := &bond.BondCreate2{
		Mode: bond.BondMode(b.Mode), Lb: bond.BondLbAlgo(b.Balance), NumaOnly: b.NUMAOnly, EnableGso: b.GSO,
		UseCustomMac: true, MacAddress: ethernet_types.MacAddress(k.mac(b)), ID: noInterface,
	}
	if b.ID != 0 {
		req.ID = b.ID
	}
	r, err := k.vpp.BondCreate2(ctx, req)
	if errors.Is(err, api.INSTANCE_IN_USE) && b.ID == 0 {
		// VPP picks without regard to the numbers that were asked for.
		if req.ID, err = k.free(ctx); err == nil {
			r, err = k.vpp.BondCreate2(ctx, req)
		}
	}
	switch {
	case errors.Is(err, api.FEATURE_DISABLED):
		return 0, fmt.Errorf("mode %v needs VPP's plugin lacp: load it: %w", b.Mode, err)
	case err != nil:
		return 0, err
	}
	return uint32(r.SwIfIndex), nil
}

// free is the lowest number from 1 up that no bond has.
func (k bonds) free(ctx context.Context) (uint32, error) {
	all, err := k.all(ctx)
	taken := make(map[uint32]bool, len(all))
	for _, d := range all {
		taken[d.ID] = true
	}
	id := uint32(1)
	for taken[id] {
		id++
	}
	return id, err
}
