// SPDX-License-Identifier: Apache-2.0

package place

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/vppnet"
)

// TableAt asks which table an interface is in.
func TableAt(ctx context.Context, vpp interfaces.RPCService, id uint32, is6 bool) (uint32, error) {
	r, err := vpp.SwInterfaceGetTable(ctx, &interfaces.SwInterfaceGetTable{SwIfIndex: interface_types.InterfaceIndex(id), IsIPv6: is6})
	if err != nil {
		return 0, err
	}
	return r.VrfID, nil
}

// Placed is the index of an interface that may be changed, if it stands where a spec says.
func (s Scope) Placed(ctx context.Context, vpp interfaces.RPCService, v *desiredstate.View, iface, field, table string, is6 bool) (uint32, error) {
	id, err := s.TakeIn(v, iface, table)
	if err == nil {
		_, err = Stands(ctx, vpp, v, iface, id, field, table, is6)
	}
	return id, err
}

// Stands is the number of the table that a spec names, in a field called as said, if the
// interface is there in that family: what it would be put on elsewhere would be found to be
// elsewhere, and made anew for ever.
func Stands(ctx context.Context, vpp interfaces.RPCService, v *desiredstate.View, iface string, id uint32, field, table string, is6 bool) (uint32, error) {
	want, err := TableID(v, table)
	if err != nil {
		return 0, err
	}
	is, err := TableAt(ctx, vpp, id, is6)
	if err == nil && is != want {
		err = fmt.Errorf("%w: interface %s is in %s table %d, and %s says %d: say there what its Membership says of that family, or try again when it has moved",
			desiredstate.ErrEarly, iface, inet.Family(is6), is, field, want)
	}
	return want, err
}

// Still says whether an interface that is ours to change for its table alone is in a table of ours, in a family: its
// owner may have put it elsewhere by now, with all that is on it.
func (s Scope) Still(ctx context.Context, vpp interfaces.RPCService, v *desiredstate.View, id uint32, is6 bool) (bool, error) {
	if s.wherever(v, id) {
		return true, nil
	}
	is, err := TableAt(ctx, vpp, id, is6)
	if err != nil {
		return false, vppnet.Gone(err, api.INVALID_SW_IF_INDEX)
	}
	_, ours := v.Owned(TableSpace, is)
	return ours, nil
}

// TakeStill is the index of an interface that may be changed in a family, of what names no table.
func (s Scope) TakeStill(ctx context.Context, vpp interfaces.RPCService, v *desiredstate.View, iface string, is6 bool) (uint32, error) {
	id, err := s.Take(v, iface)
	if err != nil {
		return 0, err
	}
	is, err := s.Still(ctx, vpp, v, id, is6)
	if err == nil && !is {
		err = ErrNotOurs(iface)
	}
	return id, err
}

// Looking has a kind ask Still of what is on an interface, in the family that is6 says, right before it changes or removes that.
func Looking[S desiredstate.Object](c *vppnet.Conn, s Scope, is6 func(S) bool, k *desiredstate.Kind[S]) *desiredstate.Kind[S] {
	vpp, update, remove := interfaces.NewServiceClient(c), k.Update, k.Delete
	k.Messages = append(k.Messages, c.Uses(&interfaces.SwInterfaceGetTable{})...)
	if update != nil {
		k.Update = func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[S], want S) error {
			is, err := s.Still(ctx, vpp, v, have.ID, is6(have.Spec))
			switch {
			case err != nil:
				return err
			case !is:
				return ErrMoved
			}
			return update(ctx, v, have, want)
		}
	}
	k.Delete = func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[S]) error {
		is, err := s.Still(ctx, vpp, v, have.ID, is6(have.Spec))
		if err != nil || !is {
			return err
		}
		return remove(ctx, v, have)
	}
	return k
}

// ErrMoved is of a change of what is on an interface that has left our tables.
var ErrMoved = fmt.Errorf("%w: it is in a table of ours no more", desiredstate.ErrChanged)
