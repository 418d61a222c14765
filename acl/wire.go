// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"net/netip"

	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/vppnet"
)

// encode turns a valid rule into VPP's. What fits all is written out: VPP has no
// other way to say so.
func (r Rule) encode() acl_types.ACLRule {
	family := r.family()
	out := acl_types.ACLRule{
		IsPermit:  acl_types.ACLAction(r.Action),
		SrcPrefix: encodePrefix(family, r.Src), DstPrefix: encodePrefix(family, r.Dst),
		Proto:        ip_types.IPProto(r.Protocol),
		TCPFlagsMask: uint8(r.FlagsMask), TCPFlagsValue: uint8(r.Flags),
	}
	// One pair of fields holds source ports or ICMP types, another destination
	// ports or ICMP codes.
	first, second, most := r.SrcPorts, r.DstPorts, uint16(maxPort)
	if r.Protocol == ICMP || r.Protocol == ICMPv6 {
		first, second, most = r.ICMPTypes, r.ICMPCodes, maxICMP
	}
	out.SrcportOrIcmptypeFirst, out.SrcportOrIcmptypeLast = first.Bounds(most)
	out.DstportOrIcmpcodeFirst, out.DstportOrIcmpcodeLast = second.Bounds(most)
	return out
}

// decode turns VPP's rule into one in normal form, also one that is not valid.
func decode(r acl_types.ACLRule) Rule {
	out := Rule{Action: Action(r.IsPermit), Protocol: Protocol(r.Proto), Flags: TCPFlags(r.TCPFlagsValue), FlagsMask: TCPFlags(r.TCPFlagsMask)}
	out.Family, out.Src = decodePrefix(r.SrcPrefix)
	_, out.Dst = decodePrefix(r.DstPrefix)
	first := Between(r.SrcportOrIcmptypeFirst, r.SrcportOrIcmptypeLast)
	second := Between(r.DstportOrIcmpcodeFirst, r.DstportOrIcmpcodeLast)
	if out.Protocol == ICMP || out.Protocol == ICMPv6 {
		out.ICMPTypes, out.ICMPCodes = first.upTo(maxICMP), second.upTo(maxICMP)
	} else {
		out.SrcPorts, out.DstPorts = first.upTo(maxPort), second.upTo(maxPort)
	}
	return out
}

func (r MACIPRule) encode() acl_types.MacipACLRule {
	return acl_types.MacipACLRule{
		IsPermit: acl_types.ACLAction(r.Action), SrcPrefix: encodePrefix(r.family(), r.Src),
		SrcMac: ethernet_types.MacAddress(r.MAC), SrcMacMask: ethernet_types.MacAddress(r.mask()),
	}
}

// decodeMACIP leaves out the bits of the MAC that the mask does, as VPP does: to it
// a mask of zeros is any MAC, whatever that says.
func decodeMACIP(r acl_types.MacipACLRule) MACIPRule {
	mask := vppnet.MAC(r.SrcMacMask)
	out := MACIPRule{Action: Action(r.IsPermit), MAC: and(vppnet.MAC(r.SrcMac), mask), Mask: mask}
	out.Family, out.Src = decodePrefix(r.SrcPrefix)
	return out.normal()
}

func encodePrefix(f Family, p netip.Prefix) (out ip_types.Prefix) {
	if f == IPv6 {
		out.Address.Af = ip_types.ADDRESS_IP6
	}
	if p.IsValid() {
		copy(out.Address.Un.XXX_UnionData[:], p.Addr().AsSlice())
		out.Len = uint8(p.Bits())
	}
	return out
}

// decodePrefix leaves out a prefix that fits all.
func decodePrefix(p ip_types.Prefix) (Family, netip.Prefix) {
	family, addr := IPv4, netip.AddrFrom4([4]byte(p.Address.Un.XXX_UnionData[:4]))
	if p.Address.Af == ip_types.ADDRESS_IP6 {
		family, addr = IPv6, netip.AddrFrom16(p.Address.Un.XXX_UnionData)
	}
	return family, noAny(netip.PrefixFrom(addr, int(p.Len)))
}
