// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/observe"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

var shots = flag.String("screenshots", "", "directory in which the page's pictures are kept")

// The page in a real browser, without a network: it shows each network, port and router with its
// state and error, text that is none of HTML, and is drawn in light and in dark.
func TestPageInBrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("NOT TESTED IN A BROWSER: no chromium on PATH")
	}
	r, v := newRig(t), memory(t)
	l, err := observe.Listen("127.0.0.1:0")
	require.NoError(t, err)
	site := r.siteOf("h1", nic)
	for n := range 3 {
		r.put("h1", uuid(n), port(100+n%2))
	}
	r.put("h1", uuid(3), strings.Replace(port(100), "vhostuser", "<script>document.title='taken'</script>", 1))
	r.put("h1", uuid(4), secured(101, "10.0.0.4", gid(1))) // its group is not there
	for key, value := range tenants() {
		r.routing("h1", key, value)
	}
	a := r.agent(site, v.Socket(), func(a *agent) { a.public = l })
	r.bound("h1", uuid(0), uuid(1), uuid(2))
	require.Eventually(t, func() bool {
		s := a.status()
		return len(s.Ports) == 5 && s.Ports[3].Error != "" && len(s.Routers) > 0
	}, 10*time.Second, 10*time.Millisecond)
	at := "http://" + l.Addr().String() + "/"
	dir := *shots
	if dir == "" {
		dir = t.TempDir()
	}
	run := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, browser, append([]string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-device-scale-factor=1",
			"--user-data-dir=" + t.TempDir(), "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--virtual-time-budget=4000",
		}, append(args, at)...)...)
		out, err := cmd.Output()
		require.NoError(t, err)
		return string(out)
	}
	dom := run("--dump-dom")
	for _, want := range []string{
		`<title>h1 · vppkit agent</title>`, ">physnet1.vlan.100<", ">" + nic + "<", ">" + uuid(0) + "<", "port: binding_type: ", "&lt;script&gt;",
		"etcd is followed", "acl-binding/secured-" + uuid(4),
	} {
		require.True(t, strings.Contains(dom, want), "%q is not on the page", want)
	}
	for key := range tenants() {
		require.True(t, strings.Contains(dom, strings.TrimPrefix(key, translate.Site{Host: "h1"}.Routers())), key)
	}
	require.False(t, strings.Contains(dom, "does not answer"))

	light := func(args ...string) (sum float64) {
		file := filepath.Join(dir, fmt.Sprintf("page%d.png", len(args)))
		run(append(args, "--window-size=1180,1500", "--screenshot="+file)...)
		f, err := os.Open(file)
		require.NoError(t, err)
		defer func() { _ = f.Close() }()
		img, err := png.Decode(f)
		require.NoError(t, err)
		require.Equal(t, 1180, img.Bounds().Dx())
		red, green, blue, _ := img.At(5, 5).RGBA()
		return float64(red+green+blue) / 3 / 65535
	}
	require.Greater(t, light(), 0.9, "light paper")
	require.Less(t, light("--blink-settings=preferredColorScheme=0"), 0.2, "dark paper")
}
