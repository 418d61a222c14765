// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/snoop/snooptest"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

// snooped runs a command against a running agent.
func snooped(t *testing.T, socket, port string, more ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = command(t.Context(), append([]string{"snoop", port, "--socket", socket}, more...), &o, &e)
	return status, o.String(), e.String()
}

// ofSnoops are the objects of snoops that a VPP holds.
func (r *rig) ofSnoops(site translate.Site, vpp string) []desiredstate.Key {
	r.Helper()
	have, _ := r.found(site, vpp)
	var all []desiredstate.Found
	for _, f := range have {
		all = append(all, f)
	}
	return site.OfSnoops(all)
}

// snooper is an agent with two ports, on a VPP in memory whose memif is of the test.
func snooper(t *testing.T, master *snooptest.Master) (r *rig, a *running, socket string) {
	t.Helper()
	r = newRig(t)
	site := r.siteOf("h1", nic)
	site.Dir = shortDir(t)
	if master != nil {
		master.Listen(t, filepath.Join(site.Dir, "snoop.0"))
	}
	socket, page := paged(t)
	a = r.agent(site, memory(t).Socket(), page)
	r.put("h1", uuid(0), port(101))
	r.put("h1", uuid(1), port(102))
	r.bound("h1", uuid(0), uuid(1))
	r.converged(a)
	return r, a, socket
}

// What the agent gets of VPP is what comes out, in order; then VPP is as it was before.
func TestSnoop(t *testing.T) {
	frame := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}, make([]byte, 46)...)
	var frames [][]byte
	for range 20 {
		frames = append(frames, frame)
	}
	r, a, socket := snooper(t, &snooptest.Master{Frames: frames})
	before, _ := r.found(a.site, a.vpp)
	status, out, errs := snooped(t, socket, uuid(1), "--packets", "7")
	require.Zero(t, status, errs)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 7)
	for _, l := range lines {
		require.Regexp(t, `^\d\d:\d\d:\d\d\.\d{6} 02:00:00:00:00:01 > 02:00:00:00:00:02 type 0x88b5, 60 bytes$`, l)
	}
	require.Contains(t, errs, "7 packets of port "+uuid(1))
	require.Empty(t, r.ofSnoops(a.site, a.vpp))
	after, _ := r.found(a.site, a.vpp)
	require.Equal(t, r.text(before), r.text(after))
	for _, e := range a.insight.history.Entries() {
		if e.What == "snooped" {
			require.Equal(t, "interface/port-"+uuid(1), e.Object)
			return
		}
	}
	require.Fail(t, "nobody can see that somebody snooped")
}

// While one is under way: what it is made of, by whom others are not let in, and its end by the time, and not by a list of
// all keys.
func TestSnoopEndsByItsTime(t *testing.T) {
	master := &snooptest.Master{}
	r, a, socket := snooper(t, master)
	began, done := time.Now(), make(chan string, 1)
	go func() {
		_, _, errs := snooped(t, socket, uuid(0), "--time", "2s", "--only", "from")
		done <- errs
	}()
	secret := <-master.Secrets
	require.Len(t, secret, 20)
	o, _ := a.store.Want(vppnet.MirrorKey("port-"+uuid(0), "snoop.0", true))
	require.True(t, o.(vppnet.Mirror).NoTx)
	require.False(t, o.(vppnet.Mirror).NoRx)
	require.Len(t, r.ofSnoops(a.site, a.vpp), 6)
	a.inbox.Listed(follow.Range(a.site.Ports()), map[string][]byte{ // as it is every few minutes
		a.site.Ports() + uuid(0): []byte(port(101)), a.site.Ports() + uuid(1): []byte(port(102)),
	})
	a.inbox.Settled(true)
	var status bytes.Buffer
	require.NoError(t, asked(t.Context(), socket, http.MethodGet, "/statusz", &status))
	require.NoError(t, asked(t.Context(), socket, http.MethodGet, "/explain?of=snoop.0", &status))
	require.Contains(t, status.String(), "snoop.0")
	for _, text := range []string{status.String(), a.log.String(), <-done} {
		require.NotContains(t, text, secret)
	}
	require.Greater(t, time.Since(began), 2*time.Second)
	require.Empty(t, r.ofSnoops(a.site, a.vpp))
}

