// SPDX-License-Identifier: Apache-2.0

package snoop_test

import (
	"bytes"
	"net"
	"testing"
	"time"
	"unicode"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/examples/agent/snoop"
)

func frame(t testing.TB, parts ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, parts...))
	return b.Bytes()
}

func ether(of layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: of}
}

func TestLine(t *testing.T) {
	v4 := func(p layers.IPProtocol) *layers.IPv4 {
		return &layers.IPv4{Version: 4, TTL: 64, Protocol: p, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}}
	}
	v6 := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolICMPv6, HopLimit: 255, SrcIP: net.ParseIP("fe80::1"), DstIP: net.ParseIP("fe80::2")}
	arp := func(op uint16) *layers.ARP {
		return &layers.ARP{
			AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: op,
			SourceHwAddress: []byte{2, 0, 0, 0, 0, 1}, SourceProtAddress: []byte{10, 0, 0, 1}, DstHwAddress: make([]byte, 6), DstProtAddress: []byte{10, 0, 0, 2},
		}
	}
	const macs = "02:00:00:00:00:01 > 02:00:00:00:00:02 "
	for _, tc := range []struct {
		frame []byte
		want  string
	}{
		{
			frame(t, ether(layers.EthernetTypeIPv4), v4(layers.IPProtocolTCP), &layers.TCP{SrcPort: 22, DstPort: 80, SYN: true, ACK: true}),
			macs + "10.0.0.1 > 10.0.0.2 TCP 22 > 80 [S.], 60 bytes",
		},
		{
			frame(t, ether(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 7, Type: layers.EthernetTypeIPv4}, v4(layers.IPProtocolUDP), &layers.UDP{SrcPort: 1, DstPort: 2}),
			macs + "VLAN 7 10.0.0.1 > 10.0.0.2 UDP 1 > 2, 60 bytes",
		},
		{
			frame(t, ether(layers.EthernetTypeIPv4), v4(layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 1, Seq: 2}),
			macs + "10.0.0.1 > 10.0.0.2 ICMP EchoRequest id 1 seq 2, 60 bytes",
		},
		{frame(t, ether(layers.EthernetTypeIPv4), v4(89)), macs + "10.0.0.1 > 10.0.0.2 protocol 89, 60 bytes"},
		{frame(t, ether(layers.EthernetTypeARP), arp(1)), macs + "ARP who has 10.0.0.2, asks 10.0.0.1, 60 bytes"},
		{frame(t, ether(layers.EthernetTypeARP), arp(2)), macs + "ARP 10.0.0.1 is at 020000000001, 60 bytes"},
		{
			frame(t, ether(layers.EthernetTypeIPv6), v6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(135, 0)},
				&layers.ICMPv6NeighborSolicitation{TargetAddress: net.ParseIP("fe80::2")}),
			macs + "fe80::1 > fe80::2 ICMPv6 NeighborSolicitation for fe80::2, 78 bytes",
		},
		{frame(t, ether(0x88b5)), macs + "type 0x88b5, 60 bytes"},
		{[]byte{1, 2, 3}, "cut short or malformed, 3 bytes"},
		{frame(t, ether(layers.EthernetTypeIPv4), v4(layers.IPProtocolTCP))[:20], macs + "cut short or malformed, 20 bytes"},
	} {
		require.Equal(t, tc.want, snoop.Line(tc.frame))
	}
}

// Whatever a VM sends, a terminal gets one line of plain text of it.
func TestLineOfAnything(t *testing.T) {
	types := []uint16{0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x8847, 0x8863, 3}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SliceOf(rapid.Byte()).Draw(t, "frame")
		if len(f) > 14 && rapid.Bool().Draw(t, "typed") {
			n := rapid.SampledFrom(types).Draw(t, "type")
			f[12], f[13] = byte(n>>8), byte(n)
		}
		line := snoop.Line(f)
		require.NotEmpty(t, line)
		require.Less(t, len(line), 2000)
		for _, r := range line {
			require.True(t, r < unicode.MaxASCII && unicode.IsPrint(r), "%q", line)
		}
	})
}

func TestFilesAreAsWritten(t *testing.T) {
	at := time.Unix(1700000000, 123456789)
	for _, ng := range []bool{false, true} {
		var b bytes.Buffer
		w, err := snoop.NewWriter(&b, ng)
		require.NoError(t, err)
		require.NoError(t, w.Write(at, []byte("0123456789abcdef")))
		require.NoError(t, w.Write(at, make([]byte, 1<<17))) // longer than any frame
		require.NoError(t, w.Flush())
		if ng {
			r, err := pcapgo.NewNgReader(&b, pcapgo.DefaultNgReaderOptions)
			require.NoError(t, err)
			frame, _, err := r.ReadPacketData()
			require.NoError(t, err)
			require.Equal(t, "0123456789abcdef", string(frame))
			continue
		}
		var got []int
		require.NoError(t, snoop.Read(&b, func(then time.Time, frame []byte) error {
			require.True(t, at.Equal(then))
			got = append(got, len(frame))
			return nil
		}))
		require.Equal(t, []int{16, 1 << 16}, got)
	}
	require.Error(t, snoop.Read(bytes.NewReader([]byte("junk")), nil))
}
