// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package snooptest is VPP's end of a memif, for tests without a VPP.
package snooptest

import (
	"encoding/binary"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Master listens as VPP does, for one slave after the other.
type Master struct {
	// Refuse is why nobody is let in; "": whoever comes is.
	Refuse string

	// Frames are sent to each slave as soon as it is there, in buffers of the slave's. Lie makes
	// the first be longer than its buffer.
	Frames [][]byte
	Lie    bool

	Secrets chan string // of who came

	listener *net.UnixListener
}

// Listen begins; the test ends it.
func (m *Master) Listen(t testing.TB, path string) {
	t.Helper()
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	require.NoError(t, err)
	m.listener, m.Secrets = l, make(chan string, 100)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_ = m.serve(c) // the slave says what it misses
			}()
		}
	}()
}

// say sends a message of one type, with what follows.
func say(c *net.UnixConn, kind uint16, body ...byte) error {
	out := make([]byte, 128)
	binary.NativeEndian.PutUint16(out, kind)
	copy(out[2:], body)
	_, err := c.Write(out)
	return err
}

// serve speaks with one slave: hello, its four messages, its connect; then it sends frames.
func (m *Master) serve(c *net.UnixConn) error {
	if err := say(c, 2); err != nil {
		return err
	}
	var files []int
	defer func() {
		for _, f := range files {
			_ = unix.Close(f)
		}
	}()
	var ring struct{ offset, size uint32 }
	for {
		in, rights := make([]byte, 128), make([]byte, 64)
		n, nr, _, _, err := c.ReadMsgUnix(in, rights)
		if err != nil || n < 128 {
			return errors.Join(err, errors.New("it hung up"))
		}
		if all, err := unix.ParseSocketControlMessage(rights[:nr]); err == nil && len(all) == 1 {
			fds, _ := unix.ParseUnixRights(&all[0])
			files = append(files, fds...)
		}
		switch binary.NativeEndian.Uint16(in) {
		case 3:
			secret := in[9:33]
			m.Secrets <- unix.ByteSliceToString(secret)
			if m.Refuse != "" {
				return say(c, 8, append(make([]byte, 4), m.Refuse...)...)
			}
		case 5:
			if binary.NativeEndian.Uint16(in[2:])&1 == 0 { // to the slave
				ring.offset, ring.size = binary.NativeEndian.Uint32(in[8:]), 1<<in[12]
			}
		case 6:
			if err := say(c, 7); err != nil {
				return err
			}
			return m.send(c, files[0], files[len(files)-1], ring.offset, ring.size)
		}
		if err := say(c, 1); err != nil {
			return err
		}
	}
}

// send puts frames into the slave's buffers, and waits until it hangs up.
func (m *Master) send(c *net.UnixConn, memory, bell int, at, size uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(memory, &st); err != nil {
		return err
	}
	mem, err := unix.Mmap(memory, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Munmap(mem) }()
	head, tail := (*uint32)(unsafe.Pointer(&mem[at+4])), (*uint32)(unsafe.Pointer(&mem[at+64]))
	slot := uint16(0)
	for i, frame := range m.Frames {
		for end := time.Now().Add(5 * time.Second); uint16(atomic.LoadUint32(head)>>16)-slot < 100; {
			if time.Now().After(end) {
				return errors.New("no buffers")
			}
			time.Sleep(time.Millisecond)
		}
		for first := true; first || len(frame) > 0; first = false {
			d := mem[at+128+uint32(slot)%size*16:]
			room := binary.NativeEndian.Uint32(d[4:])
			n := copy(mem[binary.NativeEndian.Uint32(d[8:]):][:room], frame)
			frame = frame[n:]
			binary.NativeEndian.PutUint16(d, uint16(min(1, len(frame))))
			if binary.NativeEndian.PutUint32(d[4:], uint32(n)); m.Lie && i == 0 {
				binary.NativeEndian.PutUint32(d[4:], 1<<30)
			}
			slot++
		}
		atomic.StoreUint32(tail, uint32(slot))
		if _, err := unix.Write(bell, []byte{0: 1, 7: 0}); err != nil {
			return err
		}
	}
	_, err = c.Read(make([]byte, 128))
	return err
}
