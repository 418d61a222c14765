// SPDX-License-Identifier: Apache-2.0

package gpe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/one"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// ARPEntry has the VNI of a bridge domain answer who asks for an address, by ARP or, for an
// IPv6 one, by neighbour solicitation. VPP floods nothing into an overlay, so who is elsewhere is
// found by this alone: each address of a remote MAC needs one.
type ARPEntry struct {
	Bridge  string
	Address netip.Addr
	MAC     vppnet.MAC
}

// ARPEntryKey is the key of an ARPEntry.
func ARPEntryKey(bridge string, a netip.Addr) desiredstate.Key {
	return desiredstate.Key{Space: "gpe-arp", Name: bridge + "-" + a.String()}
}

// Key is ARPEntryKey(a.Bridge, a.Address).
func (a ARPEntry) Key() desiredstate.Key { return ARPEntryKey(a.Bridge, a.Address) }

// Deps lists the Overlay and the bridge domain.
func (a ARPEntry) Deps() []desiredstate.Key {
	return []desiredstate.Key{OverlayKey(), vppnet.BridgeKey(a.Bridge)}
}

// Validate checks name and addresses.
func (a ARPEntry) Validate() error {
	if err := vppnet.CheckRef("bridge domain", a.Bridge); err != nil {
		return err
	}
	switch {
	case !a.Address.IsValid() || a.Address.Is4In6() || a.Address.IsUnspecified() || a.Address.IsMulticast() || a.Address.Zone() != "":
		return fmt.Errorf("address %q, want a unicast one", a.Address)
	case a.MAC.IsZero():
		return errors.New("MAC is not set")
	}
	return a.MAC.CheckUnicast()
}

// ARPEntries manages the entries of our bridge domains, all of them
// (one_add_del_l2_arp_entry, one_add_del_ndp_entry). One whose MAC changes is replaced.
func ARPEntries(c *vppnet.Conn) *desiredstate.Kind[ARPEntry] {
	k := arps{c, one.NewServiceClient(c)}
	return &desiredstate.Kind[ARPEntry]{
		Target:   c.Target(),
		Name:     "arp-entry",
		Requires: []desiredstate.AnyKind{overlays(c, false), vppnet.BridgeDomains(c)},
		Messages: c.Uses(&one.OneL2ArpBdGet{}, &one.OneNdpBdGet{}, &one.OneL2ArpEntriesGet{}, &one.OneNdpEntriesGet{},
			&one.OneAddDelL2ArpEntry{}, &one.OneAddDelNdpEntry{}),
		Dump: k.dump,
		Check: func(v *desiredstate.View, a ARPEntry) error {
			return vppnet.CheckOurs(v, "bridge domain "+a.Bridge, vppnet.BridgeKey(a.Bridge))
		},
		Create: func(ctx context.Context, v *desiredstate.View, a ARPEntry) (uint32, error) {
			bd, err := v.ID(vppnet.BridgeKey(a.Bridge))
			if err != nil {
				return 0, err
			}
			return bd, k.set(ctx, bd, a, true)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[ARPEntry]) error {
			err := k.set(ctx, have.ID, have.Spec, false)
			if errors.Is(err, api.UNSPECIFIED) { // it is gone, or something else is wrong
				there, unread := k.there(ctx, have.ID, have.Spec.Address)
				if unread == nil && !there {
					return nil
				}
			}
			return err
		},
	}
}

type arps struct {
	c   *vppnet.Conn
	one one.RPCService
}

func (k arps) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[ARPEntry], err error) {
	found := func(bd uint32, a netip.Addr, m ethernet_types.MacAddress) {
		name, ours := v.Owned(bridgeSpace, bd)
		if name == "" {
			name = vppnet.Foreign(fmt.Sprint(bd))
		}
		out = append(out, desiredstate.Actual[ARPEntry]{ID: bd, Foreign: !ours, Spec: ARPEntry{Bridge: name, Address: a, MAC: vppnet.MAC(m)}})
	}
	four, err := k.one.OneL2ArpBdGet(ctx, &one.OneL2ArpBdGet{})
	if err != nil {
		return nil, err
	}
	six, err := k.one.OneNdpBdGet(ctx, &one.OneNdpBdGet{})
	if err != nil {
		return nil, err
	}
	var requests []api.Message
	for _, bd := range four.BridgeDomains {
		requests = append(requests, &one.OneL2ArpEntriesGet{Bd: bd})
	}
	for _, bd := range six.BridgeDomains {
		requests = append(requests, &one.OneNdpEntriesGet{Bd: bd})
	}
	answers, err := vppnet.Ask(ctx, k.c, requests...)
	for i, m := range answers {
		switch d := m.(type) {
		case *one.OneL2ArpEntriesGetReply:
			for _, e := range d.Entries {
				found(four.BridgeDomains[i], netip.AddrFrom4(e.IP4), e.Mac)
			}
		case *one.OneNdpEntriesGetReply:
			for _, e := range d.Entries {
				found(six.BridgeDomains[i-len(four.BridgeDomains)], netip.AddrFrom16(e.IP6), e.Mac)
			}
		}
	}
	return out, err
}

func (k arps) there(ctx context.Context, bd uint32, a netip.Addr) (bool, error) {
	if a.Is4() {
		r, err := k.one.OneL2ArpEntriesGet(ctx, &one.OneL2ArpEntriesGet{Bd: bd})
		return err == nil && slices.ContainsFunc(r.Entries, func(e one.OneL2ArpEntry) bool { return e.IP4 == a.As4() }), err
	}
	r, err := k.one.OneNdpEntriesGet(ctx, &one.OneNdpEntriesGet{Bd: bd})
	return err == nil && slices.ContainsFunc(r.Entries, func(e one.OneNdpEntry) bool { return e.IP6 == a.As16() }), err
}

func (k arps) set(ctx context.Context, bd uint32, a ARPEntry, add bool) (err error) {
	if a.Address.Is4() {
		_, err = k.one.OneAddDelL2ArpEntry(ctx, &one.OneAddDelL2ArpEntry{IsAdd: add, Bd: bd, Entry: one.OneL2ArpEntry{
			Mac: ethernet_types.MacAddress(a.MAC), IP4: a.Address.As4(),
		}})
		return err
	}
	_, err = k.one.OneAddDelNdpEntry(ctx, &one.OneAddDelNdpEntry{IsAdd: add, Bd: bd, Entry: one.OneNdpEntry{
		Mac: ethernet_types.MacAddress(a.MAC), IP6: a.Address.As16(),
	}})
	return err
}
