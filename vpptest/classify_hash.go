// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// A classHash is where a table of the classifier has its sessions. It lists them in their
// order, takes those of which all bits are set for free places and back, and grows until there
// is no more memory, all as VPP does.
type classHash struct {
	buckets []classBucket
	active  uint32
	pages   [32]int // taken, and those that wait to be taken again, by size
	unused  [32]int
	largest int // that was ever copied
}

type classBucket struct {
	entries []classEntry // two a page; nil: nothing was ever in it
	log2    int          // pages
	linear  bool
}

type classEntry struct {
	key     []byte // nil, which is all bits, where nothing is
	next    uint16
	opaque  uint32
	advance int32
	busy    bool
}

const perPage = 2

func newClassHash(buckets uint32) classHash {
	return classHash{buckets: make([]classBucket, 1<<bits.Len32(buckets-1))}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (e classEntry) hash() uint32 {
	var sum, word uint64
	for k := e.key; len(k) >= 8; k = k[8:] {
		word = binary.LittleEndian.Uint64(k)
		sum ^= word
	}
	return ^crc32.Update(^uint32(0), castagnoli, binary.LittleEndian.AppendUint64(nil, sum))
}

// is says whether a place has this key; one where nothing is has all bits.
func (e classEntry) is(key []byte) bool {
	if e.key == nil {
		return len(bytes.Trim(key, "\xff")) == 0
	}
	return bytes.Equal(e.key, key)
}

// place is where an entry can be, in a bucket.
func (h *classHash) place(e classEntry, b *classBucket) []classEntry {
	if b.linear {
		return b.entries
	}
	at := e.hash() >> bits.Len(uint(len(h.buckets)-1)) & (1<<b.log2 - 1)
	return b.entries[at : at+perPage]
}

func (h *classHash) bucket(e classEntry) *classBucket {
	return &h.buckets[e.hash()&uint32(len(h.buckets)-1)]
}

func settle(places []classEntry, e classEntry) bool {
	for i := range places {
		if !places[i].busy {
			places[i] = e
			return true
		}
	}
	return false
}

func (h *classHash) add(e classEntry) {
	e.busy = true
	b := h.bucket(e)
	if b.entries == nil {
		b.entries = h.take(0)
		b.entries[0] = e
		h.active++
		return
	}
	h.largest = max(h.largest, b.log2)
	places := h.place(e, b)
	for i := range places {
		if places[i].is(e.key) {
			places[i] = e
			return
		}
	}
	if !settle(places, e) {
		h.grow(b, e)
	}
	h.active++
}

// grow finds more pages for a bucket: twice, or four times as many, by hash; and if that does
// not do, any place, from then on.
func (h *classHash) grow(b *classBucket, e classEntry) {
	old := *b
	for _, next := range []classBucket{{log2: old.log2 + 1}, {log2: old.log2 + 2}, {log2: old.log2 + 1, linear: true}} {
		if old.linear && !next.linear {
			continue
		}
		next.entries = h.take(next.log2)
		fits := true
		for _, o := range old.entries {
			fits = fits && (!o.busy || settle(h.place(o, &next), o))
		}
		if fits && settle(h.place(e, &next), e) {
			h.unused[old.log2]++
			*b = next
			return
		}
		h.unused[next.log2]++
	}
}

func (h *classHash) take(log2 int) []classEntry {
	if h.unused[log2] > 0 {
		h.unused[log2]--
	} else {
		h.pages[log2]++
	}
	return make([]classEntry, perPage<<log2)
}

func (h *classHash) remove(e classEntry) bool {
	b := h.bucket(e)
	if b.entries == nil {
		return false
	}
	h.largest = max(h.largest, b.log2)
	places := h.place(e, b)
	for i := range places {
		if places[i].is(e.key) {
			places[i] = classEntry{}
			h.active--
			return true
		}
	}
	return false
}

// all are the sessions as VPP lists them.
func (h *classHash) all(yield func(classEntry) bool) {
	for _, b := range h.buckets {
		for _, e := range b.entries {
			if e.busy && !yield(e) {
				return
			}
		}
	}
}

// memory is about what all that was ever taken comes to, with what VPP needs for itself.
func (h *classHash) memory(key int) int {
	size := func(log2 int) int { return (32+key)*perPage<<log2 + 64 }
	all := 2048 + 2*size(h.largest)
	for log2, n := range h.pages {
		all += n * size(log2)
	}
	return all
}
