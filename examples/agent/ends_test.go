// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/netrig"
)

// letIn is a group whose ports may be asked for these protocols, and may ask whatever they
// like.
func letIn(protocols ...int) string {
	rule := func(p, low, high int) string {
		return fmt.Sprintf(`{"is_ipv6":0,"remote_ip_addr":"0.0.0.0","ip_prefix_len":0,"remote_group_id":null,"protocol":%d,"port_min":%d,"port_max":%d}`, p, low, high)
	}
	var rules []string
	for _, p := range protocols {
		if p == 1 {
			rules = append(rules, rule(p, -1, -1))
		} else {
			rules = append(rules, rule(p, 0, 65535))
		}
	}
	return `{"ingress_rules":[` + strings.Join(rules, ",") + `],"egress_rules":[` + rule(0, 0, 0) + `]}`
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

// What a group no longer lets in, or a port that is no longer in it, ends within a second of
// the key's change in etcd, though the VM may send whatever it likes; the rest goes on.
func TestWhatIsTakenAwayEnds(t *testing.T) {
	c := newClassic(t)
	c.group(1, letIn(1, 6))
	c.group(2, letIn(17))
	c.group(3, letIn(6))
	i1, i2 := c.boot(c.c1, 101, "192.168.1.11/24", gid(1), gid(2)), c.boot(c.c2, 101, "192.168.1.12/24", gid(3))
	c.bound("c1", i1.port)
	c.bound("c2", i2.port)
	i1.WaitConnected(t, 0)
	i2.WaitConnected(t, 0)
	i2.Reaches(t, "192.168.1.11")
	tcp, udp := echoes(t, "tcp", i1.NetNS, i2.NetNS, "192.168.1.11:7777"), echoes(t, "udp", i1.NetNS, i2.NetNS, "192.168.1.11:7777")
	back := echoes(t, "tcp", i2.NetNS, i1.NetNS, "192.168.1.12:7777") // a server behind a group, whose client is, too

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
	check("rules go", at, []*asking{tcp}, []*asking{udp, back})
	i2.Loses(t, "192.168.1.11")

	at = time.Now()
	c.bind(i1, gid(1))
	check("the port leaves a group", at, []*asking{udp}, []*asking{back})

	at = time.Now()
	c.group(3, letIn(17)) // the server's rule goes
	check("the other's rules go", at, []*asking{back}, nil)
}
