// SPDX-License-Identifier: Apache-2.0

package vppnet

import "sync"

// queue holds copies of messages, first in first out, in blocks that are used
// again.
type queue struct {
	blocks []*block
	n      int // messages that have not been popped
}

// block holds some messages. Its bytes never move while there is more than one.
type block struct {
	bytes []byte
	ends  []int // of each message in bytes
	read  int   // messages that have been popped
}

const blockSize = 64 << 10

var blocks = sync.Pool{New: func() any { return &block{bytes: make([]byte, 0, blockSize)} }}

func (q *queue) push(msg []byte) {
	var last *block
	if len(q.blocks) > 0 {
		last = q.blocks[len(q.blocks)-1]
	}
	if last == nil || len(last.ends) > 0 && len(last.bytes)+len(msg) > cap(last.bytes) {
		last = blocks.Get().(*block)
		q.blocks = append(q.blocks, last)
	}
	last.bytes = append(last.bytes, msg...)
	last.ends = append(last.ends, len(last.bytes))
	q.n++
}

// pop returns the oldest message of a queue that has one, valid until the next
// pop or release.
func (q *queue) pop() []byte {
	b := q.blocks[0]
	if b.read == len(b.ends) {
		b.release()
		q.blocks = q.blocks[1:]
		b = q.blocks[0]
	}
	b.read++
	q.n--
	return b.message(b.read - 1)
}

// last is the newest message; nil if the queue holds none.
func (q *queue) last() []byte {
	if q.n == 0 {
		return nil
	}
	b := q.blocks[len(q.blocks)-1]
	return b.message(len(b.ends) - 1)
}

// each calls f with all messages of a queue of which none was popped.
func (q *queue) each(f func(msg []byte)) {
	for _, b := range q.blocks {
		for i := range b.ends {
			f(b.message(i))
		}
	}
}

func (b *block) message(i int) []byte {
	start := 0
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.bytes[start:b.ends[i]:b.ends[i]]
}

// release empties the queue.
func (q *queue) release() {
	for _, b := range q.blocks {
		b.release()
	}
	*q = queue{}
}

func (b *block) release() {
	if cap(b.bytes) == blockSize { // not one that grew for an outsized message
		b.bytes, b.ends, b.read = b.bytes[:0], b.ends[:0], 0
		blocks.Put(b)
	}
}
