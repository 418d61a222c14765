// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"fmt"
	"net/netip"
	"strings"

	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/tapv2"
)

// TAPHost is Linux's end of a TAP. The zero value of a field is left to VPP, or to Linux.
type TAPHost struct {
	Device    string // its name, 1 to 15 bytes
	Namespace string // the network namespace that it is in, by name or path
	MAC       MAC    // zero: VPP picks at random
	MTU       uint32 // bytes, 68 to 65535
	Bridge    string // Linux's, which it becomes a port of
	IPv4      netip.Prefix
	IPv6      netip.Prefix

	// Default routes that are set once; kept in the tag, as VPP does not show them.
	Gateway4, Gateway6 netip.Addr
}

// check reports why Linux cannot have such an end.
func (h TAPHost) check() error {
	for _, name := range []string{h.Device, h.Bridge} {
		if name != "" {
			if err := checkDevice(name); err != nil {
				return err
			}
		}
	}
	if strings.ContainsFunc(h.Namespace, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || len(h.Namespace) > 63 {
		return fmt.Errorf("namespace %q: want at most 63 printable characters", h.Namespace)
	}
	if h.MTU != 0 && (h.MTU < 68 || h.MTU > 65535) {
		return fmt.Errorf("MTU %d, want 68 to 65535 bytes", h.MTU)
	}
	v4, v6 := h.IPv4.Addr(), h.IPv6.Addr()
	switch {
	case h.IPv4 != netip.Prefix{} && (!v4.Is4() || h.IPv4.Bits() < 1):
		return fmt.Errorf("IPv4 address %s, want one with a length of 1 to 32", h.IPv4)
	case h.IPv6 != netip.Prefix{} && (!v6.Is6() || v6.Is4In6() || h.IPv6.Bits() < 1):
		return fmt.Errorf("IPv6 address %s, want one with a length of 1 to 128", h.IPv6)
	case h.Gateway4.IsValid() && !h.Gateway4.Is4():
		return fmt.Errorf("IPv4 gateway %s", h.Gateway4)
	case h.Gateway6.IsValid() && (!h.Gateway6.Is6() || h.Gateway6.Is4In6() || h.Gateway6.Zone() != ""):
		return fmt.Errorf("IPv6 gateway %s: want an address without a zone", h.Gateway6)
	}
	return h.MAC.CheckUnicast()
}

// addresses tells VPP what to set at Linux's end.
func (h TAPHost) addresses(m *tapv2.TapCreateV3) {
	if h.IPv4.IsValid() {
		m.HostIP4PrefixSet, m.HostIP4Prefix = true, ip_types.IP4AddressWithPrefix{Address: h.IPv4.Addr().As4(), Len: uint8(h.IPv4.Bits())}
	}
	if h.IPv6.IsValid() {
		m.HostIP6PrefixSet, m.HostIP6Prefix = true, ip_types.IP6AddressWithPrefix{Address: h.IPv6.Addr().As16(), Len: uint8(h.IPv6.Bits())}
	}
	if h.Gateway4.IsValid() {
		m.HostIP4GwSet, m.HostIP4Gw = true, h.Gateway4.As4()
	}
	if h.Gateway6.IsValid() {
		m.HostIP6GwSet, m.HostIP6Gw = true, h.Gateway6.As16()
	}
}
