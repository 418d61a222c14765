// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

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
	return c
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

// tagged takes the frames that a node sends into the Ethernet.
func (c *classic) tagged(n *node, source vppnet.MAC) *netrig.Capture {
	c.Helper()
	return c.ethernet.Capture(c.T, "to-"+n.site.Host, func(frame []byte) bool { return bytes.Equal(frame[6:12], source[:]) })
}

// vlanOf is the VLAN that a frame is in; 0: none.
func vlanOf(frame []byte) int {
	if len(frame) < 18 || binary.BigEndian.Uint16(frame[12:]) != 0x8100 {
		return 0
	}
	return int(binary.BigEndian.Uint16(frame[14:]) & 0xfff)
}

// VMs of one network are one segment, on whatever host; those of another are not on
// it, even with the same address; groups and port security hold; agents that stop
// cost nothing, VPPs that die come back.
func TestClassicNetworks(t *testing.T) {
	c := newClassic(t)
	c.permit(1, 0)
	i1, i2 := c.boot(c.c1, 101, "192.168.1.11/24", gid(1)), c.boot(c.c2, 101, "192.168.1.12/24", gid(1))
	i3, i4 := c.boot(c.c2, 102, "192.168.2.11/24"), c.boot(c.c2, 103, "192.168.1.11/24")
	c.bound("c1", i1.port)
	c.bound("c2", i2.port, i3.port, i4.port)

	t.Log("4a: one network on two hosts is switched, by its VLAN")
	wire := c.tagged(c.c1, i1.mac)
	require.Contains(t, i1.Reaches(t, "192.168.1.12"), "ttl=64")
	require.NotEmpty(t, wire.Frames())
	for _, f := range wire.Frames() {
		require.Equal(t, 101, vlanOf(f))
	}

	t.Log("5: the same address on another network disturbs nobody")
	undisturbed, other := i2.Pings(t, "192.168.1.11"), c.tagged(c.c2, i4.mac)
	i4.Misses(t, "192.168.1.12")
	i4.Misses(t, "192.168.1.1")
	answers, lost := undisturbed()
	require.Zero(t, lost, "of %d", answers)
	require.NotEmpty(t, other.Frames(), "it has asked")
	for _, f := range other.Frames() {
		require.Equal(t, 103, vlanOf(f))
	}

	t.Log("6: groups and port security")
	c.permit(2)
	c.bind(i1, gid(2))
	i1.Loses(t, "192.168.1.12")
	c.permit(2, 1)
	i1.Reaches(t, "192.168.1.12")
	i1.Address(t, "192.168.1.99/24")
	i1.Misses(t, "192.168.1.12", "-I", "192.168.1.99")
	i1.Reaches(t, "192.168.1.12", "-I", "192.168.1.11")
	i1.IP(t, "link", "set", "dev", "eth0", "address", "fa:16:3e:00:00:99")
	i1.Misses(t, "192.168.1.12")
	i1.IP(t, "link", "set", "dev", "eth0", "address", i1.mac.String())
	i1.Reaches(t, "192.168.1.12")

	t.Log("7: an agent stops, and another takes over")
	for _, n := range []*node{c.c1, c.c2} {
		there, back := i1.Pings(t, "192.168.1.12"), i2.Pings(t, "192.168.1.11")
		n.agent.stop()
		time.Sleep(time.Second) // nobody is needed
		n.agent = c.rig.agent(n.site, n.vpp.Socket())
		require.Eventually(t, n.agent.announcer.settled.Load, longest, tick)
		c.converged(n.agent)
		for _, stop := range []func() (int, int){there, back} {
			answers, lost := stop()
			t.Logf("%s: %d answers", n.site.Host, answers)
			require.Zero(t, lost)
		}
		require.Zero(t, n.agent.writes.Load(), "messages that change VPP")
	}

	t.Log("7: a VPP dies, and comes back")
	for n, ports := range map[*node][]*vm{c.c1: {i1}, c.c2: {i2, i3, i4}} {
		n.vpp.Kill()
		c.bound(n.site.Host)
		i1.Misses(t, "192.168.1.12")
		c.revives(n, ports...)
		began := time.Now()
		i1.Reaches(t, "192.168.1.12")
		t.Logf("%s: packets %v after all is there", n.site.Host, time.Since(began).Round(time.Millisecond))
		i2.Reaches(t, "192.168.1.11")
		i4.Misses(t, "192.168.1.12")
	}
}

const (
	longest = 30 * time.Second
	tick    = 10 * time.Millisecond
)
