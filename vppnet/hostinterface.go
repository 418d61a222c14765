// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"fmt"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/af_packet"
	"go.fd.io/govpp/binapi/ethernet_types"

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
	bad := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' || r == ':' || r == '%' }
	if name == "" || len(name) > 15 || name == "." || name == ".." || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("device %q: want 1 to 15 printable characters, none of them a slash, colon, percent sign or space", name)
	}
	return nil
}

// HostInterfaces manages host interfaces (af_packet_create_v3). All that changes
// replaces: to set the MAC in place, VPP would change that of the Linux device. It has done
// so already to one that leaves a bond: that gets its MAC in place.
//
// One that was given a MAC bears no mark of ours before it has its tag: if the program
// dies between the two messages, it stays until an object like it is wanted again.
//
// VPP shows such an interface up whatever becomes of the device. If the device
// goes, so does the traffic, until the object is removed and made again.
func HostInterfaces(c *Conn) *desiredstate.Kind[HostInterface] {
	vpp := af_packet.NewServiceClient(c)
	return Tagged(c, &desiredstate.Kind[HostInterface]{
		Name:     "host-interface",
		Messages: c.Uses(append(MACMessages(), &af_packet.AfPacketCreateV3{}, &af_packet.AfPacketDelete{}, &af_packet.AfPacketDump{})...),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[HostInterface], err error) {
			all, err := Collect(vpp.AfPacketDump(ctx, &af_packet.AfPacketDump{}))
			for _, d := range all {
				i, _ := desiredstate.At[Interface](v, uint32(d.SwIfIndex))
				mac, hidden := i.Spec.OwnMAC()
				out = append(out, desiredstate.Actual[HostInterface]{ID: uint32(d.SwIfIndex), Covered: hidden, Spec: HostInterface{
					Name: i.Spec.Name, Device: d.HostIfName, MAC: mac,
				}})
			}
			return out, err
		},
		Create: func(ctx context.Context, _ *desiredstate.View, h HostInterface) (uint32, error) {
			r, err := vpp.AfPacketCreateV3(ctx, &af_packet.AfPacketCreateV3{
				Mode: af_packet.AF_PACKET_API_MODE_ETHERNET, HwAddr: ethernet_types.MacAddress(c.pick(h.MAC, h.Name)),
				HostIfName: h.Device, NumRxQueues: 1, NumTxQueues: 1,
			})
			if err != nil {
				return 0, err
			}
			return uint32(r.SwIfIndex), nil
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[HostInterface], want HostInterface) error {
			return c.SetMAC(ctx, have.ID, want.MAC)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[HostInterface]) error {
			_, err := vpp.AfPacketDelete(ctx, &af_packet.AfPacketDelete{HostIfName: have.Spec.Device})
			return Gone(err, api.SYSCALL_ERROR_1)
		},
		Fill: func(have desiredstate.Actual[HostInterface], want HostInterface) HostInterface {
			want.MAC = c.fillMAC(have.Spec.MAC, want.MAC, have.Covered, want.Name)
			return want
		},
		InPlace: func(have desiredstate.Actual[HostInterface], want HostInterface) bool {
			known := !have.Spec.MAC.IsZero()
			have.Spec.MAC = want.MAC
			return !known && have.Spec == want
		},
		Holds: func(h HostInterface) []desiredstate.Key {
			return []desiredstate.Key{{Space: "linux-device", Name: h.Device}}
		},
	}, Orphan[HostInterface]{
		Mark:   func(want HostInterface) string { return c.pick(want.MAC, want.Name).String() },
		Marked: func(found HostInterface, _ Interface) (string, bool) { return found.MAC.String(), c.Signed(found.MAC) },
		Like: func(have, want HostInterface) bool {
			have.Name = want.Name
			return have == want
		},
	})
}
