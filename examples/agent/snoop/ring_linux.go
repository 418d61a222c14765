// SPDX-License-Identifier: Apache-2.0

package snoop

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is shared memory by which VPP hands frames over: two rings of descriptors, and a buffer for
// each descriptor of the second, the one by which a master sends. A master does without the first,
// but wants one.
type ring struct {
	mem  []byte
	bell int    // an eventfd that VPP rings; 0: not opened
	at   uint16 // the descriptor to be looked at
}

const (
	logRing    = 10
	ringLength = 1 << logRing
	bufferSize = 2048

	headerSize     = 128
	descriptorSize = 16
	ringSize       = headerSize + ringLength*descriptorSize
	buffers        = 2 * ringSize
	memorySize     = buffers + ringLength*bufferSize

	cookie = 0x3e31f20
)

// Places in a ring's header, and in a descriptor.
const (
	headAt = 4 // flags and head, half a word each
	tailAt = 64

	lengthAt = 4
	offsetAt = 8

	isPart = 1 // a flag of a descriptor: the frame goes on in the next one
)

// open makes the memory, all of whose buffers are VPP's, and returns its file.
func (r *ring) open() (memory int, err error) {
	if memory, err = unix.MemfdCreate("snoop", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING); err != nil {
		return -1, err
	}
	fail := func(err error) (int, error) { _ = unix.Close(memory); return -1, err }
	if err = unix.Ftruncate(memory, memorySize); err != nil {
		return fail(err)
	}
	if _, err = unix.FcntlInt(uintptr(memory), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK); err != nil {
		return fail(err)
	}
	if r.mem, err = unix.Mmap(memory, 0, memorySize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fail(err)
	}
	if r.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return fail(err)
	}
	for i := range 2 {
		binary.NativeEndian.PutUint32(r.mem[i*ringSize:], cookie)
	}
	for i := range ringLength {
		d := r.descriptor(uint16(i))
		binary.NativeEndian.PutUint32(d[lengthAt:], bufferSize)
		binary.NativeEndian.PutUint32(d[offsetAt:], uint32(buffers+i*bufferSize))
	}
	r.give()
	return memory, nil
}

func (r *ring) descriptor(i uint16) []byte {
	at := ringSize + headerSize + int(i%ringLength)*descriptorSize
	return r.mem[at : at+descriptorSize]
}

// word is one of the header's.
func (r *ring) word(at int) *uint32 { return (*uint32)(unsafe.Pointer(&r.mem[ringSize+at])) }

// give lets VPP have all buffers but those from which nobody has taken yet what is in them. Its
// flags, zero, ask for the bell. (The low half comes first on all machines that VPP runs on.)
func (r *ring) give() { atomic.StoreUint32(r.word(headAt), uint32(r.at+ringLength)<<16) }

// next takes a frame, if there is one.
func (r *ring) next() (frame []byte, err error) {
	for tail := uint16(atomic.LoadUint32(r.word(tailAt))); r.at != tail; {
		d := r.descriptor(r.at)
		flags, length, at := binary.NativeEndian.Uint16(d), binary.NativeEndian.Uint32(d[lengthAt:]), uint32(buffers+int(r.at%ringLength)*bufferSize)
		if length > bufferSize || len(frame) > mostFrame {
			return nil, errors.New("memif: VPP says that a frame is longer than it can be")
		}
		frame = append(frame, r.mem[at:at+length]...)
		binary.NativeEndian.PutUint16(d, 0)
		binary.NativeEndian.PutUint32(d[lengthAt:], bufferSize)
		r.at++
		r.give()
		if flags&isPart == 0 {
			return frame, nil
		}
	}
	if len(frame) > 0 {
		return nil, errors.New("memif: VPP gave a part of a frame")
	}
	return nil, nil
}

func (r *ring) close() {
	if r.mem != nil {
		_ = unix.Munmap(r.mem)
	}
	if r.bell != 0 {
		_ = unix.Close(r.bell)
	}
	*r = ring{}
}
