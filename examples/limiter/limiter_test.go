// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

const nic = "vpp:loop0"

// limiting is a limiter at work, and its controller.
type limiting struct {
	*limiter
	http.Handler
	vpp  vpptest.Target
	stop func()
}

func start(t *testing.T, vpp vpptest.Target) limiting {
	t.Helper()
	l := newLimiter(nic, 1<<17)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx, vpp.Socket(), vppnet.WithLostAfter(time.Second)) }()
	stop := func() {
		cancel()
		<-ended
		ended <- nil
	}
	t.Cleanup(stop)
	return limiting{l, l.handler(), vpp, stop}
}

func both(t *testing.T, test func(t *testing.T, vpp vpptest.Target)) {
	run := func(t *testing.T, vpp vpptest.Target) {
		c, err := vppnet.Dial(t.Context(), vpp.Socket(), "other")
		require.NoError(t, err)
		defer c.Close()
		c.Uses(&interfaces.CreateLoopback{})
		_, err = interfaces.NewServiceClient(c).CreateLoopback(t.Context(), &interfaces.CreateLoopback{})
		require.NoError(t, err)
		vpp.ResetLog()
		test(t, vpp)
	}
	t.Run("memory", func(t *testing.T) { run(t, vpptest.New(t)) })
	t.Run("real", func(t *testing.T) { run(t, vpptest.NewProxy(t, vpptest.Real(t).Socket())) })
}

// ask is a request of the controller.
func (l limiting) ask(t *testing.T, method, path string, body any) (int, string) {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	l.ServeHTTP(w, httptest.NewRequest(method, path, bytes.NewReader(text)))
	return w.Code, w.Body.String()
}

// put says what all customers have, and waits for it.
func (l limiting) put(t *testing.T, all map[string]limit) {
	t.Helper()
	code, text := l.ask(t, "PUT", "/limits", all)
	require.Equal(t, http.StatusOK, code, text)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, l.store.Wait(ctx))
}

// sent are the requests since the last time that can change VPP, by how many there are.
func sent(vpp vpptest.Target) map[string]int {
	out := map[string]int{}
	for _, name := range vpp.Sent() {
		if strings.Contains(name, "add_del") || strings.Contains(name, "set_interface") || name == "policer_add" ||
			name == "policer_del" || name == "policer_update" || name == "policer_reset" {
			out[name]++
		}
	}
	vpp.ResetLog()
	return out
}

func addresses(from, n int) (out []netip.Addr) {
	for i := from; i < from+n; i++ {
		out = append(out, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	return out
}

func two() map[string]limit {
	return map[string]limit{
		"gold": {Kbps: 10_000, Burst: 125_000, Addresses: addresses(0, 5)}, "iron": {Kbps: 1000, Burst: 10_000, Addresses: addresses(5, 5)},
	}
}

// A change costs what it is: a rate one message, an address two, in place.
func TestChanges(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target) {
		l := start(t, vpp)
		l.put(t, two())
		require.Equal(t, 10, sent(vpp)["classify_add_del_session"])

		all := two()
		all["gold"] = limit{Kbps: 20_000, Burst: 125_000, Addresses: addresses(0, 5)}
		before, err := l.policer("gold")
		require.NoError(t, err)
		l.put(t, all)
		require.Equal(t, map[string]int{"policer_update": 1}, sent(vpp))
		after, err := l.policer("gold")
		require.NoError(t, err)
		require.Equal(t, before, after, "who counts by it goes on")

		all["gold"] = limit{Kbps: 20_000, Burst: 125_000, Addresses: slices.Concat(addresses(0, 4), addresses(20, 1))}
		l.put(t, all)
		require.Equal(t, map[string]int{"classify_add_del_session": 2}, sent(vpp))
	})
}

// After a restart nothing is written. Before the controller has spoken nothing is removed, and
// the policers are those that there were.
func TestRestart(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target) {
		l := start(t, vpp)
		l.put(t, two())
		before, err := l.policer("iron")
		require.NoError(t, err)
		l.stop()
		sent(vpp)

		next := start(t, vpp)
		require.Eventually(t, func() bool { i, err := next.policer("iron"); return err == nil && i == before }, 30*time.Second, 10*time.Millisecond)
		next.put(t, two())
		require.Empty(t, sent(vpp))
		require.Zero(t, vpp.Writes())
	})
}

