// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/af_packet"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// node is a host: a VPP with NICs, and its agent.
type node struct {
	site  translate.Site
	vpp   *vpptest.RealVPP
	agent *running
	nics  []string // by Linux's name
}

// classic is the cloud of textbooks: two computes and a network node, whose VPPs share
// an Ethernet that carries VLANs, "brphys"; the network node is also on another, where
// "ext" is the world. Guests are VMs. All that any VPP is told comes from etcd.
type classic struct {
	*rig
	ethernet   netrig.NetNS
	c1, c2, n1 *node
	ext        netrig.NetNS
	vms        int
}

func newClassic(t *testing.T) *classic {
	t.Helper()
	c := &classic{ethernet: netrig.New(t, "ethernet")}
	c.ethernet.Bridge(t, "brphys")
	c.rig = newRig(t)
	ns := map[string]netrig.NetNS{}
	for _, host := range []string{"c1", "c2", "n1"} {
		ns[host] = netrig.New(t, host)
		c.ethernet.Plug(t, "brphys", "to-"+host, ns[host], "up-"+host)
	}
	c.ext = netrig.Host(t, "ext", ns["n1"], "vext", "203.0.113.1/24")
	c.c1, c.c2 = c.node("c1", ns["c1"]), c.node("c2", ns["c2"])
	c.c1.site.Server = true // VMs connect to VPP on one, and VPP to VMs on the other
	c.n1 = c.node("n1", ns["n1"], "vext")
	for _, n := range []*node{c.c1, c.c2, c.n1} {
		n.agent = c.rig.agent(n.site, n.vpp.Socket())
	}
	c.Cleanup(func() {
		if c.Failed() {
			c.tellDrops()
		}
	})
	return c
}

// tellDrops logs what VPPs and Linux know of packets that got lost.
func (c *classic) tellDrops() {
	for _, n := range []*node{c.c1, c.c2, c.n1} {
		for _, command := range []string{"show errors", "show hardware-interfaces", "show nat44 sessions"} {
			if out, err := n.vpp.CLI(command); err == nil {
				c.Logf("%s: %s\n%s", n.site.Host, command, out)
			}
		}
	}
	out, _ := exec.Command("ip", "netns", "exec", string(c.ext), "sh", "-c", "ip -s -s neigh; nstat -az; cat /proc/net/stat/arp_cache").CombinedOutput()
	c.Logf("%s\n%s", c.ext, out)
}

func (c *classic) node(host string, ns netrig.NetNS, more ...string) *node {
	n := &node{
		site: c.siteOf(host, "host-up-"+host),
		vpp:  vpptest.Real(c.T, vpptest.InNetNS(string(ns))),
		nics: append([]string{"up-" + host}, more...),
	}
	for _, nic := range more {
		n.site.Physnets["external"] = "host-" + nic
	}
	c.install(n)
	return n
}

// install makes a VPP's NICs, as its startup.conf would.
func (c *classic) install(n *node) {
	c.Helper()
	conn, err := vppnet.Dial(c.Context(), n.vpp.Socket(), "hand")
	require.NoError(c, err)
	defer func() { _ = conn.Close() }()
	conn.Uses(&af_packet.AfPacketCreateV3{})
	for i, nic := range n.nics {
		_, err = af_packet.NewServiceClient(conn).AfPacketCreateV3(c.Context(), &af_packet.AfPacketCreateV3{
			Mode: af_packet.AF_PACKET_API_MODE_ETHERNET, HostIfName: nic, NumRxQueues: 1, NumTxQueues: 1,
			HwAddr: [6]byte{2, 0xfe, n.site.Host[0], n.site.Host[1], 0, byte(i)},
		})
		require.NoError(c, err)
	}
}

// vm is a guest and its port.
type vm struct {
	*netrig.Guest
	on   *node
	port string
	mac  vppnet.MAC
	addr netip.Prefix
	vlan int
}

// boot binds a port and starts the VM on it, as Neutron and Nova do.
func (c *classic) boot(n *node, vlan int, prefix string, groups ...string) *vm {
	c.Helper()
	c.vms++
	v := &vm{
		on: n, port: uuid(c.vms), mac: vppnet.MAC{0xfa, 0x16, 0x3e, 0, 0, byte(c.vms)},
		addr: netip.MustParsePrefix(prefix), vlan: vlan,
	}
	c.bind(v, groups...)
	v.Guest = netrig.Boot(c.T, fmt.Sprintf("i%d", c.vms), n.site.Dir+"/"+v.port, n.site.Server, v.mac.String(), prefix)
	v.IP(c.T, "route", "add", "default", "via", v.addr.Masked().Addr().Next().String())
	return v
}

// bind says which groups a VM's port is in. Without any, it has no port security.
func (c *classic) bind(v *vm, groups ...string) {
	c.Helper()
	value := port(v.vlan)
	if len(groups) > 0 {
		value = secured(v.vlan, v.addr.Addr().String(), groups...)
	}
	c.put(v.on.site.Host, v.port, strings.Replace(value, "fa:16:3e:00:10:01", v.mac.String(), 1))
}

