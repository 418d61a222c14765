// SPDX-License-Identifier: Apache-2.0

//go:build linux

package acl_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/netrig"
)

// A talk goes on until the test ends: a client asks every few milliseconds, and counts the
// answers. TCP may ask once more what is not answered; the others go on to the next.
type talk struct {
	name string

	mu      sync.Mutex
	last    time.Time // an answer came
	answers int
	gap     time.Duration // the longest without one
}

const pause = 3 * time.Millisecond

func (k *talk) answered() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if !k.last.IsZero() {
		k.gap = max(k.gap, now.Sub(k.last))
	}
	k.last, k.answers = now, k.answers+1
}

// since is how long ago the last answer came, and how many there were.
func (k *talk) so(far func(last time.Time, answers int, gap time.Duration)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	far(k.last, k.answers, k.gap)
}

// begun waits for answers, and begins to look for gaps anew.
func (k *talk) begun(t *testing.T) {
	t.Helper()
	n := 0
	k.so(func(_ time.Time, answers int, _ time.Duration) { n = answers })
	require.Eventually(t, func() (ok bool) {
		k.so(func(_ time.Time, answers int, _ time.Duration) { ok = answers > n+10 })
		return ok
	}, 20*time.Second, time.Millisecond, "%s does not begin", k.name)
	k.mu.Lock()
	k.gap = 0
	k.mu.Unlock()
}

// longest is the longest time without an answer until now.
func (k *talk) longest() (longest time.Duration) {
	k.so(func(last time.Time, _ int, gap time.Duration) { longest = max(gap, time.Since(last)) })
	return longest
}

// ended says how long after a moment the last answer came.
func (k *talk) ended(from time.Time) (after time.Duration) {
	k.so(func(last time.Time, _ int, _ time.Duration) { after = last.Sub(from) })
	return after
}

// speak runs a talk: ask sends, hear waits a little for an answer.
func speak(t *testing.T, name string, retry bool, ask func() error, hear func(until time.Time) bool) *talk {
	k := &talk{name: name}
	end := make(chan struct{})
	var talking sync.WaitGroup
	talking.Go(func() {
		for asked := false; ; time.Sleep(pause) {
			select {
			case <-end:
				return
			default:
			}
			if !asked || !retry {
				if ask() != nil {
					continue
				}
			}
			asked = !hear(time.Now().Add(20 * time.Millisecond))
			if !asked {
				k.answered()
			}
		}
	})
	t.Cleanup(func() { close(end); talking.Wait() })
	return k
}

// serve answers on places of UDP and TCP, by sending back what comes.
func serve(t *testing.T, at netrig.NetNS, places ...string) {
	t.Helper()
	for _, place := range places {
		var l net.Listener
		var u net.PacketConn
		at.Do(t, func() (err error) {
			if l, err = net.Listen("tcp", place); err == nil {
				u, err = net.ListenPacket("udp", place)
			}
			return err
		})
		t.Cleanup(func() { _, _ = l.Close(), u.Close() })
		go func() {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				go echo(c.Read, c.Write)
			}
		}()
		go func() {
			buf := make([]byte, 64)
			for n, from, err := u.ReadFrom(buf); err == nil; n, from, err = u.ReadFrom(buf) {
				_, _ = u.WriteTo(buf[:n], from)
			}
		}()
	}
}

// push sends to whoever connects, and hears nothing.
func push(t *testing.T, at netrig.NetNS, place string) {
	t.Helper()
	var l net.Listener
	at.Do(t, func() (err error) { l, err = net.Listen("tcp", place); return err })
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go func() {
				for _, err := c.Write([]byte("12345678")); err == nil; _, err = c.Write([]byte("12345678")) {
					time.Sleep(pause)
				}
			}()
		}
	}()
}

// A quiet connection says nothing until it is told to, from the end of whoever was called.
type quiet struct {
	what   string
	caller net.Conn
	called net.Conn
}

