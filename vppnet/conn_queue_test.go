// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// What goes in comes out, whole and in order, and is not written over while it
// is being read.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var model [][]byte
		var reading, copied []byte
		next := byte(0)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				size := rapid.SampledFrom([]int{0, 1, 300, 30_000, blockSize, 3 * blockSize}).Draw(t, "size")
				next++
				msg := bytes.Repeat([]byte{next}, size)
				q.push(msg)
				model = append(model, msg)
			},
			"pop": func(t *rapid.T) {
				if q.n == 0 {
					t.Skip("empty")
				}
				reading = q.pop()
				copied = bytes.Clone(reading)
				if !bytes.Equal(reading, model[0]) {
					t.Fatalf("got %d bytes, want %d", len(reading), len(model[0]))
				}
				model = model[1:]
			},
			"release": func(*rapid.T) {
				q.release()
				model, reading, copied = nil, nil, nil
			},
			"": func(t *rapid.T) {
				if q.n != len(model) {
					t.Fatalf("%d messages, want %d", q.n, len(model))
				}
				if !bytes.Equal(reading, copied) {
					t.Fatal("a message was written over while it was read")
				}
			},
		})
	})
}
