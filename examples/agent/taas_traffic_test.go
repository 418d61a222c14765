// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// tapService is a service's value, as the driver writes it.
func tapService(number int, port string) string {
	return fmt.Sprintf(`{"tap_service":{"id":"x","name":"ts","port_id":%q,"status":"PENDING_CREATE"},"taas_id":%d,"port":{"id":%q},"dest_type":"Port"}`, port, number, port)
}

// tapFlow is a flow's value, as the driver writes it.
func tapFlow(number int, service, source, way, from, to string) string {
	return fmt.Sprintf(`{"tap_flow":{"id":"x","tap_service_id":%q,"source_port":%q,"direction":%q,"vlan_filter":null},"taas_id":%d,"port":{},`+
		`"port_mac":"","ts_port_mac":"","tf_host":%q,"ts_host":%q,"dest_type":"Port"}`, service, source, way, number, from, to)
}

// erspanFlow is one whose copies leave the cloud.
func erspanFlow(service, source, way, from string, session int) string {
	return fmt.Sprintf(`{"tap_flow":{"tap_service_id":%q,"source_port":%q,"direction":%q,"erspan_session_id":%d},"taas_id":0,"port":{},`+
		`"port_mac":"","tf_host":%q,"dest_type":"ERSPAN_EXT"}`, service, source, way, session, from)
}

// sid and tfid number services and flows.
func sid(n int) string  { return fmt.Sprintf("%08x-5e2f-4ac2-a1a1-3b6a6d0c0001", n) }
func tfid(n int) string { return fmt.Sprintf("%08x-f100-4ac2-a1a1-3b6a6d0c0001", n) }

// service and flow write a key of a host; "": none any more.
func (r *rig) service(host string, n int, value string) {
	r.Helper()
	r.set(translate.Root+"nodes/"+host+"/taas_service/"+sid(n), value)
}

func (r *rig) flow(host string, n int, value string) {
	r.Helper()
	r.set(translate.Root+"nodes/"+host+"/taas_flow/"+tfid(n), value)
}

// taps waits until a host says that these services and flows are active, and no others.
func (r *rig) taps(host string, want ...string) map[string]string {
	r.Helper()
	got := map[string]string{}
	require.Eventually(r, func() bool {
		got = r.below(translate.TapState(host, ""))
		for _, name := range want {
			if got[name] == "" {
				return false
			}
		}
		return len(got) == len(want)
	}, longest, tick, "%s shall say %v", host, want)
	return got
}

