// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/netrig"
)

// letIn is a group whose ports may be asked for these protocols by anybody, and may ask whatever they like.
func letIn(protocols ...int) string { return letInFrom("", protocols...) }

// letInFrom is one that lets in what members of a group ask for; "": anybody.
func letInFrom(group string, protocols ...int) string {
	rules := func(from string, protocols ...int) string {
		var all []string
		for _, p := range protocols {
			for is6, anybody := range []string{"0.0.0.0", "::"} {
				low, high, p := 0, 65535, p
				if p == 1 {
					low, high, p = -1, -1, []int{1, 58}[is6]
				} else if p == 0 {
					high = 0
				}
				who := fmt.Sprintf(`"remote_ip_addr":%q,"ip_prefix_len":0,"remote_group_id":null`, anybody)
				if from != "" {
					who = fmt.Sprintf(`"remote_ip_addr":null,"ip_prefix_len":0,"remote_group_id":%q`, from)
				}
				all = append(all, fmt.Sprintf(`{"is_ipv6":%d,%s,"protocol":%d,"port_min":%d,"port_max":%d}`, is6, who, p, low, high))
			}
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	return `{"ingress_rules":` + rules(group, protocols...) + `,"egress_rules":` + rules("", 0) + `}`
}

// dual gives a VM an address of IPv6, and its port both addresses and groups.
func (c *classic) dual(v *vm, six string, groups ...string) {
	c.Helper()
	value := strings.Replace(secured(v.vlan, v.addr.Addr().String(), groups...), "fa:16:3e:00:10:01", v.mac.String(), 1)
	four := fmt.Sprintf(`"ip_address":%q}`, v.addr.Addr())
	c.put(v.on.site.Host, v.port, strings.Replace(value, four, four+fmt.Sprintf(`,{"subnet_id":"s6","ip_address":%q}`, six), 1))
}

// asking is a conversation of a client with a server that repeats what it hears.
type asking struct{ last atomic.Int64 }

func (a *asking) heard() time.Time { return time.Unix(0, a.last.Load()) }

// echoes starts a server, by "tcp" or "udp", and a client that talks to it until the test ends.
func echoes(t *testing.T, network string, server, client netrig.NetNS, at string) *asking {
	t.Helper()
	server.Do(t, func() error {
		if network == "udp" {
			u, err := net.ListenPacket(network, at)
			if err == nil {
				t.Cleanup(func() { _ = u.Close() })
				go func() {
					buf := make([]byte, 16)
					for n, from, err := u.ReadFrom(buf); err == nil; n, from, err = u.ReadFrom(buf) {
						_, _ = u.WriteTo(buf[:n], from)
					}
				}()
			}
			return err
		}
		l, err := net.Listen(network, at)
		if err == nil {
			t.Cleanup(func() { _ = l.Close() })
			go func() {
				for c, err := l.Accept(); err == nil; c, err = l.Accept() {
					go func() { _, _ = io.Copy(c, c) }()
				}
			}()
		}
		return err
	})
	var c net.Conn
	client.Do(t, func() (err error) { c, err = net.DialTimeout(network, at, 10*time.Second); return err })
	t.Cleanup(func() { _ = c.Close() })
	a := new(asking)
	go func() { // until c is closed
		for buf := make([]byte, 16); ; time.Sleep(5 * time.Millisecond) {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
			_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := c.Read(buf); err == nil {
				a.last.Store(time.Now().UnixNano())
			}
		}
	}()
	require.Eventually(t, func() bool { return a.last.Load() != 0 }, 10*time.Second, time.Millisecond, "%s to %s", network, at)
	return a
}

// What a group no longer lets in, whose port or whose member somebody no longer is, ends within a second of
// the key's change in etcd, though the VM may send whatever it likes; the rest goes on. So it is in both families.
func TestWhatIsTakenAwayEnds(t *testing.T) {
	c := newClassic(t)
	c.group(1, letIn(1, 6))
	c.group(2, letIn(17))
	c.group(3, letIn(1, 6))
	c.group(4, letInFrom(gid(5), 17))
	i1, i2 := c.boot(c.c1, 101, "192.168.1.11/24", gid(1), gid(2)), c.boot(c.c2, 101, "192.168.1.12/24", gid(3))
	c.dual(i1, "2001:db8::11", gid(1), gid(2))
	c.dual(i2, "2001:db8::12", gid(3), gid(4))
	c.member(5, 1, `["192.168.1.11","2001:db8::11"]`)
	c.bound("c1", i1.port)
	c.bound("c2", i2.port)
	i1.WaitConnected(t, 0)
	i2.WaitConnected(t, 0)
	i1.Address(t, "2001:db8::11/64")
	i2.Address(t, "2001:db8::12/64")
	i2.Reaches(t, "192.168.1.11")
	i2.Reaches(t, "2001:db8::11")
	talks := func(network string, server, client *vm, four, six string) []*asking {
		return []*asking{echoes(t, network, server.NetNS, client.NetNS, four), echoes(t, network, server.NetNS, client.NetNS, six)}
	}
	tcp, udp := talks("tcp", i1, i2, "192.168.1.11:7777", "[2001:db8::11]:7777"), talks("udp", i1, i2, "192.168.1.11:7777", "[2001:db8::11]:7777")
	back := talks("tcp", i2, i1, "192.168.1.12:7777", "[2001:db8::12]:7777") // a server behind a group, whose client is, too
	member := talks("udp", i2, i1, "192.168.1.12:7778", "[2001:db8::12]:7778")

	check := func(what string, at time.Time, end, stay []*asking) {
		t.Helper()
		time.Sleep(3 * time.Second) // time enough to try again
		for _, a := range stay {
			require.Less(t, time.Since(a.heard()), time.Second, "%s: disturbed", what)
		}
		for _, a := range end {
			t.Logf("%s: from the change in etcd to the last answer: %s", what, max(0, a.heard().Sub(at)))
			require.Less(t, a.heard().Sub(at), time.Second, what)
		}
	}
	at := time.Now()
	c.group(1, letIn())
	check("rules go", at, tcp, slices.Concat(udp, back, member))
	i2.Loses(t, "192.168.1.11")
	i2.Loses(t, "2001:db8::11")

	at = time.Now()
	c.dual(i1, "2001:db8::11", gid(1))
	check("the port leaves a group", at, udp, slices.Concat(back, member))

	at = time.Now()
	c.member(5, 1, "")
	check("a member leaves", at, member, back)

	at = time.Now()
	c.group(3, letIn(17)) // the server's rule goes
	check("the other's rules go", at, back, nil)
}