// A controller that wants nothing all of a sudden has to say so twice. One that has gone
// changes nothing.
func TestControllerLost(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target) {
		l := start(t, vpp)
		l.put(t, two())
		sent(vpp)
		code, _ := l.ask(t, "PUT", "/limits", map[string]limit{})
		require.Equal(t, http.StatusOK, code)
		var s status
		require.Eventually(t, func() bool {
			_, text := l.ask(t, "GET", "/status", nil)
			s = status{}
			_ = json.Unmarshal([]byte(text), &s)
			return s.Token != ""
		}, 5*time.Second, 10*time.Millisecond)
		require.Contains(t, s.Held, "remove too much")
		require.Empty(t, sent(vpp))

		code, _ = l.ask(t, "POST", "/confirm?token=guessed", nil)
		require.Equal(t, http.StatusConflict, code)
		code, _ = l.ask(t, "POST", "/confirm?token="+s.Token, nil)
		require.Equal(t, http.StatusOK, code)
		require.Eventually(t, func() bool { return vpp.Writes() >= 12 }, 30*time.Second, 10*time.Millisecond)
		require.NoError(t, l.store.Wait(t.Context()))
		require.Equal(t, map[string]int{"classify_add_del_session": 10, "policer_del": 2}, sent(vpp))
	})
}

// One wrong limit keeps what it had, and nobody else from getting what they want.
func TestWrongLimit(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target) {
		l := start(t, vpp)
		l.put(t, two())
		sent(vpp)
		all := two()
		all["gold"] = limit{Kbps: 1, Addresses: []netip.Addr{netip.MustParseAddr("2001:db8::1")}}
		all["iron"] = limit{Kbps: 2000, Burst: 10_000, Addresses: addresses(5, 5)}
		code, text := l.ask(t, "PUT", "/limits", all)
		require.Equal(t, http.StatusUnprocessableEntity, code)
		require.Equal(t, "limit \"gold\": address 2001:db8::1: want IPv4\n", text)
		require.NoError(t, l.store.Wait(t.Context()))
		require.Equal(t, map[string]int{"policer_update": 1}, sent(vpp))

		code, _ = l.ask(t, "PUT", "/limits", "nonsense")
		require.Equal(t, http.StatusBadRequest, code)

		for range 2 { // who says it again and again changes nothing
			code, _ = l.ask(t, "PUT", "/limits", all)
			require.Equal(t, http.StatusUnprocessableEntity, code)
			require.NoError(t, l.store.Wait(t.Context()))
			require.Empty(t, sent(vpp))
		}
		l.stop()
		next := start(t, vpp) // and knows nothing of what it had
		code, _ = next.ask(t, "PUT", "/limits", all)
		require.Equal(t, http.StatusUnprocessableEntity, code)
		require.Eventually(t, func() bool { _, err := next.policer("iron"); return err == nil }, 30*time.Second, 10*time.Millisecond)
		require.NoError(t, next.store.Wait(t.Context(), qos.PolicerKey("iron")))
		require.Empty(t, sent(vpp))
		next.put(t, two())
		require.Equal(t, map[string]int{"policer_update": 1}, sent(vpp))
	})
}

// A controller that has named no more than one limit yet has that.
func TestOneLimitFirst(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target) {
		l := start(t, vpp)
		code, text := l.ask(t, "PUT", "/limits/gold", two()["gold"])
		require.Equal(t, http.StatusOK, code, text)
		require.Eventually(t, func() bool {
			st, _ := l.store.Source("gold")
			return st.State == desiredstate.Applied
		}, 30*time.Second, 10*time.Millisecond)
		require.Equal(t, 5, sent(vpp)["classify_add_del_session"])
	})
}

