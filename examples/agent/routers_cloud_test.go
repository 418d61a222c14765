// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
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

// cloud is hosts on Ethernets, one for each network, and nodes whose VPPs are routers
// between them. The networks are flat: a Linux without VLANs will do.
type cloud struct {
	*rig
	ethernet netrig.NetNS
	plugs    int
}

func newCloud(t *testing.T, nets ...int) *cloud {
	t.Helper()
	c := &cloud{ethernet: netrig.New(t, "ethernet")}
	for _, n := range nets {
		c.ethernet.Bridge(t, fmt.Sprintf("net%d", n))
	}
	c.rig = newRig(t)
	return c
}

// plug gives a namespace a device in a network.
func (c *cloud) plug(ns netrig.NetNS, net int, device string) {
	c.Helper()
	c.plugs++
	c.ethernet.Plug(c, fmt.Sprintf("net%d", net), fmt.Sprintf("port%d", c.plugs), ns, device)
}

// flat is a router's or a floating IP's value about VLANs, made one about flat networks.
func flat(value string) string {
	if value == "" {
		return ""
	}
	var f map[string]any
	if err := json.Unmarshal([]byte(value), &f); err != nil {
		panic(err)
	}
	for _, which := range []string{"", "external_", "internal_"} {
		if id, ok := f[which+"segmentation_id"]; ok {
			f[which+"physnet"], f[which+"net_type"], f[which+"segmentation_id"] = fmt.Sprintf("net%v", id), "flat", nil
		}
	}
	out, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// host is a host in a network that answers whoever asks it on port 7777, by UDP or TCP,
// with its name and the address that it sees.
func (c *cloud) host(name string, network int, prefix, gateway string) netrig.NetNS {
	c.Helper()
	ns := netrig.New(c, name)
	c.plug(ns, network, "eth0")
	if prefix != "" {
		ns.Address(c, prefix)
	}
	if gateway != "" {
		ns.IP(c, "route", "add", "default", "via", gateway)
	}
	var udp net.PacketConn
	var tcp net.Listener
	ns.Do(c, func() (err error) {
		if udp, err = net.ListenPacket("udp", ":7777"); err == nil {
			tcp, err = net.Listen("tcp", ":7777")
		}
		return err
	})
	c.Cleanup(func() { _ = udp.Close(); _ = tcp.Close() })
	go func() {
		buf := make([]byte, 64)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = udp.WriteTo(fmt.Appendf(nil, "%s %s %s", buf[:n], name, from.(*net.UDPAddr).IP), from)
		}
	}()
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(conn, "%s %s\n", name, conn.RemoteAddr().(*net.TCPAddr).IP)
			_ = conn.Close()
		}
	}()
	return ns
}

// flow is a UDP socket.
type flow struct {
	conn net.Conn
	said int
}

func (c *cloud) flow(from netrig.NetNS, to string) *flow {
	c.Helper()
	f := new(flow)
	from.Do(c, func() (err error) {
		f.conn, err = net.Dial("udp", net.JoinHostPort(to, "7777"))
		return err
	})
	c.Cleanup(func() { _ = f.conn.Close() })
	return f
}

// says is who answers, and what address it sees; "": nobody does.
func (f *flow) says() string {
	buf := make([]byte, 128)
	for range 6 { // the first may wait for ARP in vain
		f.said++
		_, _ = fmt.Fprint(f.conn, f.said)
		_ = f.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		for {
			n, err := f.conn.Read(buf)
			if err != nil {
				break
			}
			if to, rest, _ := strings.Cut(string(buf[:n]), " "); to == strconv.Itoa(f.said) {
				return rest
			}
		}
	}
	return ""
}

// asks is one flow.
func (c *cloud) asks(from netrig.NetNS, to string) string { return c.flow(from, to).says() }

// connects is what a TCP server says.
func (c *cloud) connects(from netrig.NetNS, to string) string {
	c.Helper()
	var line string
	from.Do(c, func() error {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(to, "7777"), 4*time.Second)
		if err != nil {
			line = ""
			return nil
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(4 * time.Second))
		line, _ = bufio.NewReader(conn).ReadString('\n')
		return nil
	})
	return strings.TrimSpace(line)
}

// node is a VPP in some networks, and what its agent is told.
func (c *cloud) node(host string, nets ...int) (translate.Site, *vpptest.RealVPP) {
	c.Helper()
	ns := netrig.New(c, host)
	site := c.siteOf(host, "")
	site.Physnets = map[string]string{}
	for _, n := range nets {
		c.plug(ns, n, fmt.Sprintf("net%d", n))
		site.Physnets[fmt.Sprintf("net%d", n)] = fmt.Sprintf("host-net%d", n)
	}
	v := vpptest.Real(c.T, vpptest.InNetNS(string(ns)))
	c.wire(v, site)
	return site, v
}

// wire gives a VPP its NICs, as its startup.conf would.
func (c *cloud) wire(v *vpptest.RealVPP, site translate.Site) {
	c.Helper()
	conn, err := vppnet.Dial(c.Context(), v.Socket(), "hand")
	require.NoError(c, err)
	defer func() { _ = conn.Close() }()
	conn.Uses(&af_packet.AfPacketCreateV3{})
	for i, physnet := range site.PhysnetNames() {
		_, err = af_packet.NewServiceClient(conn).AfPacketCreateV3(c.Context(), &af_packet.AfPacketCreateV3{
			Mode: af_packet.AF_PACKET_API_MODE_ETHERNET, HostIfName: physnet, NumRxQueues: 1, NumTxQueues: 1,
			HwAddr: [6]byte{2, 0xfe, 0, 0, byte(i), site.Host[len(site.Host)-1]},
		})
		require.NoError(c, err)
	}
}

// keyed writes keys of routers, and waits until agents have done what they say.
type keyed struct {
	*cloud
	keys   map[string]string
	agents map[string]*running
}

func (k *keyed) put(name, value string) {
	k.Helper()
	if k.keys[name] = value; value == "" {
		delete(k.keys, name)
	}
	for host := range k.agents {
		k.routing(host, name, flat(value))
	}
}

func (k *keyed) settled() {
	k.Helper()
	for _, a := range k.agents {
		k.routed(a, k.keys)
	}
}
