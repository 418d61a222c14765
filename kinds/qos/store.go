// SPDX-License-Identifier: Apache-2.0

package qos

import (
	"context"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/qos"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

// Store notes a mark of its own of each IP packet that an interface receives, whatever the
// packet says.
type Store struct {
	Interface string
	Value     uint8
}

// StoreKey is the key of the store of an interface.
func StoreKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "qos-store", Name: iface}
}

// Key is StoreKey(s.Interface).
func (s Store) Key() desiredstate.Key { return StoreKey(s.Interface) }

// Deps lists the interface.
func (s Store) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(s.Interface)}
}

// Validate checks the name.
func (s Store) Validate() error { return vppnet.CheckRef("interface", s.Interface) }

// Stores manages what is noted instead of packets' marks on our interfaces, and on those
// that are claimed (qos_store_enable_disable). VPP counts how often it was told so and takes
// no other value meanwhile: another value replaces, and it is turned off as often as it is
// on.
func Stores(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Store] {
	vpp := qos.NewServiceClient(c)
	set := func(ctx context.Context, id uint32, s Store, on bool) error {
		_, err := vpp.QosStoreEnableDisable(ctx, &qos.QosStoreEnableDisable{Enable: on, Store: qos.QosStore{
			SwIfIndex: interface_types.InterfaceIndex(id), InputSource: qos.QOS_API_SOURCE_IP, Value: s.Value,
		}})
		return err
	}
	return iface.On(c, claims, &desiredstate.Kind[Store]{
		Name:     "qos-store",
		Messages: c.Uses(&qos.QosStoreEnableDisable{}, &qos.QosStoreDump{}, &memclnt.ControlPing{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Store], err error) {
			found, err := vppnet.Collect(vpp.QosStoreDump(ctx, &qos.QosStoreDump{}))
			for _, d := range found {
				i, ok := desiredstate.At[vppnet.Interface](v, uint32(d.Store.SwIfIndex))
				if ok && d.Store.InputSource == qos.QOS_API_SOURCE_IP {
					out = append(out, desiredstate.Actual[Store]{
						ID: i.ID, Foreign: !iface.Scope(claims).Has(i),
						Spec: Store{Interface: i.Spec.Name, Value: d.Store.Value},
					})
				}
			}
			return out, err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Store]) error {
			return untilOff(func() error { return set(ctx, have.ID, have.Spec, false) })
		},
	}, func(ctx context.Context, _ *desiredstate.View, id uint32, s Store) error {
		return set(ctx, id, s, true)
	})
}
