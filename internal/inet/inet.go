// SPDX-License-Identifier: Apache-2.0

// Package inet is between netip, in which specs say addresses and prefixes, and VPP's
// messages: how each is written and read, and which of them no host can have. It knows
// nothing of kinds.
package inet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"

	"go.fd.io/govpp/binapi/ip_types"
)

// Address is a as VPP has it. That of none is "::".
func Address(a netip.Addr) (out ip_types.Address) {
	if a.Is4() {
		out.Un.SetIP4(a.As4())
		return out
	}
	out.Af = ip_types.ADDRESS_IP6
	out.Un.SetIP6(a.As16())
	return out
}

// Host is the prefix of one address.
func Host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// Prefix is p as VPP has it.
func Prefix(p netip.Prefix) ip_types.Prefix {
	return ip_types.Prefix{Address: Address(p.Addr()), Len: uint8(p.Bits())}
}

// Addresses is Address of each.
func Addresses(all []netip.Addr) (out []ip_types.Address) {
	for _, a := range all {
		out = append(out, Address(a))
	}
	return out
}

// Read is the inverse of Address.
func Read(a ip_types.Address) netip.Addr { return ReadUnion(a.Un, a.Af == ip_types.ADDRESS_IP6) }

// ReadUnion is Read where the message says the family elsewhere.
func ReadUnion(u ip_types.AddressUnion, is6 bool) netip.Addr {
	if is6 {
		return netip.AddrFrom16(u.XXX_UnionData)
	}
	return netip.AddrFrom4([4]byte(u.XXX_UnionData[:4]))
}

// ReadPrefix is the inverse of Prefix.
func ReadPrefix(p ip_types.Prefix) netip.Prefix {
	return netip.PrefixFrom(Read(p.Address), int(p.Len))
}

// CheckHost reports why a cannot be the address of one host. What says which one it is.
func CheckHost(what string, a netip.Addr) error {
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

// CheckPrefix reports why p cannot be a prefix as such.
func CheckPrefix(p netip.Prefix) error {
	switch {
	case !p.IsValid():
		return errors.New("prefix is not set, or its length is none")
	case p.Addr().Is4In6():
		return fmt.Errorf("prefix %v: write an IPv4 prefix as one", p)
	}
	return nil
}

// CheckHostOf is CheckHost of a family.
func CheckHostOf(what string, a netip.Addr, is6 bool) error {
	if err := CheckHost(what, a); err != nil {
		return err
	}
	switch {
	case is6 && !a.Is6():
		return fmt.Errorf("%s %v is not IPv6", what, a)
	case !is6 && !a.Is4():
		return fmt.Errorf("%s %v is not IPv4", what, a)
	}
	return nil
}

// Number is an IPv4 address as a number, as handles are.
func Number(a netip.Addr) uint32 {
	four := a.As4()
	return binary.BigEndian.Uint32(four[:])
}

// Range is the addresses from first to last; last before first is none.
func Range(first, last netip.Addr) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for a := first; a.IsValid() && a.Compare(last) <= 0 && yield(a); a = a.Next() {
		}
	}
}

// Family is "ipv4" or "ipv6".
func Family(is6 bool) string {
	if is6 {
		return "ipv6"
	}
	return "ipv4"
}
