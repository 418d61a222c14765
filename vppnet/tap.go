// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/tapv2"

	"github.com/vppkit/vppkit/desiredstate"
)

// TAP is a wire to Linux: VPP makes a network device there, and is its other end. The zero
// value carries Ethernet frames.
type TAP struct {
	Name string
	ID   uint32 // the number in VPP's name for it, "tap7", 1 to 8192; 0: VPP picks, from 0 up
	Tun  bool   // carries IP packets, not Ethernet frames (TUN)
	MAC  MAC    // of VPP's end; zero: made of owner and name, see Conn.MAC
	Host TAPHost

	Persist bool // the device outlives a VPP that dies, to be attached to again
	Attach  bool // to a device that outlived its VPP: Host.Device

	GSO             bool // segmentation offload
	ChecksumOffload bool // without GSO

	// 0: VPP's default. Queues are kept in the tag, as VPP does not show them.
	RxQueues, TxQueues uint16 // 1
	RxRing, TxRing     uint16 // entries, a power of two up to 32768; 256
}

// Key is InterfaceKey(t.Name).
func (t TAP) Key() desiredstate.Key { return InterfaceKey(t.Name) }

// Deps is empty.
func (t TAP) Deps() []desiredstate.Key { return nil }

// Validate checks names, number, addresses, rings, and what goes together.
func (t TAP) Validate() error {
	h := t.Host
	if err := cmp.Or(h.check(), (*Conn)(nil).CheckName(t.Name, t.options()...), t.MAC.CheckUnicast()); err != nil {
		return err
	}
	for _, ring := range []uint16{t.RxRing, t.TxRing} {
		if bits.OnesCount16(ring) > 1 {
			return fmt.Errorf("ring of %d entries, want a power of two", ring)
		}
	}
	switch {
	case t.ID > maxTAP:
		return fmt.Errorf("ID %d, want at most %d", t.ID, maxTAP)
	case t.Tun && (!t.MAC.IsZero() || !h.MAC.IsZero() || h.Bridge != ""):
		return errors.New("a TUN has no MACs, and is in no bridge")
	case t.Attach && h.Device == "":
		return errors.New("to attach to a device needs its name")
	case t.GSO && t.ChecksumOffload:
		return errors.New("GSO has checksum offload: want only one of them")
	}
	return nil
}

const maxTAP = 8192

// options are kept in the tag.
func (t TAP) options() (opts []string) {
	for _, o := range []struct {
		letter string
		n      uint16
	}{{"q", t.RxQueues}, {"t", t.TxQueues}} {
		if o.n != 0 {
			opts = append(opts, o.letter+strconv.Itoa(int(o.n)))
		}
	}
	for _, gw := range []netip.Addr{t.Host.Gateway4, t.Host.Gateway6} {
		if gw.IsValid() {
			opts = append(opts, "g"+gw.String())
		}
	}
	return opts
}

// recall takes the options from the tag.
func (t *TAP) recall(opts []string) {
	for _, opt := range opts {
		if opt == "" {
			continue // none of ours
		}
		n, _ := strconv.ParseUint(opt[1:], 10, 16)
		switch gw, _ := netip.ParseAddr(opt[1:]); {
		case opt[0] == 'q':
			t.RxQueues = uint16(n)
		case opt[0] == 't':
			t.TxQueues = uint16(n)
		case opt[0] == 'g' && gw.Is4():
			t.Host.Gateway4 = gw
		case opt[0] == 'g':
			t.Host.Gateway6 = gw
		}
	}
}

func (t TAP) flags() (f tapv2.TapFlags) {
	for flag, on := range map[tapv2.TapFlags]bool{
		tapv2.TAP_API_FLAG_TUN: t.Tun, tapv2.TAP_API_FLAG_PERSIST: t.Persist, tapv2.TAP_API_FLAG_ATTACH: t.Attach,
		tapv2.TAP_API_FLAG_GSO: t.GSO, tapv2.TAP_API_FLAG_CSUM_OFFLOAD: t.ChecksumOffload,
	} {
		if on {
			f |= flag
		}
	}
	return f
}

