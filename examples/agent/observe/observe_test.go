// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/observe"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// observed is an engine on an in-memory VPP, with all that is in this package on it.
type observed struct {
	store   *desiredstate.Store
	vpp     *vpptest.VPP
	metrics *observe.Metrics
	reg     *prometheus.Registry
	history *observe.History
	spans   *observe.Spans
	traced  *tracetest.InMemoryExporter
	log     *bytes.Buffer
}

func watched(t *testing.T) *observed {
	o := &observed{
		store: desiredstate.NewStore(), vpp: vpptest.New(t), reg: prometheus.NewPedanticRegistry(),
		history: observe.NewHistory(100), traced: tracetest.NewInMemoryExporter(), log: new(bytes.Buffer),
	}
	o.metrics = observe.NewMetrics(o.reg)
	o.metrics.Watch(o.store)
	o.spans = observe.NewSpans(sdk.NewTracerProvider(sdk.WithSyncer(o.traced)), o.store.Sources)
	c, err := vppnet.Dial(t.Context(), o.vpp.Socket(), "me", vppnet.WithTrace(func(t vppnet.Trace) {
		o.metrics.Message(t)
		o.spans.Message(t)
	}))
	require.NoError(t, err)
	ended := o.metrics.Connection(c)
	e := desiredstate.New(vppnet.Loopbacks(c), vppnet.LinkStates(c), vppnet.BridgeDomains(c))
	log := slog.New(slog.NewTextHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	e.Observe = desiredstate.Observers(observe.Log(log), o.metrics.Event, o.history.Event, o.spans.Event)
	e.Trace = o.spans.Object
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, o.store, time.Minute) }()
	t.Cleanup(func() {
		cancel()
		<-done
		ended()
		_ = c.Close()
	})
	return o
}

// Metrics say what was done and how things stand.
func TestMetrics(t *testing.T) {
	o := watched(t)
	require.NoError(t, o.store.Assign("a", vppnet.Loopback{Name: "loop"}, vppnet.LinkState{Interface: "loop", Up: true}))
	o.store.Complete()
	require.NoError(t, o.store.Wait(t.Context()))
	require.NoError(t, testutil.GatherAndCompare(o.reg, strings.NewReader(`
# HELP vppkit_objects Objects that are wanted in VPP, or have not gone yet.
# TYPE vppkit_objects gauge
vppkit_objects{space="interface",state="applied"} 1
vppkit_objects{space="link",state="applied"} 1
# HELP vppkit_object_operations_total What was done to objects in VPP.
# TYPE vppkit_object_operations_total counter
vppkit_object_operations_total{action="create",result="ok",space="interface"} 1
vppkit_object_operations_total{action="create",result="ok",space="link"} 1
# HELP vppkit_converged 1 if VPP has all that is wanted, and nothing else.
# TYPE vppkit_converged gauge
vppkit_converged 1
# HELP vppkit_vpp_connected 1 if there is a connection to VPP.
# TYPE vppkit_vpp_connected gauge
vppkit_vpp_connected 1
# HELP vppkit_held_back_objects Objects that are not removed until somebody confirms it.
# TYPE vppkit_held_back_objects gauge
vppkit_held_back_objects 0
`), "vppkit_objects", "vppkit_object_operations_total", "vppkit_converged", "vppkit_vpp_connected", "vppkit_held_back_objects"))
	all, err := o.reg.Gather()
	require.NoError(t, err)
	text := fmt.Sprint(all)
	require.Contains(t, strings.ReplaceAll(text, "  ", " "), `value:"create_loopback_instance"`)
	require.NotContains(t, text, `value:"failed"`)
	problems, err := testutil.GatherAndLint(o.reg)
	require.NoError(t, err)
	require.Empty(t, problems, "names are as Prometheus has them")
	require.Contains(t, o.log.String(), "object=interface/loop")
}

