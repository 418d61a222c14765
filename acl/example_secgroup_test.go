// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"fmt"
	"net/netip"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// The default group of a cloud: its members reach each other, and go anywhere.
func ExampleSecurityGroup_Sets() {
	group := acl.SecurityGroup{
		Name: "default",
		Ingress: []acl.GroupRule{
			{Family: acl.IPv4, RemoteGroup: "default"},
			{Family: acl.IPv6, RemoteGroup: "default"},
			{Family: acl.IPv4, Protocol: acl.TCP, Ports: acl.Only(22), Remote: netip.MustParsePrefix("192.0.2.77/24")},
			{Family: acl.IPv4, Protocol: acl.TCP, Ports: acl.Only(80)},
			{Family: acl.IPv4, Protocol: acl.TCP, Ports: acl.Between(81, 90)},
			{Family: acl.IPv4, Protocol: acl.ICMP, ICMPTypes: acl.Only(3)},
		},
		Egress: []acl.GroupRule{{Family: acl.IPv4}, {Family: acl.IPv6}},
	}
	to, from, err := group.Sets(acl.Members{
		"default": {
			netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("10.0.0.5"),
			netip.MustParseAddr("fd00::4"),
		},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(to)
	fmt.Println(from)
	fmt.Println("they change with the members of", group.Remotes())

	// Output:
	// sg:default.to
	//   0: permit ip4 tcp from 10.0.0.4/31 port 0-32767 to any flags ack/ack
	//   1: permit+reflect ip4 from 10.0.0.4/31 to any
	//   2: permit ip4 tcp from 10.0.0.9/32 port 0-32767 to any flags ack/ack
	//   3: permit+reflect ip4 from 10.0.0.9/32 to any
	//   4: permit ip4 tcp from any port 0-32767 to any port 80-90 flags ack/ack
	//   5: permit+reflect ip4 tcp from any to any port 80-90
	//   6: permit ip4 tcp from 192.0.2.0/24 port 0-32767 to any port 22 flags ack/ack
	//   7: permit+reflect ip4 tcp from 192.0.2.0/24 to any port 22
	//   8: permit ip6 tcp from fd00::4/128 port 0-32767 to any flags ack/ack
	//   9: permit+reflect ip6 from fd00::4/128 to any
	//   10: permit ip4 icmp from any to any type 3
	// sg:default.from
	//   0: permit ip4 tcp from any port 0-32767 to any flags ack/ack
	//   1: permit+reflect ip4 from any to any
	//   2: permit ip6 tcp from any port 0-32767 to any flags ack/ack
	//   3: permit+reflect ip6 from any to any
	// they change with the members of [default]
}

// All that a port of a cloud needs but the sets of its groups.
func ExamplePortSecurity_Objects() {
	objects, err := acl.PortSecurity{
		Interface: "vm1",
		MAC:       vppnet.MAC{0xfa, 0x16, 0x3e, 0, 0x10, 1},
		Addrs:     []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("fd00::5")},
		Pairs: []acl.AddressPair{
			{Prefix: netip.MustParsePrefix("10.0.0.200/32"), MAC: vppnet.MAC{0, 0, 0x5e, 0, 1, 7}},
			{Prefix: netip.MustParsePrefix("10.9.0.1/24")},
		},
		Groups: []string{"web", "default"},
		After:  []desiredstate.Key{vppnet.BridgePortKey("vm1")},
	}.Objects()
	if err != nil {
		panic(err)
	}
	for _, o := range objects {
		switch o := o.(type) {
		case acl.EtherTypes:
			fmt.Printf("%s in %#x out %#x\n", o.Key(), o.Input, o.Output)
		case acl.Binding:
			fmt.Println(o.Key(), "in", o.Input, "out", o.Output)
		case acl.MACIPBinding:
			fmt.Println(o.Key(), "in", o.Set)
		default:
			fmt.Println(o)
		}
	}

	// Output:
	// spoof.to
	//   0: permit ip4 udp from any port 67 to any port 68
	//   1: permit ip6 udp from any port 547 to any port 546
	//   2: permit ip6 icmpv6 from any to any type 130-132
	//   3: permit ip6 icmpv6 from any to any type 134-136
	//   4: permit ip6 icmpv6 from any to any type 143
	//   5: deny ip4 udp from any port 68 to any port 67
	//   6: deny ip6 udp from any port 546 to any port 547
	//   7: permit ip4 icmp from any to any type 3
	//   8: permit ip4 icmp from any to any type 11-12
	//   9: permit ip6 icmpv6 from any to any type 1-4
	// spoof.from
	//   0: permit ip4 udp from any port 68 to any port 67
	//   1: permit ip6 udp from any port 546 to any port 547
	//   2: deny ip4 udp from any port 67 to any port 68
	//   3: deny ip6 udp from any port 547 to any port 546
	//   4: permit ip6 icmpv6 from any to any type 130-133
	//   5: permit ip6 icmpv6 from any to any type 135-136
	//   6: permit ip6 icmpv6 from any to any type 143
	//   7: deny ip6 icmpv6 from any to any type 134
	//   8: permit+reflect ip4 tcp from any to 169.254.169.254/32 port 80
	//   9: permit ip4 icmp from any to any type 3
	//   10: permit ip4 icmp from any to any type 11-12
	//   11: permit ip6 icmpv6 from any to any type 1-4
	// vm1
	//   0: permit ip4 from 0.0.0.0/32 at 00:00:5e:00:01:07
	//   1: permit ip4 from 10.0.0.200/32 at 00:00:5e:00:01:07
	//   2: permit ip4 from 0.0.0.0/32 at fa:16:3e:00:10:01
	//   3: permit ip4 from 10.0.0.5/32 at fa:16:3e:00:10:01
	//   4: permit ip4 from 10.9.0.0/24 at fa:16:3e:00:10:01
	//   5: permit ip6 from ::/128 at fa:16:3e:00:10:01
	//   6: permit ip6 from fd00::5/128 at fa:16:3e:00:10:01
	//   7: permit ip6 from fe80::f816:3eff:fe00:1001/128 at fa:16:3e:00:10:01
	// acl-ethertypes/vm1 in [0x806] out [0x806]
	// acl-binding/vm1 in [spoof.from sg:default.from sg:web.from] out [spoof.to sg:default.to sg:web.to]
	// macip-binding/vm1 in vm1
}

// Which rule stops, or lets pass, a packet.
func ExampleExplain() {
	to, from := acl.SpoofSets()
	web, _, err := acl.SecurityGroup{
		Name:    "web",
		Ingress: []acl.GroupRule{{Family: acl.IPv4, Protocol: acl.TCP, Ports: acl.Only(80)}},
	}.Sets(nil)
	if err != nil {
		panic(err)
	}
	explain := func(p acl.Packet, sets ...acl.Set) {
		v, err := acl.Explain(p, sets...)
		fmt.Println(p, err)
		fmt.Println("  ", v)
	}
	vm, peer := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.9")
	explain(acl.Packet{Src: peer, Dst: vm, Protocol: acl.TCP, SrcPort: 40000, DstPort: 80, Flags: acl.SYN}, to, web)
	explain(acl.Packet{Src: peer, Dst: vm, Protocol: acl.TCP, SrcPort: 40000, DstPort: 22, Flags: acl.SYN}, to, web)
	explain(acl.Packet{Src: vm, Dst: peer, Protocol: acl.UDP, SrcPort: 67, DstPort: 68}, from)

	// Output:
	// ip4 tcp 10.0.0.9:40000 > 10.0.0.5:80 syn <nil>
	//    permit+reflect: sg:web.to rule 1: permit+reflect ip4 tcp from any to any port 80
	// ip4 tcp 10.0.0.9:40000 > 10.0.0.5:22 syn <nil>
	//    deny: no rule fits, and sets are bound
	// ip4 udp 10.0.0.5:67 > 10.0.0.9:68 <nil>
	//    deny: spoof.from rule 2: deny ip4 udp from any port 67 to any port 68
}

// Which source addresses a port may use.
func ExampleExplainMACIP() {
	mac := vppnet.MAC{2, 0, 0, 0, 0, 1}
	set := acl.MACIPSet{Name: "vm1", Rules: []acl.MACIPRule{{Action: acl.Permit, MAC: mac, Src: netip.MustParsePrefix("10.0.0.5/32")}}}
	for _, f := range []acl.Frame{
		{MAC: mac, Src: netip.MustParseAddr("10.0.0.5"), ARP: true},
		{MAC: mac, Src: netip.MustParseAddr("10.0.0.6")},
	} {
		v, err := acl.ExplainMACIP(f, set)
		fmt.Println(f, err)
		fmt.Println("  ", v)
	}

	// Output:
	// arp 10.0.0.5 at 02:00:00:00:00:01 <nil>
	//    permit: vm1 rule 0: permit ip4 from 10.0.0.5/32 at 02:00:00:00:00:01
	// ip 10.0.0.6 at 02:00:00:00:00:01 <nil>
	//    deny: no source fits
}
