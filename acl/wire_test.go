// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/ip_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/vppnet"
)

func wirePrefix(t *rapid.T) (p ip_types.Prefix) {
	p.Address.Af = ip_types.AddressFamily(rapid.Uint8Range(0, 2).Draw(t, "family"))
	copy(p.Address.Un.XXX_UnionData[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address"))
	p.Len = rapid.SampledFrom([]uint8{0, 1, 8, 31, 32, 33, 64, 128, 129, 255}).Draw(t, "length")
	return p
}

// Whatever VPP may hold, by whoever's hand, is read, and told apart; and what is
// valid of that is written as it was read.
func TestDecodeAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wire := acl_types.ACLRule{
			IsPermit: acl_types.ACLAction(rapid.Uint8Range(0, 4).Draw(t, "action")), SrcPrefix: wirePrefix(t), DstPrefix: wirePrefix(t),
			Proto:                  ip_types.IPProto(rapid.SampledFrom([]uint8{0, 1, 6, 17, 44, 58, 132}).Draw(t, "protocol")),
			SrcportOrIcmptypeFirst: rapid.Uint16().Draw(t, "sport"), SrcportOrIcmptypeLast: rapid.Uint16().Draw(t, "last sport"),
			DstportOrIcmpcodeFirst: rapid.Uint16().Draw(t, "port"), DstportOrIcmpcodeLast: rapid.Uint16().Draw(t, "last port"),
			TCPFlagsMask: rapid.Byte().Draw(t, "mask"), TCPFlagsValue: rapid.Byte().Draw(t, "flags"),
		}
		r := decode(wire)
		require.NotEmpty(t, r.String())
		require.Equal(t, r, r.normal(), "a dump is in normal form")
		if r.Validate() == nil {
			require.Equal(t, r, decode(r.encode()))
		}
		m := decodeMACIP(acl_types.MacipACLRule{
			IsPermit: wire.IsPermit, SrcPrefix: wire.SrcPrefix,
			SrcMac:     ethernet_types.MacAddress(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "MAC")),
			SrcMacMask: rapid.SampledFrom([]ethernet_types.MacAddress{{}, {1}, ethernet_types.MacAddress(allBits)}).Draw(t, "MAC mask"),
		})
		require.NotEmpty(t, m.String())
		if m.Validate() == nil {
			require.Equal(t, m, decodeMACIP(m.encode()))
		}
	})
}

// What fits all is written out in full, as VPP wants it.
func TestEncodeAll(t *testing.T) {
	v6 := netip.MustParsePrefix("2001:db8::/32")
	for _, r := range []struct {
		rule Rule
		last [2]uint16
	}{
		{Rule{Src: v6}, [2]uint16{65535, 65535}},
		{Rule{Src: v6, Protocol: 132}, [2]uint16{65535, 65535}},
		{Rule{Src: v6, Protocol: TCP}, [2]uint16{65535, 65535}},
		{Rule{Src: v6, Protocol: ICMPv6}, [2]uint16{255, 255}},
	} {
		out := r.rule.encode()
		require.Equal(t, r.last, [2]uint16{out.SrcportOrIcmptypeLast, out.DstportOrIcmpcodeLast})
		require.Equal(t, "2001:db8::/32", out.SrcPrefix.String())
		require.Equal(t, "::/0", out.DstPrefix.String(), "VPP refuses two families")
	}
	require.Equal(t, allBits, vppnet.MAC(MACIPRule{Src: v6, MAC: vppnet.MAC{2}}.encode().SrcMacMask))
	require.Zero(t, MACIPRule{Src: v6}.encode().SrcMacMask)
	stray := acl_types.MacipACLRule{SrcMac: ethernet_types.MacAddress{2}, SrcPrefix: encodePrefix(IPv6, v6)}
	require.Equal(t, MACIPRule{Family: IPv6, Src: v6}, decodeMACIP(stray), "no bit counts")
}
