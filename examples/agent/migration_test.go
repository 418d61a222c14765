// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
)

// announcement says whether a tagged frame is one for an address: a gratuitous ARP request,
// or an unsolicited advertisement.
func announcement(f []byte) bool {
	if len(f) < 46 || vlanOf(f) == 0 {
		return false
	}
	switch binary.BigEndian.Uint16(f[16:]) {
	case 0x0806:
		return string(f[32:36]) == string(f[42:46])
	case 0x86dd:
		return len(f) > 58 && f[24] == 58 && f[58] == 136 && f[62]&0x40 == 0
	}
	return false
}

// By a live migration a VM comes to a host that was made ready before, behind the same
// filters, and is silent. Until then it is reached where it was, and its filters there are
// in force; from when it runs here it is reached here, without a word of its own.
func TestLiveMigration(t *testing.T) {
	for _, flow := range []string{"bindings of two hosts", "one host after the other"} {
		t.Run(flow, func(t *testing.T) {
			c := newClassic(t)
			c.permit(1, 1)
			peer := c.boot(c.n1, 101, "192.168.1.13/24", gid(1))
			old := c.boot(c.c1, 101, "192.168.1.11/24", gid(1))
			c.bound("c1", old.port)
			c.bound("n1", peer.port)
			peer.WaitConnected(t, 0)
			old.WaitConnected(t, 0)
			peer.Reaches(t, "192.168.1.11")

			pings := peer.Pings(t, "192.168.1.11")
			value := strings.Replace(secured(101, "192.168.1.11", gid(1)), "fa:16:3e:00:10:01", old.mac.String(), 1)
			value = strings.Replace(value, `"ip_address":"192.168.1.11"}`, `"ip_address":"192.168.1.11"},{"subnet_id":"s6","ip_address":"2001:db8::11"}`, 1)
			said := c.ethernet.Capture(t, "to-c2", func(f []byte) bool { return vppnet.MAC(f[6:12]) == old.mac && announcement(f) })
			if flow == "bindings of two hosts" {
				c.put("c2", old.port, value)
				c.bound("c2", old.port)
				for range 3 {
					peer.Reaches(t, "192.168.1.11") // where it is
				}
				require.Empty(t, said.Frames(), "it runs elsewhere still")
				have, _ := c.found(c.c1.site, c.c1.vpp.Socket())
				c.filtered(have, "secured-"+old.port, []string{gid(1)})
				c.switches(old)
				c.unplug("c1", old.port)
			} else {
				c.unplug("c1", old.port)
				c.switches(old)
				c.put("c2", old.port, value)
			}
			c.bound("c2", old.port)
			c.bound("c1")
			peer.Reaches(t, "192.168.1.11")
			answers, lost := pings()
			t.Logf("%s: %d of %d pings lost, which is %d ms, in which the VM stood still too", flow, lost, answers+lost, 50*lost)
			require.NotZero(t, answers)
			require.Eventually(t, func() bool { return len(said.Frames()) >= 2 }, 10*time.Second, 10*time.Millisecond)
			families := map[uint16]bool{}
			for _, f := range said.Frames() {
				require.Equal(t, 101, vlanOf(f))
				families[binary.BigEndian.Uint16(f[16:])] = true
			}
			require.Equal(t, map[uint16]bool{0x0806: true, 0x86dd: true}, families)
			peer.Reaches(t, "192.168.1.11")
			have, _ := c.found(c.c2.site, c.c2.vpp.Socket())
			c.filtered(have, "secured-"+old.port, []string{gid(1)})
			_, foreign := c.found(c.c2.site, c.c2.vpp.Socket())
			for k, f := range foreign {
				require.NotContains(t, fmt.Sprint(k, f.Spec), "voice", "the loopback is gone")
			}
			require.NotContains(t, c.c2.agent.log.String(), "cannot announce")
		})
	}
}

// switches has a VM stop where it is, and go on on the other compute.
func (c *classic) switches(v *vm) {
	c.Helper()
	v.Stop()
	c.vms++
	v.on = c.c2
	v.Guest = netrig.Boot(c.T, fmt.Sprintf("i%d", c.vms), c.c2.site.Dir+"/"+v.port, c.c2.site.Server, v.mac.String(), v.addr.String())
}
