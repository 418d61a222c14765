// SPDX-License-Identifier: Apache-2.0

//go:build linux

package netrig

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

// A virtqueue is a split virtqueue as its driver sees it (virtio 1.2, 2.7): one part
// of memory that it shares with the device. Each descriptor has a buffer of its own,
// and is never chained. Numbers are little-endian, and so has the machine to be.
type virtqueue struct {
	mem       []byte
	address   uint64 // of mem, for the device
	available uint16 // how many were ever made available
	used      uint16 // how many of those used were ever looked at
}

// What is where in mem: descriptor table, available ring, used ring, buffers.
const (
	queueSize      = 256
	bufferSize     = 2048
	availableStart = 16 * queueSize
	usedStart      = availableStart + 1024
	bufferStart    = 2 * 4096
	queueBytes     = bufferStart + queueSize*bufferSize
)

// Flag of a descriptor: the device writes to its buffer.
const descriptorWrite = 2

func (q *virtqueue) buffer(id uint16) []byte {
	return q.mem[bufferStart+int(id)*bufferSize:][:bufferSize]
}

// offer puts a descriptor, whose buffer has this length, into the available ring.
func (q *virtqueue) offer(id uint16, length int, flags uint16) {
	d := q.mem[16*int(id):][:16]
	binary.LittleEndian.PutUint64(d, q.address+bufferStart+uint64(id)*bufferSize)
	binary.LittleEndian.PutUint32(d[8:], uint32(length))
	binary.LittleEndian.PutUint16(d[12:], flags)
	binary.LittleEndian.PutUint16(q.mem[availableStart+4+2*int(q.available%queueSize):], id)
	q.available++
	atomic.StoreUint32(q.word(availableStart), uint32(q.available)<<16) // and no flags
}

// take is the next descriptor that the device is done with, and how much it wrote.
func (q *virtqueue) take() (id uint16, written int, ok bool) {
	if uint16(atomic.LoadUint32(q.word(usedStart))>>16) == q.used {
		return 0, 0, false
	}
	u := q.mem[usedStart+4+8*int(q.used%queueSize):]
	q.used++
	return uint16(binary.LittleEndian.Uint32(u)), int(binary.LittleEndian.Uint32(u[4:])), true
}

// word is the flags and the index of a ring.
func (q *virtqueue) word(start int) *uint32 { return (*uint32)(unsafe.Pointer(&q.mem[start])) }

// headerSize is that of the header before each frame, all zero for a frame that needs
// nothing done to it (virtio 1.2, 5.1.6); the number of buffers that it takes is last.
const headerSize = 12

// A receiver is the queue from which the guest gets frames.
type receiver struct{ virtqueue }

// fill makes all buffers available.
func (r *receiver) fill() {
	for id := range uint16(queueSize) {
		r.offer(id, bufferSize, descriptorWrite)
	}
}

// drain hands on what has come. Frames of more than one buffer are dropped.
func (r *receiver) drain(each func(frame []byte)) {
	for id, n, ok := r.take(); ok; id, n, ok = r.take() {
		if b := r.buffer(id); n > headerSize && n <= bufferSize && binary.LittleEndian.Uint16(b[headerSize-2:]) <= 1 {
			each(b[headerSize:n])
		}
		r.offer(id, bufferSize, descriptorWrite)
	}
}

// A transmitter is the queue to which the guest gives frames.
type transmitter struct {
	virtqueue
	begun uint16 // descriptors that were ever in use
	free  []uint16
}

// send makes a frame available, or drops it if it is too long or the queue is full.
func (x *transmitter) send(frame []byte) bool {
	for id, _, ok := x.take(); ok; id, _, ok = x.take() {
		x.free = append(x.free, id)
	}
	if x.begun < queueSize {
		x.free = append(x.free, x.begun)
		x.begun++
	}
	last := len(x.free) - 1
	if last < 0 || headerSize+len(frame) > bufferSize {
		return false
	}
	b := x.buffer(x.free[last])
	clear(b[:headerSize])
	copy(b[headerSize:], frame)
	x.offer(x.free[last], headerSize+len(frame), 0)
	x.free = x.free[:last]
	return true
}
