// SPDX-License-Identifier: Apache-2.0

package ovs

import "sync"

// handles numbers rows: OVS knows them by UUIDs, the engine by numbers. Neither is ever given
// to another row.
type handles struct {
	mu    sync.Mutex
	last  uint32
	ids   map[string]uint32
	uuids map[uint32]string
}

// of returns the number of a row.
func (h *handles) of(uuid string) uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ids == nil {
		h.ids, h.uuids = map[string]uint32{}, map[uint32]string{}
	}
	id, ok := h.ids[uuid]
	if !ok {
		h.last++
		id = h.last
		h.ids[uuid], h.uuids[id] = id, uuid
	}
	return id
}

// uuid returns the row that has this number; ok: it has not gone.
func (h *handles) uuid(id uint32) (uuid string, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	uuid, ok = h.uuids[id]
	return uuid, ok
}

// given is the last number so far.
func (h *handles) given() uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// keep forgets all rows with numbers up to this one that are gone.
func (h *handles) keep(upTo uint32, there func(uuid string) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, uuid := range h.uuids {
		if id <= upTo && !there(uuid) {
			delete(h.uuids, id)
			delete(h.ids, uuid)
		}
	}
}
