// SPDX-License-Identifier: Apache-2.0

//go:build linux

package netrig

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Requests of the vhost-user protocol, in which the driver's side tells the device's
// (VPP) where in shared memory its queues are.
const (
	getFeatures         = 1
	setFeatures         = 2
	setOwner            = 3
	setMemTable         = 5
	setVringNum         = 8
	setVringAddr        = 9
	setVringBase        = 10
	setVringKick        = 12
	setVringCall        = 13
	getProtocolFeatures = 15
	setProtocolFeatures = 16
	setVringEnable      = 18
)

const (
	featureProtocol = 1 << 30 // VHOST_USER_F_PROTOCOL_FEATURES: queues are enabled by message
	featureVersion1 = 1 << 32 // VIRTIO_F_VERSION_1
)

// guestAddress is where the shared memory is, as the guest sees it.
const guestAddress = 1 << 30

// A device is a connection to the device's side, and what is shared with it.
type device struct {
	conn int
	mem  []byte
	rx   receiver
	tx   transmitter
	kick [2]int // by queue: "there is something available"
	call [2]int // "something was used"
}

// connectDevice takes over a connection, and has both queues running when it returns.
func connectDevice(conn int) (_ *device, err error) {
	d := &device{conn: conn, kick: [2]int{-1, -1}, call: [2]int{-1, -1}}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if err := unix.SetsockoptTimeval(conn, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		return nil, err
	}
	memory, err := d.share()
	if err != nil {
		return nil, err
	}
	defer unix.Close(memory)
	return d, d.negotiate(memory)
}

func (d *device) share() (memory int, err error) {
	memory, err = unix.MemfdCreate("guest", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, err
	}
	if err = unix.Ftruncate(memory, 2*queueBytes); err == nil {
		d.mem, err = unix.Mmap(memory, 0, 2*queueBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	for i := range d.kick {
		for _, fd := range []*int{&d.kick[i], &d.call[i]} {
			if err == nil {
				*fd, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
			}
		}
	}
	if err != nil {
		_ = unix.Close(memory)
		return -1, err
	}
	d.rx.mem, d.rx.address = d.mem[:queueBytes], guestAddress
	d.tx.mem, d.tx.address = d.mem[queueBytes:], guestAddress+queueBytes
	d.rx.fill()
	return memory, nil
}

func (d *device) negotiate(memory int) error {
	offered, err := d.ask(getFeatures)
	if err != nil {
		return err
	}
	const need = featureVersion1 | featureProtocol
	if offered&need != need {
		return fmt.Errorf("the device offers features %#x, want at least %#x", offered, uint64(need))
	}
	if _, err = d.ask(getProtocolFeatures); err != nil {
		return err
	}
	m := message{conn: d.conn}
	m.tell(setProtocolFeatures, u64(0))
	m.tell(setFeatures, u64(need))
	m.tell(setOwner, nil)
	m.tell(setMemTable, append(u32(1, 0), u64(guestAddress, uint64(len(d.mem)), guestAddress, 0)...), memory)
	for i, q := range []*virtqueue{&d.rx.virtqueue, &d.tx.virtqueue} {
		n := uint32(i)
		m.tell(setVringCall, u64(uint64(n)), d.call[i])
		m.tell(setVringNum, u32(n, queueSize))
		m.tell(setVringBase, u32(n, 0))
		m.tell(setVringAddr, append(u32(n, 0), u64(q.address, q.address+usedStart, q.address+availableStart, 0)...))
		m.tell(setVringKick, u64(uint64(n)), d.kick[i])
		m.tell(setVringEnable, u32(n, 1))
	}
	d.wake(0) // a queue starts with its first kick
	d.wake(1)
	return m.err
}

// ask sends a request without payload, and returns the reply's.
func (d *device) ask(request uint32) (uint64, error) {
	m := message{conn: d.conn}
	m.tell(request, nil)
	if m.err != nil {
		return 0, m.err
	}
	var reply [20]byte
	n, _, err := unix.Recvfrom(d.conn, reply[:], unix.MSG_WAITALL)
	if err != nil {
		return 0, fmt.Errorf("reply to request %d: %w", request, err)
	}
	if n != len(reply) || binary.LittleEndian.Uint32(reply[:]) != request {
		return 0, fmt.Errorf("reply to request %d: %x", request, reply[:n])
	}
	return binary.LittleEndian.Uint64(reply[12:]), nil
}

// message sends requests until one fails.
type message struct {
	conn int
	err  error
}

func (m *message) tell(request uint32, payload []byte, files ...int) {
	if m.err != nil {
		return
	}
	const version = 1
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	m.err = unix.Sendmsg(m.conn, append(u32(request, version, uint32(len(payload))), payload...), rights, nil, unix.MSG_NOSIGNAL)
}

// wake tells the device that a queue has something for it. It may not want to know,
// which does no harm.
func (d *device) wake(queue int) { bell{d.kick[queue]}.ring() }

// called forgets that the device called.
func (d *device) called() {
	for _, fd := range d.call {
		_, _ = unix.Read(fd, make([]byte, 8))
	}
}

// gone says whether the device's side has ended the connection: it has nothing to say.
func (d *device) gone() bool {
	_, _, err := unix.Recvfrom(d.conn, make([]byte, 1), unix.MSG_DONTWAIT)
	return err != unix.EAGAIN
}

func (d *device) close() {
	_ = unix.Close(d.conn)
	for i := range d.kick {
		_ = unix.Close(d.kick[i])
		_ = unix.Close(d.call[i])
	}
	_ = unix.Munmap(d.mem)
}

func u32(numbers ...uint32) (b []byte) {
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

func u64(numbers ...uint64) (b []byte) {
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}
