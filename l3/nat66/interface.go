// SPDX-License-Identifier: Apache-2.0

package nat66

import (
	"context"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"
	binding "go.fd.io/govpp/binapi/nat66"
	"go.fd.io/govpp/binapi/nat_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

// Interface says who is behind an interface.
type Interface struct {
	Interface string
	Inside    bool // the hosts: what comes in gets its external source; else the world: what comes in gets its local destination
}

// InterfaceKey is the key of an interface's Interface.
func InterfaceKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "nat66-interface", Name: iface}
}

// Key is InterfaceKey(n.Interface).
func (n Interface) Key() desiredstate.Key { return InterfaceKey(n.Interface) }

// Deps lists the interface.
func (n Interface) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(n.Interface)}
}

// Validate checks the name.
func (n Interface) Validate() error { return vppnet.CheckRef("interface", n.Interface) }

// feature is what is on while packets are translated.
func (n Interface) feature() iface.Feature {
	f := iface.Feature{Arc: "ip6-unicast", End: "ip6-lookup", Name: "nat66-out2in"}
	if n.Inside {
		f.Name = "nat66-in2out"
	}
	return f
}

// Interfaces manages which of our interfaces, and of those that are claimed, NAT66 is on
// (nat66_add_del_interface). VPP has an interface on one side alone; the other side replaces.
//
// VPP keeps the side when the interface goes, and lists it for the next one with its index, to no
// effect. Such a one is seen, and made anew, if VPP can be asked whether it is in effect (from 25.06
// on).
func Interfaces(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Interface] {
	vpp := binding.NewServiceClient(c)
	set := func(ctx context.Context, id uint32, n Interface, add bool) error {
		q := &binding.Nat66AddDelInterface{IsAdd: add, SwIfIndex: interface_types.InterfaceIndex(id)}
		if n.Inside {
			q.Flags = nat_types.NAT_IS_INSIDE
		}
		_, err := vpp.Nat66AddDelInterface(ctx, q)
		return err
	}
	return iface.On(c, claims, &desiredstate.Kind[Interface]{
		Name:     "nat66-interface",
		Messages: iface.Uses(c, &binding.Nat66PluginEnableDisable{}, &binding.Nat66AddDelInterface{}, &binding.Nat66InterfaceDump{}, &memclnt.ControlPing{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Interface], err error) {
			all, err := vppnet.Collect(vpp.Nat66InterfaceDump(ctx, &binding.Nat66InterfaceDump{}))
			if err != nil {
				return nil, err
			}
			for _, d := range all {
				if i, ok := desiredstate.At[vppnet.Interface](v, uint32(d.SwIfIndex)); ok {
					out = append(out, desiredstate.Actual[Interface]{
						ID: i.ID, Foreign: !iface.Scope(claims).Has(i),
						Spec: Interface{Interface: i.Spec.Name, Inside: d.Flags&nat_types.NAT_IS_INSIDE != 0},
					})
				}
			}
			return iface.Broken(ctx, c, out, Interface.feature)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Interface]) error {
			return vppnet.Gone(set(ctx, have.ID, have.Spec, false), api.NO_SUCH_ENTRY, api.INVALID_SW_IF_INDEX, off)
		},
	}, func(ctx context.Context, _ *desiredstate.View, id uint32, n Interface) error {
		return on(ctx, vpp, func() error { return set(ctx, id, n, true) })
	})
}
