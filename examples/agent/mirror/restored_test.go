// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"
	"testing"
	"time"
)

// An etcd v3 that is rolled back under a mirror: what it has is in the v2, what it is told then goes up, and what it
// lost of the v2 comes down.
func TestRolledBack(t *testing.T) {
	r := probing(t)
	r.inProcess(false, 0)
	r.set("nodes/h1/ports/a", "1")
	r.put("state/h1/ports/a", "1")
	r.is3(map[string]string{"nodes/h1/ports/a": "1"})
	r.is2(map[string]string{"state/h1/ports/a": "1"})
	saved := r.new.Save()
	r.ready()
	for i := range 50 {
		r.put("state/h1/ports/a", fmt.Sprint(i))
	}
	r.set("nodes/h1/ports/a", "2")
	r.is3(map[string]string{"nodes/h1/ports/a": "2"})
	r.is2(map[string]string{"state/h1/ports/a": "49"})
	r.new.Restore(saved)
	r.ready()
	r.put("state/h1/ports/b", "1")
	r.is2(map[string]string{"state/h1/ports/a": "1", "state/h1/ports/b": "1"})
	r.is3(map[string]string{"nodes/h1/ports/a": "2"})
}

// The same of the etcd v2.
func TestRolledBackV2(t *testing.T) {
	r := probing(t)
	r.inProcess(false, 0)
	r.set("nodes/h1/ports/a", "1")
	r.put("state/h1/ports/a", "1")
	r.is3(map[string]string{"nodes/h1/ports/a": "1"})
	r.is2(map[string]string{"state/h1/ports/a": "1"})
	saved := r.old.Save()
	r.ready()
	for range 50 {
		r.set("nodes/h1/ports/a", "2")
	}
	r.put("state/h1/ports/a", "2")
	r.is3(map[string]string{"nodes/h1/ports/a": "2"})
	r.is2(map[string]string{"state/h1/ports/a": "2"})
	r.old.Restore(saved)
	r.ready()
	r.is2(map[string]string{"state/h1/ports/a": "2"})
	r.set("nodes/h1/ports/b", "1")
	r.is3(map[string]string{"nodes/h1/ports/a": "1", "nodes/h1/ports/b": "1"})
}

// probing is a rig whose mirrors soon ask both etcds whether they are still those.
func probing(t *testing.T) *rig {
	before := quiet
	quiet = time.Second
	t.Cleanup(func() { quiet = before })
	return newRig(t)
}
