// SPDX-License-Identifier: Apache-2.0

package urpf

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/urpf"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

// Check drops packets of one family by their source addresses, as the table of the interface
// has them. The zero value of the rest is: IPv4, what comes in, and strict.
type Check struct {
	Interface string
	IPv6      bool
	Output    bool // what goes out; else what comes in

	// Loose is content with a route to the source, by whatever interface. Strict wants
	// one by this interface.
	Loose bool
}

// CheckKey is the key of a check.
func CheckKey(iface string, ipv6, output bool) desiredstate.Key {
	k := desiredstate.Key{Space: "urpf", Name: iface + " IPv4"}
	if ipv6 {
		k.Name = iface + " IPv6"
	}
	if output {
		k.Name += " output"
	}
	return k
}

// Key is CheckKey(c.Interface, c.IPv6, c.Output).
func (c Check) Key() desiredstate.Key { return CheckKey(c.Interface, c.IPv6, c.Output) }

// Deps lists the interface.
func (c Check) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(c.Interface)}
}

// Validate checks the name.
func (c Check) Validate() error { return vppnet.CheckRef("interface", c.Interface) }

// Checks manages the checks of our interfaces, and of those that are claimed
// (urpf_update_v2). Loose changes in place. A check by the routes of another table than the
// interface's is taken for one by its own.
//
// VPP keeps a check when its interface goes, and lists it for the next one with the same
// index, to no effect. Such a one is seen, and put into effect, if VPP can be asked whether
// it is (from 25.06 on).
func Checks(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Check] {
	k := checks{c, urpf.NewServiceClient(c), claims}
	return iface.On(c, claims, &desiredstate.Kind[Check]{
		Name:     "urpf",
		Messages: iface.Uses(c, &urpf.UrpfUpdateV2{}, &urpf.UrpfInterfaceDump{}, &memclnt.ControlPing{}),
		Dump:     k.dump,
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Check], want Check) error {
			if have.Broken != "" {
				return k.anew(ctx, v, have.ID, want)
			}
			return k.set(ctx, have.ID, want, want.mode())
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Check]) error {
			return vppnet.Gone(k.set(ctx, have.ID, have.Spec, urpf.URPF_API_MODE_OFF), api.INVALID_SW_IF_INDEX)
		},
	}, k.anew)
}

type checks struct {
	c      *vppnet.Conn
	vpp    urpf.RPCService
	claims []vppnet.Claim
}

func (c Check) mode() urpf.UrpfMode {
	if c.Loose {
		return urpf.URPF_API_MODE_LOOSE
	}
	return urpf.URPF_API_MODE_STRICT
}

// feature is what is on while the check is in effect.
func (c Check) feature() iface.Feature {
	family, where, way, end := "ip4", "unicast", "rx", "ip4-lookup"
	if c.IPv6 {
		family, end = "ip6", "ip6-lookup"
	}
	if c.Output {
		where, way, end = "output", "tx", "interface-output"
	}
	mode := "strict"
	if c.Loose {
		mode = "loose"
	}
	return iface.Feature{Arc: family + "-" + where, End: end, Name: fmt.Sprintf("%s-%s-urpf-%s", family, way, mode)}
}

func (k checks) set(ctx context.Context, id uint32, x Check, mode urpf.UrpfMode) error {
	req := &urpf.UrpfUpdateV2{SwIfIndex: interface_types.InterfaceIndex(id), Mode: mode, IsInput: !x.Output, TableID: ^uint32(0)}
	if x.IPv6 {
		req.Af = ip_types.ADDRESS_IP6
	}
	_, err := k.vpp.UrpfUpdateV2(ctx, req)
	return err
}

// anew sets a check that VPP may think is set, of an interface that had the index before.
func (k checks) anew(ctx context.Context, _ *desiredstate.View, id uint32, x Check) error {
	if err := k.set(ctx, id, x, urpf.URPF_API_MODE_OFF); err != nil {
		return err
	}
	return k.set(ctx, id, x, x.mode())
}

func (k checks) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Check], err error) {
	found, err := vppnet.Collect(k.vpp.UrpfInterfaceDump(ctx, &urpf.UrpfInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	if err != nil {
		return nil, err
	}
	for _, d := range found {
		i, ok := desiredstate.At[vppnet.Interface](v, uint32(d.SwIfIndex))
		if !ok || d.Mode == urpf.URPF_API_MODE_OFF {
			continue
		}
		out = append(out, desiredstate.Actual[Check]{
			ID: i.ID, Foreign: !iface.Scope(k.claims).Has(i),
			Spec: Check{Interface: i.Spec.Name, IPv6: d.Af == ip_types.ADDRESS_IP6, Output: !d.IsInput, Loose: d.Mode == urpf.URPF_API_MODE_LOOSE},
		})
	}
	return iface.Broken(ctx, k.c, out, Check.feature)
}
