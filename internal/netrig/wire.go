// SPDX-License-Identifier: Apache-2.0

//go:build linux

package netrig

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A Wire is a packet socket on a device, for what Linux is not to make up or to hear.
type Wire struct{ packets *packetSocket }

// Listen calls each with every frame that arrives at a device, tags and all, in order;
// it may keep a copy only.
func (n NetNS) Listen(t testing.TB, device string, each func(frame []byte)) *Wire {
	t.Helper()
	p := n.packets(t, device)
	end := newBell(t)
	var listening sync.WaitGroup
	listening.Go(func() {
		for end.wait(-1, p.fd) {
			for frame := p.receive(); frame != nil; frame = p.receive() {
				each(frame)
			}
		}
	})
	t.Cleanup(func() { end.ring(); listening.Wait(); end.close(); p.close() })
	return &Wire{p}
}

// Send sends a frame out of the device.
func (w *Wire) Send(frame []byte) { w.packets.send(frame) }

// A Capture keeps the frames that arrive at a device.
type Capture struct {
	mu  sync.Mutex
	got [][]byte
}

// Capture keeps those frames that want says yes to.
func (n NetNS) Capture(t testing.TB, device string, want func(frame []byte) bool) *Capture {
	t.Helper()
	c := new(Capture)
	n.Listen(t, device, func(frame []byte) {
		if want(frame) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.got = append(c.got, bytes.Clone(frame))
		}
	})
	return c
}

// Some are those kept so far, in order, and there is at least one.
func (c *Capture) Some(t testing.TB) [][]byte {
	t.Helper()
	require.Eventually(t, func() bool { return len(c.Frames()) > 0 }, 10*time.Second, time.Millisecond, "no such frame came")
	return c.Frames()
}

// Frames are those kept so far, in order.
func (c *Capture) Frames() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got[:len(c.got):len(c.got)]
}

// packetSocket is an AF_PACKET socket that hears what arrives at a device.
type packetSocket struct {
	fd   int
	buf  []byte // a frame, after room for its tag
	info []byte
}

// tagSize is how long the tag is that Linux takes off a frame.
const tagSize = 4

func (n NetNS) packets(t testing.TB, device string) *packetSocket {
	t.Helper()
	p := &packetSocket{buf: make([]byte, tagSize+1<<16), info: make([]byte, 128)}
	n.Do(t, func() (err error) {
		everything := int(binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL}))
		i, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		if p.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		for _, option := range []int{unix.PACKET_IGNORE_OUTGOING, unix.PACKET_AUXDATA} {
			if err = unix.SetsockoptInt(p.fd, unix.SOL_PACKET, option, 1); err != nil {
				break
			}
		}
		if err == nil {
			err = unix.Bind(p.fd, &unix.SockaddrLinklayer{Protocol: uint16(everything), Ifindex: i.Index})
		}
		if err != nil {
			p.close()
		}
		return err
	})
	return p
}

// receive is the next frame, until the next call; nil: there is none now.
func (p *packetSocket) receive() []byte {
	n, infoLen, _, _, err := unix.Recvmsg(p.fd, p.buf[tagSize:], p.info, 0)
	if err != nil || n < 14 {
		return nil
	}
	frame := p.buf[tagSize : tagSize+n]
	messages, _ := unix.ParseSocketControlMessage(p.info[:infoLen])
	for _, m := range messages {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA || len(m.Data) < int(unsafe.Sizeof(unix.TpacketAuxdata{})) {
			continue
		}
		if aux := (*unix.TpacketAuxdata)(unsafe.Pointer(&m.Data[0])); aux.Status&unix.TP_STATUS_VLAN_VALID != 0 {
			frame = p.buf[:tagSize+n]
			copy(frame, frame[tagSize:tagSize+12])
			binary.BigEndian.PutUint16(frame[12:], aux.Vlan_tpid)
			binary.BigEndian.PutUint16(frame[14:], aux.Vlan_tci)
		}
	}
	return frame
}

// send sends a frame, and waits for room; whatever else is wrong, it drops it, as a
// wire does.
func (p *packetSocket) send(frame []byte) {
	for {
		if _, err := unix.Write(p.fd, frame); err != unix.EAGAIN {
			return
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLOUT}}, 100)
	}
}

func (p *packetSocket) close() { _ = unix.Close(p.fd) }

// A bell ends a wait for files.
type bell struct{ fd int }

func newBell(t testing.TB) bell {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	require.NoError(t, err)
	return bell{fd}
}

// wait waits until one of the files can be read, or for some milliseconds (-1: for
// ever). False: it rang.
func (b bell) wait(milliseconds int, files ...int) bool {
	poll := []unix.PollFd{{Fd: int32(b.fd), Events: unix.POLLIN}}
	for _, fd := range files {
		poll = append(poll, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	_, _ = unix.Poll(poll, milliseconds) // whoever waits looks himself what there is
	return poll[0].Revents == 0
}

func (b bell) ring()  { _, _ = unix.Write(b.fd, []byte{0: 1, 7: 0}) }
func (b bell) close() { _ = unix.Close(b.fd) }
