// SPDX-License-Identifier: Apache-2.0

package snoop

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Memif is the slave's end of a memif of Ethernet frames whose master is VPP. It takes frames, and
// sends none. Not for several goroutines at a time.
type Memif struct {
	conn *net.UnixConn
	ring ring
}

// Messages of memif's version 2.0 are all of one size, in the machine's byte order.
const (
	version     = 2 << 8
	messageSize = 128
)

// Types of messages.
const (
	ack = 1 + iota
	hello
	initialize
	addRegion
	addRing
	connect
	connected
	disconnect
)

// Dial connects to the interface with a number on a socket, which has to be admin up.
func Dial(path string, id uint32, secret string) (*Memif, error) {
	conn, err := net.DialTimeout("unixpacket", path, time.Second)
	if err != nil {
		return nil, fmt.Errorf("memif: %w", err)
	}
	m := &Memif{conn: conn.(*net.UnixConn)}
	if err = m.conn.SetDeadline(time.Now().Add(5 * time.Second)); err == nil {
		err = m.open(id, secret)
	}
	if err == nil {
		err = m.conn.SetDeadline(time.Time{})
	}
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("memif %s: %w", path, err)
	}
	return m, nil
}

// open offers VPP the memory for its frames.
func (m *Memif) open(id uint32, secret string) error {
	memory, err := m.ring.open()
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(memory) }()
	if err := m.expect(hello); err != nil {
		return err
	}
	var key [24]byte
	var name [32]byte
	if copy(key[:len(key)-1], secret) < len(secret) {
		return errors.New("the secret is longer than 23 bytes")
	}
	copy(name[:], "snoop")
	steps := []struct {
		kind, answer uint16
		file         int // -1: none
		body         []any
	}{
		{initialize, ack, -1, []any{uint16(version), id, uint8(0), key, name}},
		{addRegion, ack, memory, []any{uint16(0), uint64(memorySize)}},
		// Of either ring: flags, which of its direction, region, place, size, room for a header.
		{addRing, ack, m.ring.bell, []any{uint16(1), uint16(0), uint16(0), uint32(0), uint8(logRing), uint16(0)}},
		{addRing, ack, m.ring.bell, []any{uint16(0), uint16(0), uint16(0), uint32(ringSize), uint8(logRing), uint16(0)}},
		{connect, connected, -1, []any{name}},
	}
	for _, s := range steps {
		if err := m.tell(s.kind, s.file, s.body...); err != nil {
			return err
		}
		if err := m.expect(s.answer); err != nil {
			return err
		}
	}
	return nil
}

// tell sends a message, of which a file may be a part.
func (m *Memif) tell(kind uint16, file int, body ...any) error {
	out := binary.NativeEndian.AppendUint16(nil, kind)
	for _, x := range body {
		var err error
		if out, err = binary.Append(out, binary.NativeEndian, x); err != nil {
			return err
		}
	}
	out = append(out, make([]byte, messageSize-len(out))...)
	var rights []byte
	if file >= 0 {
		rights = unix.UnixRights(file)
	}
	_, _, err := m.conn.WriteMsgUnix(out, rights, nil)
	return err
}

// expect waits for a message of one type.
func (m *Memif) expect(kind uint16) error {
	in := make([]byte, messageSize)
	switch n, err := m.conn.Read(in); {
	case err != nil:
		return fmt.Errorf("VPP hung up: %w", err)
	case n < messageSize:
		return fmt.Errorf("VPP sent %d bytes, want %d", n, messageSize)
	}
	switch got := binary.NativeEndian.Uint16(in); got {
	case kind:
		return nil
	case disconnect:
		why, _, _ := bytes.Cut(in[6:102], []byte{0})
		return fmt.Errorf("VPP refuses: %q", why)
	default:
		return fmt.Errorf("VPP sent a message of type %d, want %d", got, kind)
	}
}

// Next is the next frame, until the next call; it waits until then. os.ErrDeadlineExceeded: there
// was none. Any other error is final.
func (m *Memif) Next(until time.Time) ([]byte, error) {
	for {
		if frame, err := m.ring.next(); frame != nil || err != nil {
			return frame, err
		}
		left := time.Until(until)
		if left <= 0 {
			return nil, os.ErrDeadlineExceeded
		}
		if err := m.wait(left); err != nil {
			return nil, err
		}
	}
}

// wait waits until VPP rings, or says or does anything else, which can only be an end.
func (m *Memif) wait(left time.Duration) error {
	raw, err := m.conn.SyscallConn()
	if err != nil {
		return err
	}
	var ended bool
	var failed error
	err = raw.Control(func(fd uintptr) {
		both := []unix.PollFd{{Fd: int32(m.ring.bell), Events: unix.POLLIN}, {Fd: int32(fd), Events: unix.POLLIN}}
		_, failed = unix.Poll(both, int(left.Milliseconds())+1)
		ended = both[1].Revents != 0
	})
	switch {
	case err != nil:
		return err
	case errors.Is(failed, unix.EINTR):
		return nil
	case failed != nil:
		return failed
	case ended:
		return fmt.Errorf("memif: %w", errors.Join(m.expect(0), errors.New("VPP ended it")))
	}
	_, _ = unix.Read(m.ring.bell, make([]byte, 8))
	return nil
}

// Close hangs up.
func (m *Memif) Close() {
	_ = m.conn.Close()
	m.ring.close()
}
