// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/af_packet"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
)

// HostInterface attaches VPP to a network device of Linux, such as one end of a
// veth pair, by way of an AF_PACKET socket.
type HostInterface struct {
	Name   string
	Device string // Linux's name for it, 1 to 15 bytes, in VPP's network namespace
	MAC    MAC    // of VPP's end; zero: made of owner and name, see Conn.MAC
}

// Key is InterfaceKey(h.Name).
func (h HostInterface) Key() desiredstate.Key { return InterfaceKey(h.Name) }

// Deps is empty.
func (h HostInterface) Deps() []desiredstate.Key { return nil }

// Validate checks name, device and MAC.
func (h HostInterface) Validate() error {
	if err := CheckName(h.Name); err != nil {
		return err
	}
	if err := checkDevice(h.Device); err != nil {
		return err
	}
	return h.MAC.CheckUnicast()
}

// checkDevice reports why Linux can have no network device of this name.
func checkDevice(name string) error {
	bad := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' || r == ':' }
	if name == "" || len(name) > 15 || name == "." || name == ".." || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("device %q: want 1 to 15 printable characters, none of them a slash, colon or space", name)
	}
	return nil
}

// HostInterfaces manages host interfaces (af_packet_create_v3). All that changes
// replaces: to set the MAC in place, VPP would change that of the Linux device.
//
// VPP shows such an interface up whatever becomes of the device. If the device
// goes, so does the traffic, until the object is removed and made again.
func HostInterfaces(c *Conn) *desiredstate.Kind[HostInterface] {
	vpp := af_packet.NewServiceClient(c)
	remove := func(ctx context.Context, device string) error {
		_, err := vpp.AfPacketDelete(ctx, &af_packet.AfPacketDelete{HostIfName: device})
		return err
	}
	return &desiredstate.Kind[HostInterface]{
		Name:     "host-interface",
		Requires: []desiredstate.AnyKind{Interfaces(c)},
		Messages: c.Uses(adopts(&af_packet.AfPacketCreateV3{}, &af_packet.AfPacketDelete{}, &af_packet.AfPacketDump{})...),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[HostInterface], err error) {
			all, err := Collect(vpp.AfPacketDump(ctx, &af_packet.AfPacketDump{}))
			for _, d := range all {
				a, ok := desiredstate.At[Interface](v, uint32(d.SwIfIndex))
				if !ok || a.Foreign && a.Spec.pristine() {
					continue // the last may be ours, Create finds out
				}
				out = append(out, desiredstate.Actual[HostInterface]{ID: a.ID, Foreign: a.Foreign, Spec: HostInterface{
					Name: a.Spec.Name, Device: d.HostIfName, MAC: a.Spec.MAC,
				}})
			}
			return out, err
		},
		Create: func(ctx context.Context, _ *desiredstate.View, h HostInterface) (uint32, error) {
			mac := c.pick(h.MAC, h.Name)
			r, err := vpp.AfPacketCreateV3(ctx, &af_packet.AfPacketCreateV3{
				Mode: af_packet.AF_PACKET_API_MODE_ETHERNET, HwAddr: ethernet_types.MacAddress(mac),
				HostIfName: h.Device, NumRxQueues: 1, NumTxQueues: 1,
			})
			if id, ok := occupied(err); ok {
				return id, c.adopt(ctx, id, h.Name, func(i Interface) bool { return i.MAC == mac })
			}
			if err != nil {
				return 0, err
			}
			id := uint32(r.SwIfIndex)
			return id, c.Own(ctx, id, h.Name, func(ctx context.Context) error { return remove(ctx, h.Device) })
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[HostInterface]) error {
			return Gone(remove(ctx, have.Spec.Device), api.SYSCALL_ERROR_1)
		},
		Fill: func(have, want HostInterface) HostInterface {
			want.MAC = c.fillMAC(have.MAC, want.MAC, want.Name)
			return want
		},
		Holds: func(h HostInterface) []desiredstate.Key {
			return []desiredstate.Key{{Space: "linux-device", Name: h.Device}}
		},
	}
}

// occupied says which interface has the device already, if that is why VPP
// refused to make another one: a failure that does no harm.
func occupied(err error) (uint32, bool) {
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, api.IF_ALREADY_EXISTS) {
		return 0, false
	}
	r, ok := e.Reply.(*af_packet.AfPacketCreateV3Reply)
	if !ok || r.SwIfIndex == ^interface_types.InterfaceIndex(0) {
		return 0, false
	}
	return uint32(r.SwIfIndex), true
}
