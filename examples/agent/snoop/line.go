// SPDX-License-Identifier: Apache-2.0

package snoop

import (
	"fmt"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// Line says in a line what an Ethernet frame is: who sends it to whom, and by what. All in it is
// of numbers: nothing that a sender wrote comes to a terminal as it is.
func Line(frame []byte) string {
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
	var words []string
	strange := false // of a sort of which nobody here knows what it should be
	for _, l := range p.Layers() {
		if e, is := l.(*layers.Ethernet); is {
			strange = !known(e.EthernetType)
		}
		if w := word(l); w != "" {
			words = append(words, w)
		}
	}
	if p.ErrorLayer() != nil && !strange {
		words = append(words, "cut short or malformed")
	}
	return fmt.Sprintf("%s, %d bytes", strings.Join(words, " "), len(frame))
}

// word is what there is to say of one layer.
func word(l gopacket.Layer) string {
	switch l := l.(type) {
	case *layers.Ethernet:
		if known(l.EthernetType) {
			return fmt.Sprintf("%s > %s", l.SrcMAC, l.DstMAC)
		}
		return fmt.Sprintf("%s > %s type %#04x", l.SrcMAC, l.DstMAC, uint16(l.EthernetType))
	case *layers.Dot1Q:
		return fmt.Sprintf("VLAN %d", l.VLANIdentifier)
	case *layers.ARP:
		return arp(l)
	case *layers.IPv4:
		if l.SrcIP == nil { // cut short
			return ""
		}
		more := ""
		if l.FragOffset != 0 || l.Flags&layers.IPv4MoreFragments != 0 {
			more = fmt.Sprintf(" fragment at %d", int(l.FragOffset)*8)
		}
		return fmt.Sprintf("%s > %s%s%s", l.SrcIP, l.DstIP, more, other(l.Protocol))
	case *layers.IPv6:
		if l.SrcIP == nil {
			return ""
		}
		return fmt.Sprintf("%s > %s%s", l.SrcIP, l.DstIP, other(l.NextHeader))
	case *layers.TCP:
		return fmt.Sprintf("TCP %d > %d [%s]", l.SrcPort, l.DstPort, flags(l))
	case *layers.UDP:
		return fmt.Sprintf("UDP %d > %d", l.SrcPort, l.DstPort)
	case *layers.SCTP:
		return fmt.Sprintf("SCTP %d > %d", l.SrcPort, l.DstPort)
	case *layers.ICMPv4:
		if t := l.TypeCode.Type(); t == layers.ICMPv4TypeEchoRequest || t == layers.ICMPv4TypeEchoReply {
			return fmt.Sprintf("ICMP %s id %d seq %d", l.TypeCode, l.Id, l.Seq)
		}
		return fmt.Sprintf("ICMP %s", l.TypeCode)
	case *layers.ICMPv6:
		return fmt.Sprintf("ICMPv6 %s", l.TypeCode)
	case *layers.ICMPv6NeighborSolicitation:
		return "for " + l.TargetAddress.String()
	case *layers.ICMPv6NeighborAdvertisement:
		return "of " + l.TargetAddress.String()
	case *layers.DHCPv4:
		return "DHCP"
	case *layers.DHCPv6:
		return "DHCPv6"
	case *layers.DNS:
		return "DNS"
	case *layers.VXLAN:
		return fmt.Sprintf("VXLAN %d:", l.VNI)
	}
	return ""
}

// known says whether a type is that of a layer of which something is said.
func known(t layers.EthernetType) bool {
	switch t {
	case layers.EthernetTypeARP, layers.EthernetTypeIPv4, layers.EthernetTypeIPv6, layers.EthernetTypeDot1Q, layers.EthernetTypeQinQ:
		return true
	}
	return false
}

// other is a protocol over IP of which no more is said.
func other(p layers.IPProtocol) string {
	switch p {
	case layers.IPProtocolTCP, layers.IPProtocolUDP, layers.IPProtocolSCTP, layers.IPProtocolICMPv4, layers.IPProtocolICMPv6:
		return ""
	}
	return fmt.Sprintf(" protocol %d", uint8(p))
}

func arp(l *layers.ARP) string {
	if len(l.SourceProtAddress) != 4 || len(l.DstProtAddress) != 4 || len(l.SourceHwAddress) != 6 {
		return fmt.Sprintf("ARP %d", l.Operation)
	}
	who, whom := dotted(l.SourceProtAddress), dotted(l.DstProtAddress)
	switch l.Operation {
	case layers.ARPRequest:
		return fmt.Sprintf("ARP who has %s, asks %s", whom, who)
	case layers.ARPReply:
		return fmt.Sprintf("ARP %s is at %x", who, l.SourceHwAddress)
	}
	return fmt.Sprintf("ARP %d", l.Operation)
}

func dotted(b []byte) string { return fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3]) }

func flags(l *layers.TCP) string {
	var out strings.Builder
	for _, f := range []struct {
		set  bool
		name byte
	}{{l.SYN, 'S'}, {l.FIN, 'F'}, {l.RST, 'R'}, {l.PSH, 'P'}, {l.ACK, '.'}, {l.URG, 'U'}} {
		if f.set {
			out.WriteByte(f.name)
		}
	}
	return out.String()
}
