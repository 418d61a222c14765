// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/ownkind"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// geneve is an overlay from outside: neither the agent nor the library knows its tunnels.
type geneve struct{ translate.Underlay }

func (geneve) Kinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{ownkind.Tunnels(c)}
}
func (geneve) Base() []desiredstate.Object                   { return nil }
func (geneve) Join(string, uint32) []desiredstate.Object     { return nil }
func (geneve) Here(uint32, vppnet.MAC) []desiredstate.Object { return nil }
func (o geneve) There(bridge string, vni uint32, r translate.Remote) []desiredstate.Object {
	name := translate.TunnelName(vni, r.At)
	return append(translate.InTunnel(bridge, name), ownkind.Tunnel{Name: name, Src: o.Address.Addr(), Dst: r.At, VNI: vni})
}

// chosen are what --overlay chooses from, and one more.
var chosen = map[string]func(translate.Underlay) translate.Overlay{
	"gpe": overlays["gpe"], "vxlan": overlays["vxlan"],
	"geneve": func(u translate.Underlay) translate.Overlay { return geneve{u} },
}

// inVNI is a port in a network of an overlay, without port security.
func inVNI(vni int, mac, ip string) string {
	return fmt.Sprintf(`{"mac_address":%q,"mtu":1500,"physnet":null,"network_type":"gpe","segmentation_id":%d,"binding_type":"vhostuser",`+
		`"security_groups":[],"allowed_address_pairs":[],"fixed_ips":[{"subnet_id":"s","ip_address":%q}],"port_security_enabled":false}`, mac, vni, ip)
}

// Of three hosts, VMs of a network reach each other wherever they are, one that moves too;
// those of another network do not, though they have the same addresses.
func TestOverlayTraffic(t *testing.T) {
	for name, overlay := range chosen {
		t.Run(name, func(t *testing.T) { overlayTraffic(t, overlay) })
	}
}

func overlayTraffic(t *testing.T, overlay func(translate.Underlay) translate.Overlay) {
	c := &classic{ethernet: netrig.New(t, "ethernet")}
	c.ethernet.Bridge(t, "brphys")
	c.rig = newRig(t)
	c.vms = 0
	host := func(name string, n int) *node {
		ns := netrig.New(t, name)
		c.ethernet.Plug(t, "brphys", "to-"+name, ns, "up-"+name)
		x := &node{site: c.siteOf(name, "host-up-"+name), vpp: vpptest.Real(t, vpptest.InNetNS(string(ns))), nics: []string{"up-" + name}}
		x.site.Overlay = overlay(x.site.Underlay("physnet1", netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/24", n))))
		c.install(x)
		x.agent = c.rig.agent(x.site, x.vpp.Socket())
		return x
	}
	h1, h2 := host("h1", 1), host("h2", 2)
	boot := func(n *node, vni int, k byte, ip string) *vm {
		c.vms++
		v := &vm{on: n, port: uuid(c.vms), mac: vppnet.MAC{0xfa, 0x16, 0x3e, 0, byte(vni), k}}
		c.put(n.site.Host, v.port, inVNI(vni, v.mac.String(), ip))
		v.Guest = netrig.Boot(t, fmt.Sprintf("i%d", c.vms), n.site.Dir+"/"+v.port, n.site.Server, v.mac.String(), ip+"/24")
		return v
	}
	a, b := boot(h1, 10, 1, "10.0.0.1"), boot(h2, 10, 2, "10.0.0.2")
	x, y := boot(h1, 11, 1, "10.0.0.1"), boot(h2, 11, 3, "10.0.0.3")
	c.bound("h1", a.port, x.port)
	c.bound("h2", b.port, y.port)
	a.Reaches(t, "10.0.0.2")
	x.Reaches(t, "10.0.0.3")
	b.Reaches(t, "10.0.0.1")
	a.Misses(t, "10.0.0.3")
	x.Misses(t, "10.0.0.2")

	// a moves to h2 and back: its port is bound where it goes before it is unbound where it was.
	stop := b.Pings(t, "10.0.0.1")
	began := time.Now()
	again := boot(h2, 10, 1, "10.0.0.1")
	c.unplug("h1", a.port)
	b.Reaches(t, "10.0.0.1")
	again.Reaches(t, "10.0.0.2")
	answers, lost := stop()
	t.Logf("moved to the other's host: %d of %d pings lost, which is %d ms of %v", lost, answers+lost, 50*lost, time.Since(began).Round(time.Millisecond))
	require.Less(t, 50*lost, 8000)

	stop = b.Pings(t, "10.0.0.1")
	began = time.Now()
	back := boot(h1, 10, 1, "10.0.0.1")
	c.unplug("h2", again.port)
	b.Reaches(t, "10.0.0.1")
	back.Reaches(t, "10.0.0.2")
	answers, lost = stop()
	t.Logf("moved back: %d of %d pings lost, which is %d ms of %v", lost, answers+lost, 50*lost, time.Since(began).Round(time.Millisecond))
	require.Less(t, 50*lost, 8000)
	x.Reaches(t, "10.0.0.3")
}