// revives starts a VPP anew, and waits until the agent has made everything again.
func (c *classic) revives(n *node, ports ...*vm) {
	c.Helper()
	before := map[*vm]int{}
	var want []string
	for _, p := range ports {
		before[p] = p.Connections()
		want = append(want, p.port)
	}
	require.NoError(c, n.vpp.Restart())
	c.install(n)
	c.bound(n.site.Host, want...)
	for p, k := range before {
		p.WaitConnected(c, k)
	}
}

// group writes a security group, by its number, with rules for any IPv4 packets of one
// protocol (0: of any) each way.
func (c *classic) permit(n int, protocols ...int) {
	var rules []string
	for _, p := range protocols {
		most := 65535
		if p == 1 {
			most = -1
		}
		rules = append(rules, fmt.Sprintf(`{"is_ipv6":0,"remote_ip_addr":"0.0.0.0","ip_prefix_len":0,"remote_group_id":null,`+
			`"protocol":%d,"port_min":%d,"port_max":%d}`, p, min(0, most), most))
	}
	list := "[" + strings.Join(rules, ",") + "]"
	c.group(n, `{"ingress_rules":`+list+`,"egress_rules":`+list+`}`)
}

// The router's, by Neutron's numbers: a leg in each of two networks, and a gateway.
const (
	router   = "0000000a-4045-4ac2-a1a1-3b6a6d0c0003"
	sharedIP = "203.0.113.101"
)

// legMAC is that of the router's leg in a VLAN.
func legMAC(vlan int) vppnet.MAC { return vppnet.MAC{0xfa, 0x16, 0x3e, 1, 0, byte(vlan)} }

// leg gives the router an interface in a VLAN, whose gateway it is from now on.
func (c *classic) leg(vlan int, gateway string) {
	c.Helper()
	c.routing(router+"/"+uuid(1000+vlan), fmt.Sprintf(`{"port_id":%q,"loopback_mac":%q,"gateway_ip":%q,"subnet_id":"s","network_id":"n",`+
		`"fixed_ips":[{"subnet_id":"s","ip_address":%[3]q}],"is_ipv6":false,"prefixlen":24,"mtu":1500,"segmentation_id":%d,`+
		`"net_type":"vlan","physnet":"physnet1","vrf_id":1}`, uuid(1000+vlan), legMAC(vlan), gateway, vlan))
}

// gateway leads the router out, by an address that its hosts share.
func (c *classic) gateway() {
	c.Helper()
	c.routing(router+"/"+uuid(1000), fmt.Sprintf(`{"id":%q,"name":"r","status":"ACTIVE","admin_state_up":true,"routes":[],"gw_port_id":%q,`+
		`"external_gateway_info":{"network_id":"e","enable_snat":true,"external_fixed_ips":[{"subnet_id":"s","ip_address":%q}]},`+
		`"vrf_id":1,"external_physnet":"external","external_net_type":"flat","external_segmentation_id":null,"mtu":1500,`+
		`"loopback_mac":"fa:16:3e:01:00:00","gateways":[[%[3]q,24,false]],"external_gateway_ip":"203.0.113.1"}`, router, uuid(1000), sharedIP))
}

// float associates a floating IP with a VM; without one, it ends that.
func (c *classic) float(ip string, v *vm) {
	c.Helper()
	value := ""
	if v != nil {
		value = fmt.Sprintf(`{"external_physnet":"external","external_net_type":"flat","external_segmentation_id":null,`+
			`"internal_physnet":"physnet1","internal_net_type":"vlan","internal_segmentation_id":%d,`+
			`"fixed_ip_address":%q,"floating_ip_address":%q}`, v.vlan, v.addr.Addr(), ip)
	}
	c.routing("floatingip/"+uuid(2000), value)
}

// routing writes a key of the network node's routers; "": deletes it.
func (c *classic) routing(name, value string) {
	c.Helper()
	c.rig.routing("n1", name, value)
}

// tagged takes the frames of a VM that its node sends into the Ethernet.
func (c *classic) tagged(v *vm) *netrig.Capture {
	c.Helper()
	return c.ethernet.Capture(c.T, "to-"+v.on.site.Host, func(frame []byte) bool { return vppnet.MAC(frame[6:12]) == v.mac })
}

// vlanOf is the VLAN that a frame is in; 0: none.
func vlanOf(frame []byte) int {
	if len(frame) < 18 || binary.BigEndian.Uint16(frame[12:]) != 0x8100 {
		return 0
	}
	return int(binary.BigEndian.Uint16(frame[14:]) & 0xfff)
}

// askers captures who asks a namespace for an echo of packets that are filled with a byte.
func askers(t *testing.T, ns netrig.NetNS, fill byte) *netrig.Capture {
	t.Helper()
	return ns.Capture(t, "eth0", func(f []byte) bool {
		return len(f) > 34 && binary.BigEndian.Uint16(f[12:]) == 0x0800 && f[23] == 1 && f[34] == 8 && f[len(f)-1] == fill
	})
}

// sourceOf is that of an IPv4 packet without a tag.
func sourceOf(frame []byte) string { return netip.AddrFrom4([4]byte(frame[26:30])).String() }
