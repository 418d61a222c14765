// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"
)

// What an allowed pair let a VM send ends within a second of the pair's end, in either direction and both families; what
// its own addresses and other pairs let it send is not disturbed.
func TestAPairThatGoesEnds(t *testing.T) {
	c := newClassic(t)
	c.group(1, letIn(1, 6, 17))
	i1, i2 := c.boot(c.c1, 101, "192.168.1.11/24", gid(1)), c.boot(c.c2, 101, "192.168.1.12/24", gid(1))
	allow := func(pairs ...string) {
		t.Helper()
		value := strings.Replace(secured(i1.vlan, i1.addr.Addr().String(), gid(1)), "fa:16:3e:00:10:01", i1.mac.String(), 1)
		for i, p := range pairs {
			pairs[i] = fmt.Sprintf(`{"ip_address":%q,"mac_address":%q}`, p, i1.mac)
		}
		c.put("c1", i1.port, strings.Replace(value, `"allowed_address_pairs":[]`, `"allowed_address_pairs":[`+strings.Join(pairs, ",")+`]`, 1))
	}
	allow("192.168.1.50", "2001:db8::50", "192.168.1.64/29", "2001:db8::64")
	c.bound("c1", i1.port)
	c.dual(i2, "2001:db8::12", gid(1))
	c.bound("c2", i2.port)
	i1.WaitConnected(t, 0)
	i2.WaitConnected(t, 0)
	i2.Address(t, "2001:db8::12/64")
	for _, a := range []string{"192.168.1.50/24", "192.168.1.65/24", "2001:db8::50/64", "2001:db8::64/64"} {
		i1.Address(t, a)
	}
	for _, a := range []string{"192.168.1.11", "192.168.1.50", "192.168.1.65", "2001:db8::50", "2001:db8::64"} {
		i2.Reaches(t, a)
	}
	var end, stay []*asking
	for _, network := range []string{"tcp", "udp"} {
		for _, at := range []string{"192.168.1.50:7777", "[2001:db8::50]:7777"} {
			end = append(end, echoes(t, network, i1.NetNS, i2.NetNS, at))
		}
		for _, at := range []string{"192.168.1.11:7777", "192.168.1.65:7777", "[2001:db8::64]:7777"} {
			stay = append(stay, echoes(t, network, i1.NetNS, i2.NetNS, at))
		}
	}
	c.ends("pairs go", func() { allow("192.168.1.64/29", "2001:db8::64") }, end, stay)
	i2.Loses(t, "192.168.1.50")
	i2.Loses(t, "2001:db8::50")
	i2.Reaches(t, "192.168.1.65")
}