func TestBadSnoops(t *testing.T) {
	r, a, socket := snooper(t, &snooptest.Master{Refuse: "already connected"})
	for _, tc := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{uuid(9)}, exitFailed, "no port"},
		{[]string{"0000000"}, exitFailed, "how several ports begin"},
		{[]string{uuid(0)}, exitFailed, `VPP refuses: "already connected"`},
		{[]string{""}, exitUsage, "which port?"},
		{[]string{uuid(0), "--packets", "0"}, exitUsage, "want 1 to 100000"},
		{[]string{uuid(0), "--packets", "100001"}, exitUsage, "want 1 to 100000"},
		{[]string{uuid(0), "--time", "-1s"}, exitUsage, "want more than nothing"},
		{[]string{uuid(0), "--time", "11m"}, exitUsage, "at most 10m"},
		{[]string{uuid(0), "--only", "up"}, exitUsage, "want from or to"},
		{[]string{uuid(0), uuid(1)}, exitUsage, "accepts 1 arg"},
		{[]string{uuid(0), "-w", "/nowhere/x.pcap"}, exitFailed, "/nowhere/x.pcap"},
	} {
		status, out, errs := snooped(t, socket, tc.args[0], tc.args[1:]...)
		require.Equal(t, tc.status, status, "%q: %s", tc.args, errs)
		require.Contains(t, errs, tc.says)
		require.Empty(t, out)
	}
	// Who speaks to the socket by himself.
	for query, code := range map[string]int{
		"": 400, "port=x&packets=1&time=1s": 404, "port=x&packets=1": 400, "port=x&packets=1e9&time=1s": 400,
		"port=x&packets=1&time=1s&only=sideways": 400, "port=" + strings.Repeat("0", 9000) + "&packets=1&time=1s": 404,
	} {
		w := httptest.NewRecorder()
		a.routes(true).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/snoop?"+query, nil))
		require.Equal(t, code, w.Code, query)
		require.Less(t, w.Body.Len(), 1000)
	}
	w := httptest.NewRecorder() // and who is not root
	a.routes(false).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/snoop?port="+uuid(0)+"&packets=1&time=1s", nil))
	require.NotEqual(t, http.StatusOK, w.Code)
	require.Empty(t, r.ofSnoops(a.site, a.vpp))
	r.converged(a)
	a.snoops.taken = [translate.Snoops]bool{true, true, true, true}
	_, _, errs := snooped(t, socket, uuid(0))
	require.Contains(t, errs, "4 snoops are under way")
	a.connected.Store(nil)
	_, _, errs = snooped(t, socket, uuid(0))
	require.Contains(t, errs, "VPP is away")
}

// What an agent that was killed left goes though it is more than what is wanted; what others made
// stays.
func TestSnoopsOfTheKilledGo(t *testing.T) {
	r := newRig(t)
	site := r.siteOf("h1", nic)
	site.Dir = shortDir(t)
	vpp := memory(t).Socket()
	r.put("h1", uuid(0), port(101))
	a := r.agent(site, vpp)
	r.bound("h1", uuid(0))
	a.stop()
	before, foreign := r.found(site, vpp)
	p, err := site.Port(uuid(0), []byte(port(101)))
	require.NoError(t, err)
	c, err := vppnet.Dial(t.Context(), vpp, translate.Owner)
	require.NoError(t, err)
	e, _ := engine(c, site)
	for place := range translate.Snoops {
		_, err = e.Ensure(t.Context(), translate.Snoop{Place: place, Secret: vppnet.NewSecret("x")}.Objects(site, p)...)
		require.NoError(t, err)
	}
	require.NoError(t, c.Close())
	require.Len(t, r.ofSnoops(site, vpp), 6*translate.Snoops)
	r.converged(r.agent(site, vpp))
	after, others := r.found(site, vpp)
	require.Equal(t, r.text(before), r.text(after))
	require.Equal(t, r.text(foreign), r.text(others))
}
