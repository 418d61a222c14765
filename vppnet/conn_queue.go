// SPDX-License-Identifier: Apache-2.0

package vppnet

// queue holds copies of messages, first in first out, in few allocations.
type queue struct {
	bytes []byte
	ends  []int // of each message in bytes
	read  int   // messages that have been popped
}

func (q *queue) len() int { return len(q.ends) - q.read }

func (q *queue) push(msg []byte) {
	q.bytes = append(q.bytes, msg...)
	q.ends = append(q.ends, len(q.bytes))
}

// pop returns the oldest message of a queue that has one, valid until reuse.
func (q *queue) pop() []byte {
	start := 0
	if q.read > 0 {
		start = q.ends[q.read-1]
	}
	end := q.ends[q.read]
	q.read++
	return q.bytes[start:end:end]
}

// reuse is an empty queue on the memory of q, unless that is much.
func (q *queue) reuse() queue {
	if cap(q.bytes) > 1<<20 {
		return queue{}
	}
	return queue{bytes: q.bytes[:0], ends: q.ends[:0]}
}