// A trace reaches from the key that changed to VPP's messages; a reading, which is nobody's, is in none.
func TestSpans(t *testing.T) {
	o := watched(t)
	o.spans.Changed("port/7")
	require.NoError(t, o.store.Assign("port/7", vppnet.Loopback{Name: "loop"}, vppnet.LinkState{Interface: "loop", Up: true}))
	o.store.Complete()
	require.NoError(t, o.store.Wait(t.Context()))
	var spans tracetest.SpanStubs
	require.Eventually(t, func() bool {
		spans = o.traced.GetSpans()
		for _, s := range spans {
			if s.Name == "port/7" {
				return true
			}
		}
		return false
	}, 10*time.Second, time.Millisecond, "the root ends when all has converged")
	names := map[string]string{} // of the parents
	for _, s := range spans {
		for _, p := range spans {
			if p.SpanContext.SpanID() == s.Parent.SpanID() {
				names[s.Name] = p.Name
			}
		}
		require.Equal(t, spans[0].SpanContext.TraceID(), s.SpanContext.TraceID(), s.Name)
	}
	require.Equal(t, "port/7", names["create interface"])
	require.Equal(t, "port/7", names["create link"])
	require.Equal(t, "create interface", names["create_loopback_instance"])
	require.Equal(t, "create link", names["sw_interface_set_flags"])
	for name := range names {
		require.NotContains(t, name, "dump")
	}

	// What fails ends the trace, and says why.
	o.traced.Reset()
	o.vpp.FailWrite(1, false)
	o.spans.Changed("port/8")
	require.NoError(t, o.store.Assign("port/8", vppnet.BridgeDomain{Name: "net"}))
	require.Eventually(t, func() bool {
		for _, s := range o.traced.GetSpans() {
			if s.Name == "port/8" {
				require.Equal(t, "Error", s.Status.Code.String())
				return true
			}
		}
		return false
	}, 10*time.Second, time.Millisecond)

	// What is done for it later belongs to it all the same.
	require.Eventually(t, func() bool {
		spans := o.traced.GetSpans()
		for _, s := range spans {
			for _, p := range spans {
				if s.Name == "create bridge-domain" && s.Status.Code.String() != "Error" && p.Name == "port/8" {
					require.Equal(t, p.SpanContext.SpanID(), s.Parent.SpanID())
					return true
				}
			}
		}
		return false
	}, 10*time.Second, time.Millisecond)
}

// Where something never converges, traces end all the same when too many wait.
func TestSpansAreBounded(t *testing.T) {
	traced := tracetest.NewInMemoryExporter()
	s := observe.NewSpans(sdk.NewTracerProvider(sdk.WithSyncer(traced)), func(desiredstate.Key) []string { return nil })
	const most, all = 20_000, 50_000
	for i := range all {
		s.Changed(fmt.Sprint(i))
	}
	ended := map[string]bool{}
	for _, x := range traced.GetSpans() {
		ended[x.Name] = true
	}
	require.GreaterOrEqual(t, len(ended), all-most)
	require.True(t, ended["0"])
	require.False(t, ended[fmt.Sprint(all-1)])
}

// A history is bounded, in order, and counts what repeats itself.
func TestHistory(t *testing.T) {
	h := observe.NewHistory(3)
	require.Empty(t, h.Entries())
	key := desiredstate.Key{Space: "interface", Name: "a"}
	h.Event(desiredstate.Event{Type: desiredstate.Started, Key: key})
	require.Empty(t, h.Entries())
	for range 5 {
		h.Event(desiredstate.Event{Type: desiredstate.Failed, Key: key, Action: desiredstate.Create, Err: errors.New("no\nroom"), Took: time.Second})
	}
	require.Len(t, h.Entries(), 1)
	require.Regexp(t, `failed \+ interface/a 1s no; room \(5 times\)$`, h.Entries()[0])
	for i := range 7 {
		h.Note(observe.Entry{What: fmt.Sprint(i), Error: strings.Repeat("ä", 1000)})
	}
	var what []string
	for _, e := range h.Entries() {
		what = append(what, e.What)
		require.Less(t, len(e.Error), 510)
	}
	require.Equal(t, []string{"4", "5", "6"}, what)
}

func TestSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "3000")
	require.NoError(t, observe.NewSystemd().Ready(), "nobody is told")
	require.NoError(t, observe.NewSystemd().Watch(t.Context(), nil), "nobody waits")

	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	heard := func() string {
		require.NoError(t, l.SetReadDeadline(time.Now().Add(10*time.Second)))
		b := make([]byte, 1000)
		n, err := l.Read(b)
		require.NoError(t, err)
		return string(b[:n])
	}
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_PID", "1")
	s := observe.NewSystemd()
	require.NoError(t, s.Ready())
	require.Equal(t, "READY=1", heard())
	require.NoError(t, s.Status("two\nlines"))
	require.Equal(t, "STATUS=two; lines", heard())
	require.NoError(t, s.Watch(t.Context(), nil), "another process's watchdog")

	t.Setenv("WATCHDOG_PID", "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	alive := make(chan error, 1)
	alive <- nil
	go func() {
		_ = observe.NewSystemd().Watch(ctx, func() error {
			select {
			case err := <-alive:
				return err
			default:
				return errors.New("it hangs")
			}
		})
	}()
	require.Equal(t, "WATCHDOG=1", heard())
	require.Equal(t, "STATUS=it hangs", heard())
}

