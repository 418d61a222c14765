// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

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
			// Nobody asks anew while an answer may be under way: that would begin a flow of the VM's own.
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
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

	c.ends("rules go", func() { c.group(1, letIn()) }, tcp, slices.Concat(udp, back, member))
	i2.Loses(t, "192.168.1.11")
	i2.Loses(t, "2001:db8::11")
	c.ends("the port leaves a group", func() { c.dual(i1, "2001:db8::11", gid(1)) }, udp, slices.Concat(back, member))
	c.ends("a member leaves", func() { c.member(5, 1, "") }, member, back)
	c.ends("the other's rules go", func() { c.group(3, letIn(17)) }, back, nil) // the server's
}

// ends demands that a change ends some conversations within a second, and disturbs none of the others. A machine on which an
// agent takes a tenth of that to say a word has more time.
func (c *classic) ends(what string, change func(), end, stay []*asking) {
	c.Helper()
	due := max(time.Second, 10*c.lag("c1"))
	at := time.Now()
	change()
	time.Sleep(due + 2*time.Second) // time enough to try again
	for i, a := range stay {
		require.Less(c, time.Since(a.heard()), due, "%s: %d: disturbed", what, i)
	}
	for i, a := range end {
		c.Logf("%s: from the change in etcd to the last answer: %s, with %s to do it", what, max(0, a.heard().Sub(at)).Round(time.Millisecond), due.Round(time.Millisecond))
		require.Less(c, a.heard().Sub(at), due, "%s: %d", what, i)
	}
}

// lag is how long an agent takes from a key to a word about it, if VPP has nothing to do with it.
func (r *rig) lag(host string) time.Duration {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	said := r.client.Watch(ctx, "/networking-vpp/state/"+host+"/errors/lag/x", clientv3.WithCreatedNotify())
	<-said
	began := time.Now()
	r.set("/networking-vpp/nodes/"+host+"/lag/x", "{}")
	w, ok := <-said
	require.True(r, ok && w.Err() == nil, "%v", w.Err())
	took := time.Since(began)
	r.set("/networking-vpp/nodes/"+host+"/lag/x", "")
	return took
}