// TAPs manages TAP and TUN interfaces (tap_create_v3). The MAC changes in place, all else
// replaces. They need a Linux with /dev/vhost-net; without, Create fails with VPP's
// SYSCALL_ERROR_1, and this kind was never tried on a real VPP that has it: what it is
// measured by is VPP's source. See HostInterfaces for a wire to Linux that needs nothing.
func TAPs(c *Conn) *desiredstate.Kind[TAP] {
	vpp := tapv2.NewServiceClient(c)
	setTag := func(ctx context.Context, id uint32, t TAP) error {
		tag, err := c.Tag(t.Name, t.options()...)
		if err != nil {
			return err
		}
		_, err = interfaces.NewServiceClient(c).SwInterfaceTagAddDel(ctx, &interfaces.SwInterfaceTagAddDel{
			IsAdd: true, SwIfIndex: interface_types.InterfaceIndex(id), Tag: tag,
		})
		return err
	}
	return Labelled(c, &desiredstate.Kind[TAP]{
		Target:   c.Target(),
		Name:     "tap",
		Requires: []desiredstate.AnyKind{Interfaces(c)},
		Messages: c.Uses(append(MACMessages(), &tapv2.TapCreateV3{}, &tapv2.TapDeleteV2{}, &tapv2.SwInterfaceTapV2Dump{},
			&interfaces.SwInterfaceTagAddDel{})...),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[TAP], err error) {
			all, err := Collect(vpp.SwInterfaceTapV2Dump(ctx, &tapv2.SwInterfaceTapV2Dump{SwIfIndex: allInterfaces}))
			for _, d := range all {
				if i, ok := desiredstate.At[Interface](v, d.SwIfIndex); ok {
					t := readTAP(d, i.Spec)
					t.recall(c.TagOptions(i.Spec.Tag))
					out = append(out, desiredstate.Actual[TAP]{Spec: t, ID: i.ID, Foreign: i.Foreign, Leftover: i.Leftover, Covered: i.Spec.Bond != ""})
				}
			}
			return out, err
		},
		Create: func(ctx context.Context, _ *desiredstate.View, t TAP) (uint32, error) {
			tag, err := c.Tag(t.Name, t.options()...)
			if err != nil {
				return 0, err
			}
			r, err := vpp.TapCreateV3(ctx, t.message(tag, c.pick(t.MAC, t.Name)))
			switch {
			case errors.Is(err, api.SYSCALL_ERROR_1):
				return 0, fmt.Errorf("this Linux has no /dev/vhost-net, which TAPs need (modprobe vhost_net), or use HostInterfaces: %w", err)
			case err != nil:
				return 0, err
			}
			return uint32(r.SwIfIndex), nil
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[TAP], want TAP) error {
			return c.SetMAC(ctx, have.ID, c.pick(want.MAC, want.Name))
		},
		Adopt: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[TAP], want TAP) error {
			return setTag(ctx, have.ID, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[TAP]) error {
			_, err := vpp.TapDeleteV2(ctx, &tapv2.TapDeleteV2{SwIfIndex: interface_types.InterfaceIndex(have.ID)})
			return Gone(err, api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[TAP], want TAP) TAP {
			if !want.Tun {
				want.MAC = c.fillMAC(have.Spec.MAC, want.MAC, have.Covered, want.Name)
			}
			return want.fill(have.Spec)
		},
		InPlace: func(have desiredstate.Actual[TAP], want TAP) bool {
			have.Spec.MAC = want.MAC
			return have.Spec == want
		},
		Holds: func(t TAP) (held []desiredstate.Key) {
			if t.ID != 0 {
				held = append(held, desiredstate.Key{Space: "tap-id", Name: number(t.ID)})
			}
			if t.Host.Device != "" {
				held = append(held, desiredstate.Key{Space: "tap-device", Name: t.Host.Namespace + " " + t.Host.Device})
			}
			return held
		},
	}, TAP.options)
}

// fill takes from have what is left to VPP and to Linux.
func (t TAP) fill(have TAP) TAP {
	if t.ID == 0 {
		t.ID = have.ID
	}
	if t.Host.Device == "" {
		t.Host.Device = have.Host.Device
	}
	if t.Host.MAC.IsZero() {
		t.Host.MAC = have.Host.MAC
	}
	if t.RxRing == 0 {
		t.RxRing = defaultTAPRing
	}
	if t.TxRing == 0 {
		t.TxRing = defaultTAPRing
	}
	return t
}

const defaultTAPRing = 256

func readTAP(d *tapv2.SwInterfaceTapV2Details, i Interface) TAP {
	has := func(f tapv2.TapFlags) bool { return d.TapFlags&f != 0 }
	mac, _ := i.OwnMAC()
	t := TAP{
		Name: i.Name, ID: d.ID, MAC: mac, RxRing: d.RxRingSz, TxRing: d.TxRingSz,
		Tun: has(tapv2.TAP_API_FLAG_TUN), Persist: has(tapv2.TAP_API_FLAG_PERSIST), Attach: has(tapv2.TAP_API_FLAG_ATTACH),
		GSO: has(tapv2.TAP_API_FLAG_GSO), ChecksumOffload: has(tapv2.TAP_API_FLAG_CSUM_OFFLOAD),
		Host: TAPHost{
			Device: d.HostIfName, Namespace: d.HostNamespace, MAC: MAC(d.HostMacAddr), MTU: d.HostMtuSize, Bridge: d.HostBridge,
		},
	}
	if n := d.HostIP4Prefix.Len; n > 0 {
		t.Host.IPv4 = netip.PrefixFrom(netip.AddrFrom4(d.HostIP4Prefix.Address), int(n))
	}
	if n := d.HostIP6Prefix.Len; n > 0 {
		t.Host.IPv6 = netip.PrefixFrom(netip.AddrFrom16(d.HostIP6Prefix.Address), int(n))
	}
	return t
}

func (t TAP) message(tag string, mac MAC) *tapv2.TapCreateV3 {
	h := t.Host
	m := &tapv2.TapCreateV3{
		ID: ^uint32(0), MacAddress: ethernet_types.MacAddress(mac), NumRxQueues: max(1, t.RxQueues), NumTxQueues: max(1, t.TxQueues),
		RxRingSz: t.RxRing, TxRingSz: t.TxRing, TapFlags: t.flags(), Tag: tag,
		HostMtuSet: h.MTU != 0, HostMtuSize: h.MTU, HostMacAddrSet: !h.MAC.IsZero(), HostMacAddr: ethernet_types.MacAddress(h.MAC),
		HostNamespaceSet: h.Namespace != "", HostNamespace: h.Namespace, HostIfNameSet: h.Device != "", HostIfName: h.Device,
		HostBridgeSet: h.Bridge != "", HostBridge: h.Bridge,
	}
	if t.ID != 0 {
		m.ID = t.ID
	}
	h.addresses(m)
	return m
}