func isQuiet(t *testing.T, from, at netrig.NetNS, place netip.AddrPort) (q quiet) {
	t.Helper()
	var l net.Listener
	at.Do(t, func() (err error) { l, err = net.Listen("tcp", place.String()); return err })
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	q = quiet{what: "call of " + place.String(), caller: connect(t, from, "tcp", place)}
	q.called = <-accepted
	t.Cleanup(func() { _, _ = l.Close(), q.called.Close() })
	require.True(t, q.speaks(), q.what)
	return q
}

// speaks says whether what the called says first is heard.
func (q quiet) speaks() bool {
	_, _ = q.called.Write([]byte("x"))
	_ = q.caller.SetReadDeadline(time.Now().Add(3 * time.Second))
	_, err := q.caller.Read(make([]byte, 1))
	return err == nil
}

// hears connects to who pushes, and says nothing.
func hears(t *testing.T, from netrig.NetNS, to netip.AddrPort) *talk {
	t.Helper()
	c := connect(t, from, "tcp", to)
	buf := make([]byte, 64)
	return speak(t, "push of "+to.String(), false, func() error { return nil }, func(until time.Time) bool {
		_ = c.SetReadDeadline(until)
		_, err := c.Read(buf)
		return err == nil
	})
}

func echo(read, write func([]byte) (int, error)) {
	buf := make([]byte, 64)
	for n, err := read(buf); err == nil; n, err = read(buf) {
		_, _ = write(buf[:n])
	}
}

func connect(t *testing.T, from netrig.NetNS, network string, to netip.AddrPort) (c net.Conn) {
	t.Helper()
	from.Do(t, func() (err error) {
		for range 20 { // a busy machine may not have found the neighbour yet
			if c, err = net.DialTimeout(network, to.String(), time.Second); err == nil {
				break
			}
		}
		return err
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// dials a server from a namespace, by "tcp" or "udp", and talks to it.
func dials(t *testing.T, from netrig.NetNS, network string, to netip.AddrPort) *talk {
	t.Helper()
	c := connect(t, from, network, to)
	buf := make([]byte, 64)
	n := uint64(0)
	return speak(t, fmt.Sprintf("%s to %s", network, to), network == "tcp", func() error {
		n++
		_, err := c.Write(binary.BigEndian.AppendUint64(nil, n))
		return err
	}, func(until time.Time) bool {
		for _ = c.SetReadDeadline(until); ; {
			m, err := c.Read(buf)
			if err != nil {
				return false
			}
			if m == 8 && binary.BigEndian.Uint64(buf) == n {
				return true
			}
		}
	})
}

// pings a host all the time.
func pings(t *testing.T, from netrig.NetNS, to netip.Addr, id uint16) *talk {
	t.Helper()
	network, request, reply := "ip4:icmp", byte(8), byte(0)
	if to.Is6() {
		network, request, reply = "ip6:ipv6-icmp", 128, 129
	}
	var c *net.IPConn
	from.Do(t, func() (err error) {
		c, err = net.DialIP(network, nil, &net.IPAddr{IP: to.AsSlice()})
		return err
	})
	t.Cleanup(func() { _ = c.Close() })
	seq, buf := uint16(0), make([]byte, 256)
	return speak(t, "ping of "+to.String(), false, func() error {
		seq++
		m := be16(uint16(request)<<8, 0, id, seq)
		binary.BigEndian.PutUint16(m[2:], checksum(m)) // of ICMPv6 Linux writes it
		_, err := c.Write(m)
		return err
	}, func(until time.Time) bool {
		for _ = c.SetReadDeadline(until); ; {
			n, _, err := c.ReadFromIP(buf) // without the header of IPv4
			if err != nil {
				return false
			}
			m := buf[:n]
			if n >= 8 && m[0] == reply && binary.BigEndian.Uint16(m[4:]) == id && binary.BigEndian.Uint16(m[6:]) == seq {
				return true
			}
		}
	})
}
