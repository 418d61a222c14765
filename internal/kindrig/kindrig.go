// SPDX-License-Identifier: Apache-2.0

// Package kindrig is what tests of kinds put around a VPP: a connection that ends with the
// test, the same test on both VPPs, and what must hold of whatever is made, found and left.
package kindrig

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Dial connects until the test ends. A VPP that has died is not waited for until then.
func Dial(t testing.TB, socket, owner string, opts ...vppnet.Option) *vppnet.Conn {
	t.Helper()
	if vpp, ok := behind.Load(socket); ok && vpp.(*vpptest.RealVPP).Died() != "" {
		t.Fatal("VPP has died before: ", vpp.(*vpptest.RealVPP).Died())
	}
	soon, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := vppnet.Dial(soon, socket, owner, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// behind are the real VPPs behind proxies, by their sockets.
var behind sync.Map

// onReal is a real VPP, behind a proxy.
func onReal(t testing.TB, options ...vpptest.RealOption) *vpptest.Proxy {
	vpp := vpptest.Real(t, options...)
	proxy := vpptest.NewProxy(t, vpp.Socket())
	behind.Store(proxy.Socket(), vpp)
	t.Cleanup(func() { behind.Delete(proxy.Socket()) })
	return proxy
}

// Engine prunes all that is surplus.
func Engine(kinds ...desiredstate.AnyKind) *desiredstate.Engine {
	e := desiredstate.New(kinds...)
	e.MaxPrune = 1
	return e
}

// Pick draws one of these.
func Pick[T any](t *rapid.T, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(t, label)
}

// MAC is the nth.
func MAC(n byte) vppnet.MAC { return vppnet.MAC{2, 0, 0, 0, 0, n} }

// Both runs a test on both VPPs. What a real one shows of itself is what state reads.
func Both(t *testing.T, state func(*vpptest.Proxy) string, test func(t *testing.T, vpp vpptest.Target, state func() string)) {
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t)
		test(t, vpp, vpp.String)
	})
	t.Run("real", func(t *testing.T) {
		proxy := onReal(t)
		test(t, proxy, func() string { return state(proxy) })
	})
}

// Steady sees that what was made is found as it was made: with the handle that was
// reported, and nothing has drifted.
func Steady(t testing.TB, e *desiredstate.Engine, want ...desiredstate.Object) {
	t.Helper()
	var drifted []desiredstate.Key
	e.Observe = func(ev desiredstate.Event) {
		if ev.Type == desiredstate.Drift {
			drifted = append(drifted, ev.Key)
		}
	}
	report, err := e.Ensure(t.Context(), want...)
	require.NoError(t, err)
	for range 2 {
		e.Forget()
		p, err := e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Zero(t, len(want)-p.Count(desiredstate.Keep), "%s", p)
		require.Empty(t, drifted, "have drifted")
	}
	found, err := e.Found(t.Context())
	require.NoError(t, err)
	ids := map[desiredstate.Key]uint32{}
	for _, f := range found {
		ids[f.Key] = f.ID
	}
	for _, o := range want {
		r, ok := report.Of(o.Key())
		require.True(t, ok, o.Key())
		require.Equal(t, ids[o.Key()], r.ID, "handle of %s", o.Key())
	}
}

// Abandoned sees that whatever message was the last that VPP heard of us, whoever comes next
// and wants nothing of it leaves nothing.
func Abandoned(t testing.TB, vpp vpptest.Target, state func() string, engine func() *desiredstate.Engine, want ...desiredstate.Object) {
	t.Helper()
	before := ""
	for nth := 0; ; nth++ { // the first round lets VPP keep what it keeps for ever
		e := engine()
		e.Parallel = 1 // as if it died, nothing comes after what is refused
		sent := vpp.Writes()
		if nth > 0 {
			vpp.FailWrite(nth, false)
		}
		ctx, die := context.WithCancel(t.Context())
		e.Observe = func(ev desiredstate.Event) {
			if ev.Type == desiredstate.Failed {
				die()
			}
		}
		_, err := e.Ensure(ctx, want...)
		die()
		struck := vpp.Writes()-sent >= nth
		vpp.Heal()
		next := engine()
		for range 3 {
			if _, err = next.Sync(t.Context()); err == nil {
				break
			}
		}
		require.NoError(t, err, "after message %d", nth)
		if nth == 0 {
			before = state()
			continue
		}
		require.Equal(t, before, state(), "killed before message %d", nth)
		if !struck {
			return
		}
	}
}
