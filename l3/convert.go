// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/binapi/ip_types"
)

func wireAddr(a netip.Addr) (out ip_types.Address) {
	if a.Is4() {
		out.Un.SetIP4(a.As4())
		return out
	}
	out.Af = ip_types.ADDRESS_IP6
	out.Un.SetIP6(a.As16())
	return out
}

func wirePrefix(p netip.Prefix) ip_types.Prefix {
	return ip_types.Prefix{Address: wireAddr(p.Addr()), Len: uint8(p.Bits())}
}

func readUnion(u ip_types.AddressUnion, is6 bool) netip.Addr {
	if is6 {
		return netip.AddrFrom16(u.XXX_UnionData)
	}
	return netip.AddrFrom4([4]byte(u.XXX_UnionData[:4]))
}

func readAddr(a ip_types.Address) netip.Addr {
	return readUnion(a.Un, a.Af == ip_types.ADDRESS_IP6)
}

func readPrefix(p ip_types.Prefix) netip.Prefix {
	return netip.PrefixFrom(readAddr(p.Address), int(p.Len))
}

// checkAddr reports why a cannot be the address of one host.
func checkAddr(what string, a netip.Addr) error {
	switch {
	case !a.IsValid():
		return fmt.Errorf("%s is not set", what)
	case a.Is4In6():
		return fmt.Errorf("%s %v: write an IPv4 address as one", what, a)
	case a.Zone() != "":
		return fmt.Errorf("%s %v has a zone", what, a)
	case a.IsUnspecified(), a.IsMulticast(), a == broadcast:
		return fmt.Errorf("%s %v is nobody's own", what, a)
	}
	return nil
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// checkPrefix reports why p cannot be a prefix as such.
func checkPrefix(p netip.Prefix) error {
	switch {
	case !p.IsValid():
		return errors.New("prefix is not set, or its length is none")
	case p.Addr().Is4In6():
		return fmt.Errorf("prefix %v: write an IPv4 prefix as one", p)
	}
	return nil
}

func family(is6 bool) string {
	if is6 {
		return "ipv6"
	}
	return "ipv4"
}
