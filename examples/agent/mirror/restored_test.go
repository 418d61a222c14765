// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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

// An etcd v2 that was rolled back while nobody mirrored, and came further than it was, deletes nothing until somebody
// says so.
func TestRolledBackV2CameFurther(t *testing.T) {
	r := newRig(t)
	stop := r.inProcess(false, 0)
	want := map[string]string{"nodes/h1/ports/a": "1"}
	r.set("nodes/h1/ports/a", "1")
	r.is3(want)
	looks := func() uint64 {
		p, err := (&Mirror{V3: r.v3}).place(t.Context(), "down")
		require.NoError(t, err)
		return p.Looked
	}
	before := looks()
	saved := r.old.Save()
	r.ready()
	stop()
	stop = r.inProcess(false, 200*time.Millisecond)
	want["nodes/h1/ports/b"] = "1"
	require.Eventually(t, func() bool { r.set("nodes/h1/ports/b", "1"); return looks() > before }, 20*time.Second, 50*time.Millisecond)
	r.is3(want)
	stop()
	r.old.Restore(saved)
	r.ready()
	for range 200 {
		r.set("nodes/h1/ports/a", "2")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	log := slog.New(slog.NewTextHandler(hearing{"it lacks 1 of 2 keys", cancel}, nil))
	m := &Mirror{V2: r.v2, V3: r.v3, Log: log, Resync: 100 * time.Millisecond}
	require.ErrorIs(t, m.Run(ctx), context.Canceled, "it says that it does nothing")
	r.is3(want)
	r.inProcess(true, 0)
	r.is3(map[string]string{"nodes/h1/ports/a": "2"})
}

// hearing does something when a text is written.
type hearing struct {
	text string
	do   func()
}

func (h hearing) Write(b []byte) (int, error) {
	if strings.Contains(string(b), h.text) {
		h.do()
	}
	return len(b), nil
}

// probing is a rig whose mirrors soon ask both etcds whether they are still those.
func probing(t *testing.T) *rig {
	before := quiet
	quiet = time.Second
	t.Cleanup(func() { quiet = before })
	return newRig(t)
}
