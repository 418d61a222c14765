// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/examples/agent/observe"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

// Whoever asks what a thing is hears it, by each of its names: object, key, number of VPP's; and what is
// otherwise in VPP, what happened, and all of it in a bundle.
func TestLooking(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	path, page := paged(t)
	r.put("h1", uuid(0), port(100))
	a := r.agent(site, v.Socket(), page)
	r.bound("h1", uuid(0))
	require.NoError(t, a.store.Wait(t.Context()))
	do := func(exit int, args ...string) string {
		t.Helper()
		out, errs, code := said(t, append(args, "--socket", path)...)
		require.Equal(t, exit, code, errs)
		return out + errs
	}
	iface := "interface/port-" + uuid(0)
	text := do(0, "explain", iface)
	require.Regexp(t, `(?s)^`+iface+`\n  state     applied since .*\n  wanted by /networking-vpp/nodes/h1/ports/`+uuid(0)+` at revision \d+\n`, text)
	require.Contains(t, text, "  needed by bridge-port/port-"+uuid(0))
	require.Contains(t, text, "wanted    vhost.Port {")
	require.Contains(t, text, "done + "+iface)
	text = do(0, "explain", uuid(0))
	require.Contains(t, text, iface+"\n")
	require.Contains(t, text, "bridge-domain/physnet1.vlan.100\n", "all that the key wants")
	st, _ := a.store.Status(vppnet.InterfaceKey("port-" + uuid(0)))
	require.Contains(t, do(0, "explain", "--json", strings.TrimSpace(string(rune('0'+st.ID)))), `"object":"`+iface+`"`)
	require.Contains(t, do(exitFailed, "explain", "nobody"), `nothing is called "nobody"`)
	r.put("h1", uuid(1), "junk")
	require.Eventually(t, func() bool { _, _, wrong := a.inbox.Look(uuid(1)); return wrong != nil }, 10*time.Second, time.Millisecond)
	require.Contains(t, do(exitFailed, "explain", uuid(1)), "is not served: not a JSON object")

	require.Equal(t, "VPP is as wanted\n", do(0, "drift"))
	require.Contains(t, do(0, "history", iface), "done + "+iface)
	require.Len(t, strings.Split(do(0, "history", "-n", "1"), "\n"), 2)

	require.Equal(t, "INFO\n", do(0, "level"))
	require.Equal(t, "DEBUG\n", do(0, "level", "debug"))
	require.Contains(t, do(exitFailed, "level", "loud"), "400")

	file := filepath.Join(t.TempDir(), "report.tar.gz")
	do(0, "report", "-o", file)
	zipped, _, code := said(t, "report", "-o", "-", "--socket", path)
	require.Zero(t, code)
	unzipped, err := gzip.NewReader(strings.NewReader(zipped))
	require.NoError(t, err)
	files := map[string]string{}
	for bundle := tar.NewReader(unzipped); ; {
		h, err := bundle.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		var text bytes.Buffer
		_, err = text.ReadFrom(bundle)
		require.NoError(t, err)
		files[strings.TrimPrefix(h.Name, "vppkit-report/")] = text.String()
	}
	require.Contains(t, files["status.json"], uuid(0))
	require.Contains(t, files["metrics.txt"], `vppkit_objects{space="interface",state="applied"}`)
	require.Contains(t, files["metrics.txt"], `vppkit_agent_ports{state="invalid"} 1`)
	require.Contains(t, files["goroutines.txt"], "goroutine profile")
	require.Contains(t, files["history.json"], iface)
	require.Contains(t, files["drift.json"], `"text":""`)

	// A bridge domain that somebody changed by hand is seen before the agent looks by itself.
	c, err := vppnet.Dial(t.Context(), v.Socket(), "hand")
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	a.stop() // or it would mend it, sooner or later
	_, errs, code := said(t, "drift", "--socket", path)
	require.Equal(t, exitFailed, code, errs)
}

// Drift is found when it is asked for, though VPP told nobody of it.
func TestDriftIsSeen(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	path, page := paged(t)
	r.put("h1", uuid(0), port(100))
	a := r.agent(site, v.Socket(), page)
	r.bound("h1", uuid(0))
	require.NoError(t, a.store.Wait(t.Context()))
	r.outOfBridge(v.Socket(), "port-"+uuid(0))
	out, _, code := said(t, "drift", "--socket", path)
	require.Equal(t, exitWrong, code)
	require.Contains(t, out, "bridge-port/port-"+uuid(0))
}

// outOfBridge takes an interface of the agent's out of its bridge domain, of which VPP tells nobody.
func (r *rig) outOfBridge(vpp, name string) {
	r.Helper()
	c, err := vppnet.Dial(r.Context(), vpp, "hand")
	require.NoError(r, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.SwInterfaceDump{}, &l2.SwInterfaceSetL2Bridge{})
	all, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(r.Context(), &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	require.NoError(r, err)
	for _, i := range all {
		if i.Tag == translate.Owner+"/"+name {
			_, err = l2.NewServiceClient(c).SwInterfaceSetL2Bridge(r.Context(), &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: i.SwIfIndex})
			require.NoError(r, err)
			return
		}
	}
	require.Fail(r, "no such interface", name)
}

// On the address for browsers nothing can be changed, and the page needs nothing from elsewhere.
func TestPublicPage(t *testing.T) {
	r, v := newRig(t), memory(t)
	l, err := observe.Listen("127.0.0.1:0")
	require.NoError(t, err)
	r.agent(r.siteOf("h1", nic), v.Socket(), func(a *agent) { a.public = l })
	at := "http://" + l.Addr().String()
	get := func(path string) (*http.Response, string) {
		t.Helper()
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+path, nil)
		require.NoError(t, err)
		got, err := http.DefaultClient.Do(q)
		require.NoError(t, err)
		defer func() { _ = got.Body.Close() }()
		text, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		return got, string(text)
	}
	for _, file := range []string{"/", "/page.css", "/page.js"} {
		got, text := get(file)
		require.Equal(t, 200, got.StatusCode, file)
		require.Contains(t, got.Header.Get("Content-Security-Policy"), "default-src 'none'")
		require.NotContains(t, strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""), "//www", file)
		require.NotContains(t, strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""), "http", file)
	}
	_, text := get("/statusz")
	require.Contains(t, text, `"host":"h1"`)
	answer, err := http.Post(at+"/confirm?token=x", "", nil)
	require.NoError(t, err)
	_ = answer.Body.Close()
	require.Equal(t, 404, answer.StatusCode)
}
