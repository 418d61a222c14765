// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"encoding/binary"
	"net/netip"
)

// A block is a prefix of either family as numbers, which are quick to compare. The
// addresses of IPv4 are in the high bits. The zero value is all addresses.
type block struct {
	hi, lo uint64
	bits   uint8
}

// blockOf returns the block of a masked prefix. One that is not valid is all addresses.
func blockOf(p netip.Prefix) (b block) {
	switch a := p.Addr(); {
	case !p.IsValid():
		return block{}
	case a.Is4():
		raw := a.As4()
		b.hi = uint64(binary.BigEndian.Uint32(raw[:])) << 32
	default:
		raw := a.As16()
		b.hi, b.lo = binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
	}
	b.bits = uint8(p.Bits())
	return b
}

func (b block) prefix(f Family) netip.Prefix {
	if f == IPv4 {
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], uint32(b.hi>>32))
		return netip.PrefixFrom(netip.AddrFrom4(raw), int(b.bits))
	}
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], b.hi)
	binary.BigEndian.PutUint64(raw[8:], b.lo)
	return netip.PrefixFrom(netip.AddrFrom16(raw), int(b.bits))
}

// compare puts a block right before those that are in it.
func (b block) compare(o block) int {
	if c := cmp.Compare(b.hi, o.hi); c != 0 {
		return c
	}
	if c := cmp.Compare(b.lo, o.lo); c != 0 {
		return c
	}
	return cmp.Compare(b.bits, o.bits)
}

// to returns the block of this length that b is in.
func (b block) to(bits uint8) block {
	const ones = ^uint64(0)
	if bits <= 64 {
		return block{b.hi &^ (ones >> bits), 0, bits}
	}
	return block{b.hi, b.lo &^ (ones >> (bits - 64)), bits}
}

// contains says whether all addresses of o are in b.
func (b block) contains(o block) bool { return b.bits <= o.bits && o.to(b.bits) == b }

// aggregate returns the fewest blocks of one family that are together those given,
// which are in order. There is only one such list. It takes the place of the other.
func aggregate(blocks []block) []block {
	out := blocks[:0]
	for _, b := range blocks {
		if n := len(out); n > 0 && out[n-1].contains(b) {
			continue
		}
		out = append(out, b)
		for n := len(out); n > 1; n = len(out) {
			a, b := out[n-2], out[n-1]
			if b.bits == 0 || a.bits != b.bits || a.to(a.bits-1) != b.to(b.bits-1) {
				break
			}
			out = append(out[:n-2], b.to(b.bits-1))
		}
	}
	return out
}
