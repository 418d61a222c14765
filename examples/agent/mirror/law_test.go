// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v2 "go.etcd.io/etcd/client/v2"
	v3 "go.etcd.io/etcd/client/v3"
)

func sorted(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

// Whatever is written on both sides, and whoever is killed meanwhile, the mirror or an etcd,
// both sides have told the same events in the same order.
func TestNothingIsLostOrInvented(t *testing.T) {
	r := newRig(t)
	r.between.Start()
	r.set("nodes/h1/ports/first", "{}") // from then on it is known
	r.is3(map[string]string{"nodes/h1/ports/first": "{}"})
	r.put("state/h1/ports/first", "{}")
	r.is2(map[string]string{"state/h1/ports/first": "{}"})
	value := func() string {
		return pick("", "1", "{\"a\": [null, 1.50,\t\"ü%2F+&=\"]}\n", "<1> & \x00 \u2028", strings.Repeat("long ", 50000))
	}
	key := func() string {
		return fmt.Sprintf("%s/k%d", pick("h1/ports", "h1/ports/sub", "h2/routers/r"), rand.IntN(4))
	}
	ops := []func(context.Context) error{
		func(ctx context.Context) error {
			_, err := r.v2.Set(ctx, Root+"/nodes/"+key(), value(), nil)
			return err
		},
		func(ctx context.Context) error {
			_, err := r.v2.Set(ctx, Root+"/nodes/"+key(), value(), &v2.SetOptions{TTL: time.Second})
			return err
		},
		func(ctx context.Context) error {
			_, err := r.v2.Set(ctx, Root+"/global/secgroups/"+fmt.Sprint(rand.IntN(3)), value(), nil)
			return err
		},
		func(ctx context.Context) error { _, err := r.v2.Delete(ctx, Root+"/nodes/"+key(), nil); return err },
		func(ctx context.Context) error {
			_, err := r.v2.Delete(ctx, Root+"/nodes/"+pick("h1/ports/sub", "h1", "h2/routers"), &v2.DeleteOptions{Recursive: true, Dir: true})
			return err
		},
		func(ctx context.Context) error {
			_, err := r.v2.Set(ctx, Root+"/nodes/"+pick("h1/ports/k1", "h3"), "", &v2.SetOptions{Dir: true})
			return err
		},
		func(ctx context.Context) error { _, err := r.v2.Set(ctx, Root+"/election/x", "1", nil); return err },
		func(ctx context.Context) error {
			k := fmt.Sprint(rand.IntN(4))
			_, err := r.v3.Txn(ctx).Then(v3.OpPut(Root+"/state/h1/ports/"+k, pick("{}", "{\"a\":1}")), v3.OpPut(Root+"/state_taas/h1/taas_flow/"+k, "{}")).Commit()
			return err
		},
		func(ctx context.Context) error {
			_, err := r.v3.Put(ctx, Root+"/state/h1/ports/"+fmt.Sprint(rand.IntN(4)), pick("{}", "{\"a\":1}"))
			return err
		},
		func(ctx context.Context) error {
			_, err := r.v3.Delete(ctx, Root+"/state/h1/ports/"+fmt.Sprint(rand.IntN(4)))
			return err
		},
	}
	victims := []interface {
		Kill()
		Start()
	}{r.between, r.between, r.old, r.new}
	kills := time.After(100 * time.Millisecond)
	for range 400 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_ = ops[rand.IntN(len(ops))](ctx) // what fails may or may not be
		cancel()
		select {
		case <-kills:
			p := victims[rand.IntN(len(victims))]
			p.Kill()
			if rand.IntN(2) == 0 {
				time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
			}
			p.Start()
			kills = time.After(time.Duration(rand.IntN(600)) * time.Millisecond)
		case <-time.After(time.Duration(rand.IntN(10)) * time.Millisecond):
		}
	}
	r.ready()
	time.Sleep(1500 * time.Millisecond) // what had a TTL is gone
	require.Eventually(t, func() bool {
		return equal(r.keys2(downward), r.keys3(goesDown)) && equal(r.keys2(upward), r.keys3(goesUp))
	}, 20*time.Second, 50*time.Millisecond)
	r.between.Kill()
	same(t, "down", r.history2(downward), r.history3(downward))
	same(t, "up", r.history3(upward), r.history2(upward))
}

// same demands two histories to be equal, and shows where they are not.
func same(t *testing.T, way string, from, to []string) {
	t.Helper()
	t.Logf("%s: %d events", way, len(from))
	require.NotEmpty(t, from)
	short := func(s []string, i int) []string {
		var out []string
		for _, e := range s[min(len(s), max(0, i-4)):min(len(s), i+4)] {
			out = append(out, fmt.Sprintf("%.80q", e))
		}
		return out
	}
	for i := range max(len(from), len(to)) {
		if i >= len(from) || i >= len(to) || from[i] != to[i] {
			t.Fatalf("%s, event %d (%d and %d):\n%s\nand\n%s", way, i, len(from), len(to), strings.Join(short(from, i), "\n"), strings.Join(short(to, i), "\n"))
		}
	}
}