// A systemd that cannot be told for a moment is told later: that is no reason to end.
func TestSystemdAwayForAMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "30000")
	t.Setenv("WATCHDOG_PID", "")
	ctx, cancel := context.WithCancel(t.Context())
	tries, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- observe.NewSystemd().Watch(ctx, func() error {
			select {
			case tries <- struct{}{}:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	<-tries // nobody listens
	select {
	case <-tries:
	case err := <-done:
		require.NoError(t, err, "it has ended")
	}
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	<-tries
	<-tries
	b := make([]byte, 1000)
	n, err := l.Read(b)
	require.NoError(t, err)
	require.Equal(t, "WATCHDOG=1", string(b[:n]))
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

// The server is of this machine alone, and cuts off who is slow.
func TestServer(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "example.com:80"} {
		_, err := observe.Listen(address)
		require.ErrorContains(t, err, "loopback", address)
	}
	l, err := observe.Listen("127.0.0.1:0")
	require.NoError(t, err)
	var level slog.LevelVar
	ready, dead := true, error(nil)
	e := observe.Endpoints{
		Live:    func() error { return dead },
		Ready:   func() (bool, []string) { return ready, []string{"etcd is away"} },
		Status:  func() any { return map[string]int{"ports": 7} },
		Metrics: prometheus.NewRegistry(), History: observe.NewHistory(1), Level: &level,
	}
	serve := func(l net.Listener, private bool) {
		mux := http.NewServeMux()
		e.Routes(mux, private)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- observe.Serve(ctx, l, mux) }()
		t.Cleanup(func() { cancel(); require.ErrorIs(t, <-done, context.Canceled) })
	}
	serve(l, false)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	do := func(client http.Client, method, url string, with func(*http.Request)) (int, string) {
		t.Helper()
		q, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		require.NoError(t, err)
		if with != nil {
			with(q)
		}
		r, err := client.Do(q)
		require.NoError(t, err)
		defer func() { _ = r.Body.Close() }()
		text, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, string(text)
	}
	at := "http://" + l.Addr().String()
	code, text := do(client, "GET", at+"/readyz", nil)
	require.Equal(t, 200, code)
	require.Equal(t, "ok\netcd is away\n", text)
	ready = false
	code, text = do(client, "GET", at+"/readyz", nil)
	require.Equal(t, 503, code)
	require.Equal(t, "etcd is away\n", text)
	code, _ = do(client, "GET", at+"/livez", nil)
	require.Equal(t, 200, code)
	dead = errors.New("it hangs")
	code, text = do(client, "GET", at+"/livez", nil)
	require.Equal(t, 503, code)
	require.Equal(t, "it hangs\n", text)
	_, text = do(client, "GET", at+"/statusz", nil)
	require.JSONEq(t, `{"ports":7}`, text)
	code, _ = do(client, "GET", at+"/debug/pprof/goroutine?debug=1", nil)
	require.Equal(t, 200, code)
	code, _ = do(client, "PUT", at+"/level?level=debug", nil)
	require.Equal(t, 404, code, "whoever is on this machine changes nothing")
	code, _ = do(client, "GET", at+"/statusz", func(q *http.Request) { q.Host = "evil.example" })
	require.Equal(t, 403, code)
	code, _ = do(client, "GET", at+"/statusz", func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "cross-site") })
	require.Equal(t, 403, code)

	path := filepath.Join(t.TempDir(), "s")
	unix, err := net.Listen("unix", path)
	require.NoError(t, err)
	serve(unix, true)
	private := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}}
	_, text = do(private, "PUT", "http://agent/level?level=debug", nil)
	require.Equal(t, "DEBUG\n", text)
	require.Equal(t, slog.LevelDebug, level.Level())
	code, _ = do(private, "PUT", "http://agent/level?level=loud", nil)
	require.Equal(t, 400, code)

	slow, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	_, err = slow.Write([]byte("GET /livez HTTP/1.1\r\n"))
	require.NoError(t, err)
	begin := time.Now()
	require.NoError(t, slow.SetReadDeadline(begin.Add(20*time.Second)))
	_, err = io.ReadAll(slow)
	require.NoError(t, err, "it is cut off")
	require.Less(t, time.Since(begin), 15*time.Second)
}