// Copies of what passes VMs' ports come to VMs on their host, and on another, by VLAN and by
// VXLAN, and to whom ERSPAN is decoded by; nobody else gets them, and they end with their keys.
func TestTapTraffic(t *testing.T) {
	c := &classic{ethernet: netrig.New(t, "ethernet")}
	c.ethernet.Bridge(t, "brphys")
	c.rig = newRig(t)
	host := func(name string, n int) *node {
		ns := netrig.New(t, name)
		c.ethernet.Plug(t, "brphys", "to-"+name, ns, "up-"+name)
		x := &node{site: c.siteOf(name, "host-up-"+name), vpp: vpptest.Real(t, vpptest.InNetNS(string(ns))), nics: []string{"up-" + name}}
		x.site.Overlay = translate.GPE{Underlay: x.site.Underlay("physnet1", netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/24", n)))}
		c.install(x)
		x.agent = c.rig.agent(x.site, x.vpp.Socket())
		return x
	}
	h1, h2 := host("h1", 1), host("h2", 2)
	outside := netrig.New(t, "outside")
	c.ethernet.Plug(t, "brphys", "to-outside", outside, "eth0")
	outside.Address(t, "192.0.2.100/24")
	for _, port := range []string{"to-h1", "to-h2", "to-outside"} { // a switch must not learn from copies
		c.ethernet.IP(t, "link", "set", "dev", port, "type", "bridge_slave", "learning", "off")
	}

	a, b := c.boot(h1, 101, "10.0.0.1/24"), c.boot(h2, 101, "10.0.0.2/24")
	near := c.boot(h1, 102, "10.0.2.1/24")
	c.vms++
	far := &vm{on: h1, port: uuid(c.vms), mac: vppnet.MAC{0xfa, 0x16, 0x3e, 0, 10, 1}}
	c.put("h1", far.port, inVNI(10, far.mac.String(), "10.0.3.1"))
	far.Guest = netrig.Boot(t, "far", h1.site.Dir+"/"+far.port, h1.site.Server, far.mac.String(), "10.0.3.1/24")
	c.bound("h1", a.port, near.port, far.port)
	c.bound("h2", b.port)
	a.Reaches(t, "10.0.0.2")

	// echoes are the pings of a to b by their type, 8 for those that a sends and 0 for the answers.
	echoes := func(frames [][]byte, skip int) (ask, answers int) {
		for _, f := range frames {
			if f = f[skip:]; len(f) > 34 && bytes.Equal(f[12:14], []byte{8, 0}) && f[23] == 1 {
				switch {
				case f[34] == 8 && vppnet.MAC(f[6:12]) == a.mac && vppnet.MAC(f[:6]) == b.mac:
					ask++
				case f[34] == 0 && vppnet.MAC(f[6:12]) == b.mac && vppnet.MAC(f[:6]) == a.mac:
					answers++
				}
			}
		}
		return ask, answers
	}
	between := func(f []byte) bool { return vppnet.MAC(f[:6]) == b.mac || vppnet.MAC(f[:6]) == a.mac }
	gets := func(at netrig.NetNS, want func([]byte) bool, skip int, asks, answers bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			seen := at.Capture(t, "eth0", want)
			a.Reaches(t, "10.0.0.2")
			time.Sleep(100 * time.Millisecond)
			ask, answer := echoes(seen.Frames(), skip)
			return (ask > 0) == asks && (answer > 0) == answers
		}, longest, tick)
	}

	// On one host.
	c.service("h1", 1, tapService(3900, near.port))
	c.flow("h1", 1, tapFlow(3900, sid(1), a.port, "BOTH", "h1", "h1"))
	c.taps("h1", "taas_service/"+sid(1), "taas_flow/"+tfid(1))
	gets(near.NetNS, between, 0, true, true)
	gets(far.NetNS, between, 0, false, false)
	c.flow("h1", 1, tapFlow(3900, sid(1), a.port, "IN", "h1", "h1"))
	gets(near.NetNS, between, 0, true, false)
	c.flow("h1", 2, tapFlow(3900, sid(1), a.port, "OUT", "h1", "h1"))
	gets(near.NetNS, between, 0, true, true)
	c.flow("h1", 1, "")
	gets(near.NetNS, between, 0, false, true)
	c.flow("h1", 2, "")
	gets(near.NetNS, between, 0, false, false)

	// From the other host, by the VLAN of the service.
	value := tapFlow(3900, sid(1), b.port, "BOTH", "h2", "h1")
	c.flow("h1", 3, value)
	c.flow("h2", 3, value)
	c.taps("h1", "taas_service/"+sid(1), "taas_flow/"+tfid(3))
	c.taps("h2", "taas_flow/"+tfid(3))
	gets(near.NetNS, between, 0, true, true)

	// And by VXLAN, to a port in an overlay; both at once.
	c.service("h1", 2, tapService(77, far.port))
	value = tapFlow(77, sid(2), b.port, "OUT", "h2", "h1")
	c.flow("h1", 4, value)
	c.flow("h2", 4, value)
	c.taps("h2", "taas_flow/"+tfid(3), "taas_flow/"+tfid(4))
	gets(far.NetNS, between, 0, true, false) // what goes to b is what a asks
	gets(near.NetNS, between, 0, true, true)

	// Out of the cloud, by ERSPAN.
	erspan := func(session uint16) func([]byte) bool {
		return func(f []byte) bool {
			return len(f) > 50 && f[23] == 47 && binary.BigEndian.Uint16(f[36:]) == 0x88be && binary.BigEndian.Uint16(f[44:])&0x3ff == session
		}
	}
	c.set(translate.TapTargets+sid(3), `{"tap_service":{"port_id":"","erspan_dst_ip":"192.0.2.100"},"dest_type":"ERSPAN_EXT"}`)
	c.flow("h1", 5, erspanFlow(sid(3), a.port, "BOTH", "h1", 513))
	c.taps("h1", "taas_service/"+sid(1), "taas_service/"+sid(2), "taas_flow/"+tfid(3), "taas_flow/"+tfid(4), "taas_flow/"+tfid(5))
	gets(outside, erspan(513), 50, true, true)
	gets(outside, erspan(512), 50, false, false)
	gets(far.NetNS, between, 0, true, false)

	// To a VM that decodes ERSPAN itself, on its host and from another.
	c.service("h1", 6, decoderService(3901, near.port, "10.0.2.77"))
	c.taps("h1", "taas_service/"+sid(1), "taas_service/"+sid(2), "taas_service/"+sid(6), "taas_flow/"+tfid(3), "taas_flow/"+tfid(4), "taas_flow/"+tfid(5))
	c.flow("h1", 6, decoderFlow(3901, sid(6), a.port, "IN", 6, near.mac.String(), "h1", "h1"))
	c.flow("h2", 7, decoderFlow(3901, sid(6), b.port, "BOTH", 7, near.mac.String(), "h2", "h1"))
	c.taps("h2", "taas_flow/"+tfid(3), "taas_flow/"+tfid(4), "taas_flow/"+tfid(7))
	gets(near.NetNS, erspan(6), 50, true, false)
	gets(near.NetNS, erspan(7), 50, true, true)
	gets(outside, erspan(7), 50, false, false)
	last := near.Capture(t, "eth0", erspan(7))
	a.Reaches(t, "10.0.0.2")
	f := last.Some(t)[0]
	require.Equal(t, near.mac, vppnet.MAC(f[:6]))
	require.Equal(t, netip.MustParseAddr("192.0.2.2"), netip.AddrFrom4([4]byte(f[26:30])))
	require.Equal(t, netip.MustParseAddr("10.0.2.77"), netip.AddrFrom4([4]byte(f[30:34])))

	// All of it ends with its keys; VPP holds nothing of it.
	for n := range 8 {
		c.flow("h1", n, "")
		c.flow("h2", n, "")
	}
	c.service("h1", 1, "")
	c.service("h1", 2, "")
	c.service("h1", 6, "")
	c.taps("h1")
	c.taps("h2")
	gets(near.NetNS, between, 0, false, false)
	gets(far.NetNS, between, 0, false, false)
	gets(outside, erspan(513), 50, false, false)
	for _, n := range []*node{h1, h2} {
		c.converged(n.agent)
		have, _ := c.found(n.site, n.vpp.Socket())
		for k := range have {
			require.NotEqual(t, "mirror", k.Space)
			require.NotRegexp(t, `(^|[> ])(tap|erspan)\.`, k.Name)
		}
	}
}