// The program ends well when it is told to, takes the socket of one that was killed, and not of one that lives.
func TestCommand(t *testing.T) {
	vpp := vpptest.New(t)
	socket := filepath.Join(t.TempDir(), "s")
	run := func(ctx context.Context, args ...string) chan error {
		c := command()
		c.SetArgs(append(args, "--vpp", vpp.Socket(), "--listen", socket))
		ended := make(chan error, 1)
		go func() { ended <- c.ExecuteContext(ctx) }()
		return ended
	}
	require.ErrorContains(t, <-run(t.Context()), "interface")
	for range 10 {
		left, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: socket})
		require.NoError(t, err)
		left.SetUnlinkOnClose(false)
		require.NoError(t, left.Close())
		ctx, cancel := context.WithCancel(t.Context())
		ended := run(ctx, "--interface", nic)
		require.Eventually(t, func() bool {
			c, err := net.Dial("unix", socket)
			if err == nil {
				_ = c.Close()
			}
			return err == nil || len(ended) > 0
		}, 30*time.Second, time.Millisecond)
		require.ErrorContains(t, <-run(ctx, "--interface", nic), "another limiter")
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	}
	require.NoError(t, os.WriteFile(socket, nil, 0o600))
	require.Error(t, <-run(t.Context(), "--interface", nic))
	require.FileExists(t, socket, "somebody's file stays")
}

// A VPP that is busy for a second is not given up.
func TestBusy(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target) {
		l := start(t, vpp)
		l.put(t, two())
		conn := slices.Index(vpp.Sent(), "policer_add") // there is but one connection: what is sent goes on in one log
		vpp.Inject(vpptest.Fault{Kind: vpptest.Delay, Delay: 1200 * time.Millisecond, Message: "policer_update"})
		all := two()
		all["iron"] = limit{Kbps: 3000, Burst: 10_000, Addresses: addresses(5, 5)}
		l.put(t, all)
		require.NotContains(t, vpp.Sent()[conn+1:], "classify_table_ids", "nothing is read anew")
		st, ok := l.store.Source("iron")
		require.True(t, ok)
		require.Equal(t, desiredstate.Applied, st.State)
	})
}

// 120,000 addresses (12,000 in memory, which is slower than a VPP): one message each, and then
// two for the one that changes.
func TestMany(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	both(t, func(t *testing.T, vpp vpptest.Target) {
		l, each := start(t, vpp), 1200
		if _, memory := vpp.(*vpptest.VPP); memory {
			each = 120
		}
		all := map[string]limit{}
		for i := range 100 {
			all[fmt.Sprint("c", i)] = limit{Kbps: 1000, Burst: 10_000, Addresses: addresses(each*i, each)}
		}
		began := time.Now()
		l.put(t, all)
		t.Logf("%d addresses in %v", 100*each, time.Since(began))
		require.Equal(t, map[string]int{
			"classify_add_del_session": 100 * each, "policer_add": 100, "classify_add_del_table": 2, "policer_classify_set_interface": 1,
		}, sent(vpp))

		all["c7"] = limit{Kbps: 1000, Burst: 10_000, Addresses: append(addresses(each*7, each-1), addresses(1<<20, 1)...)}
		began = time.Now()
		code, text := l.ask(t, "PUT", "/limits/c7", all["c7"])
		require.Equal(t, http.StatusOK, code, text)
		require.NoError(t, l.store.Wait(t.Context()))
		t.Logf("one changed in %v, by %d messages", time.Since(began), len(vpp.Sent()))
		require.NotContains(t, vpp.Sent(), "classify_session_dump")
		require.Less(t, len(vpp.Sent()), 30, "its own messages only")
		require.Equal(t, map[string]int{"classify_add_del_session": 2}, sent(vpp))

		l.stop()
		next := start(t, vpp)
		next.put(t, all)
		require.Zero(t, vpp.Writes(), "after a restart")
	})
}

// The program is as short as that of which it is a model may be.
func TestSize(t *testing.T) {
	lines := 0
	for _, name := range []string{"main.go", "limiter.go"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		lines += bytes.Count(text, []byte("\n"))
	}
	require.LessOrEqual(t, lines, 400)
}
