// SPDX-License-Identifier: Apache-2.0

package wireguard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/wireguard"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/vppnet"
)

// Interface is VPP's end of tunnels to any number of peers.
type Interface struct {
	Name       string
	PrivateKey vppnet.Secret // 32 bytes in base64
	Src        netip.Addr    // where packets to peers come from
	Port       uint16        // UDP, 1 to 65535, that VPP listens at, and sends from

	public PublicKey // of one that was found
}

// Device is VPP's class of it, by which a vppnet.SubInterface is refused.
func (i Interface) Device() string { return "Wireguard Tunnel" }

// Key is vppnet.InterfaceKey(i.Name).
func (i Interface) Key() desiredstate.Key { return vppnet.InterfaceKey(i.Name) }

// Deps is empty.
func (i Interface) Deps() []desiredstate.Key { return nil }

// Validate checks name, key, address and port.
func (i Interface) Validate() error {
	if err := vppnet.CheckName(i.Name); err != nil {
		return err
	}
	switch {
	case i.PrivateKey.IsZero() && i.public != PublicKey{}:
		return errors.New("private key: it was found in VPP, which is not asked for it: say it anew")
	case !i.Src.IsValid() || i.Src.IsUnspecified() || i.Src.IsMulticast() || i.Src.Is4In6() || i.Src.Zone() != "":
		return fmt.Errorf("source %s: want an IPv4 or IPv6 address of VPP, without a zone", i.Src)
	case i.Port == 0:
		return errors.New("no port")
	}
	if err := vppnet.CheckUDPPort(i.Port); err != nil {
		return err
	}
	_, err := secretBytes(i.PrivateKey)
	return err
}

// sameAs says whether an interface that was found is as wanted, but for its name.
func (i Interface) sameAs(found Interface, keys *publicKeys) bool {
	public, err := keys.of(i.PrivateKey)
	return err == nil && public == found.public && i.Src == found.Src && i.Port == found.Port
}

// Interfaces manages WireGuard interfaces (wireguard_interface_create). One that is changed is
// made anew, with its peers. Two cannot have one port, though VPP takes that: when the second of
// them goes, VPP writes where it must not. Nor can one have the port of a VXLAN tunnel: VPP takes it
// from whatever listens there, and leaves it to nobody.
func Interfaces(c *vppnet.Conn) *desiredstate.Kind[Interface] {
	vpp, keys, taken := wireguard.NewServiceClient(c), new(publicKeys), vppnet.UDPListeners(c, true)
	return vppnet.Tagged(c, &desiredstate.Kind[Interface]{
		Name:     "wireguard",
		Messages: c.Uses(&wireguard.WireguardInterfaceCreate{}, &wireguard.WireguardInterfaceDelete{}, &wireguard.WireguardInterfaceDump{}, &memclnt.ControlPing{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Interface], err error) {
			all, err := vppnet.Collect(vpp.WireguardInterfaceDump(ctx, &wireguard.WireguardInterfaceDump{SwIfIndex: all}))
			for _, d := range all {
				if i, ok := desiredstate.At[vppnet.Interface](v, uint32(d.Interface.SwIfIndex)); ok {
					out = append(out, desiredstate.Actual[Interface]{ID: i.ID, Spec: Interface{
						Name: i.Spec.Name, Src: inet.Read(d.Interface.SrcIP), Port: d.Interface.Port, public: PublicKey(d.Interface.PublicKey),
					}})
				}
			}
			return out, err
		},
		Create: func(ctx context.Context, _ *desiredstate.View, i Interface) (uint32, error) {
			key, err := secretBytes(i.PrivateKey)
			if err != nil {
				return 0, err
			}
			if err := taken(ctx, i.Port); err != nil {
				return 0, err
			}
			r, err := vpp.WireguardInterfaceCreate(ctx, &wireguard.WireguardInterfaceCreate{Interface: wireguard.WireguardInterface{
				UserInstance: none, PrivateKey: key, Port: i.Port, SrcIP: inet.Address(i.Src),
			}})
			if err != nil {
				return 0, err
			}
			return uint32(r.SwIfIndex), nil
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Interface]) error {
			_, err := vpp.WireguardInterfaceDelete(ctx, &wireguard.WireguardInterfaceDelete{SwIfIndex: interface_types.InterfaceIndex(have.ID)})
			return vppnet.Gone(err, api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[Interface], want Interface) Interface {
			if want.sameAs(have.Spec, keys) {
				want.PrivateKey, want.public = have.Spec.PrivateKey, have.Spec.public
			}
			return want
		},
		Holds: func(i Interface) []desiredstate.Key { return []desiredstate.Key{vppnet.UDPPortKey(i.Port)} },
	}, vppnet.Orphan[Interface]{Like: func(have, want Interface) bool { // want is filled
		have.Name = want.Name
		return have == want
	}})
}

const (
	all  = interface_types.InterfaceIndex(none)
	none = ^uint32(0)
)
