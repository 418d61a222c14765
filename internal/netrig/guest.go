// SPDX-License-Identifier: Apache-2.0

//go:build linux

package netrig

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A Guest is a VM as a vhost-user port of VPP sees it: the driver's side of the
// virtio queues, whose network card is eth0 of a namespace. It comes back to a VPP
// that was restarted. Frames of more than 2036 bytes are not carried.
type Guest struct {
	NetNS
	socket    string
	connected atomic.Int64

	packets *packetSocket // on the other end of eth0
	end     bell
	running sync.WaitGroup
	stop    func()
}

// Boot starts a guest whose eth0 has these addresses, on the socket of its port. If
// VPP is the server, the guest connects to it; if not, it listens. It ends with the
// test.
func Boot(t testing.TB, name, socket string, vppServes bool, mac string, addresses ...string) *Guest {
	t.Helper()
	outside := New(t, name+"-card") // a namespace of its own: Linux would answer for eth0 there
	g := &Guest{NetNS: New(t, name), socket: socket}
	Veth(t, outside, "card", g.NetNS, "eth0")
	g.IP(t, "link", "set", "dev", "eth0", "address", mac)
	g.Address(t, addresses...)
	g.packets = outside.packets(t, "card")
	g.end = newBell(t)
	listener := -1
	if !vppServes {
		var err error
		listener, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		require.NoError(t, unix.Bind(listener, &unix.SockaddrUnix{Name: socket}))
		require.NoError(t, unix.Listen(listener, 1))
	}
	g.running.Go(func() { g.run(listener) })
	g.stop = sync.OnceFunc(func() {
		g.end.ring()
		g.running.Wait()
		g.packets.close()
		g.end.close()
		if listener >= 0 {
			_ = unix.Close(listener)
			_ = unix.Unlink(socket)
		}
	})
	t.Cleanup(g.stop)
	return g
}

// Stop ends the guest before the test does.
func (g *Guest) Stop() { g.stop() }

// Connections is how often the guest and VPP have agreed upon their queues.
func (g *Guest) Connections() int { return int(g.connected.Load()) }

// WaitConnected waits until that is more than before.
func (g *Guest) WaitConnected(t testing.TB, before int) {
	t.Helper()
	require.Eventually(t, func() bool { return g.Connections() > before }, 30*time.Second, 10*time.Millisecond,
		"nobody on the other side of %s", g.socket)
}

func (g *Guest) run(listener int) {
	for pause := 0; g.end.wait(pause); pause = 50 {
		conn := g.connect(listener)
		if conn < 0 {
			continue
		}
		if d, err := connectDevice(conn); err == nil {
			g.connected.Add(1)
			g.carry(d)
			d.close()
		}
	}
}

// connect is a new connection to the device's side; negative: there is none yet.
func (g *Guest) connect(listener int) int {
	if listener >= 0 {
		if !g.end.wait(-1, listener) {
			return -1
		}
		conn, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != nil {
			return -1
		}
		return conn
	}
	conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	if err := unix.Connect(conn, &unix.SockaddrUnix{Name: g.socket}); err != nil {
		_ = unix.Close(conn)
		return -1
	}
	return conn
}

// carry carries frames between eth0 and the device until either side ends. VPP reads
// its own calls, sometimes before anybody else can see them; so it looks without being
// called, too.
func (g *Guest) carry(d *device) {
	for g.end.wait(5, d.conn, d.call[0], d.call[1], g.packets.fd) && !d.gone() {
		d.called()
		d.rx.drain(g.packets.send)
		d.wake(0)
		for frame := g.packets.receive(); frame != nil; frame = g.packets.receive() {
			if d.tx.send(frame) {
				d.wake(1)
			}
		}
	}
}
