// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vpptest"
)

// Junk is reported under its key, and delays nothing else.
func TestPoisonedKeys(t *testing.T) {
	r, v := newRig(t), memory(t)
	junk := map[string]string{
		"hello":                    "hello",
		uuid(100):                  "not JSON",
		uuid(101):                  `{"mac_address":[],"port_security_enabled":"no"}`,
		uuid(102):                  strings.Repeat("\x00\xff", 1<<19),
		uuid(103):                  strings.Replace(port(100), "1500,", `1500,"binding_type":"tap",`, 1),
		uuid(104):                  strings.Replace(port(100), "vhostuser", "ovs", 1),
		uuid(105):                  strings.Replace(port(100), `"vlan"`, `"gpe"`, 1),
		"../../../etc/passwd":      port(100),
		uuid(106) + "/../../x":     port(100),
		strings.Repeat("x", 70000): port(100),
	}
	for name, value := range junk {
		r.put("h1", name, value)
	}
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	r.put("h1", uuid(0), port(100))
	r.bound("h1", uuid(0))

	// A live port that asks for what nobody knows goes down.
	r.put("h1", uuid(1), port(100))
	r.bound("h1", uuid(0), uuid(1))
	r.put("h1", uuid(1), strings.Replace(port(100), "vhostuser", "ovs", 1))
	r.bound("h1", uuid(0))
	require.NoError(t, a.store.Wait(t.Context()))
	r.whole(site, v.Socket(), map[string]int{uuid(0): 100})

	errs := func() map[string]string { said, _ := r.said("h1", "errors/"); return said }
	require.Eventually(t, func() bool { return len(errs()) == len(junk)+1 }, 10*time.Second, 10*time.Millisecond)
	require.JSONEq(t, `{"error":"binding_type: \"ovs\" is unknown"}`, errs()[uuid(1)])
	require.JSONEq(t, `{"error":"gpe: this host has no address in an underlay, see --gpe-locator"}`, errs()[uuid(105)])
	require.JSONEq(t, `{"error":"the key's name is not a UUID"}`, errs()["..%2F..%2F..%2Fetc%2Fpasswd"])
	require.Contains(t, errs()[uuid(102)], "longer than the 65536 bytes")
	require.Less(t, len(a.log.String()), 40000, "junk does not fill the log")

	// Mended keys are served; deleted ones are forgotten.
	r.put("h1", uuid(1), port(100))
	r.bound("h1", uuid(0), uuid(1))
	for name := range junk {
		r.unplug("h1", name)
	}
	require.Eventually(t, func() bool { return len(errs()) == 0 }, 10*time.Second, 10*time.Millisecond)
}

// A port that VPP refuses is an error under its key; the rest is served.
func TestWhatVPPRefuses(t *testing.T) {
	r, v := newRig(t), memory(t)
	v.Inject(vpptest.Fault{Message: "create_vhost_user_if_v2", Kind: vpptest.Refuse, Retval: -30, Times: 3})
	a := r.agent(r.siteOf("h1", nic), v.Socket())
	for i := range 6 {
		r.put("h1", uuid(i), port(100+i))
	}
	r.bound("h1", uuid(0), uuid(1), uuid(2), uuid(3), uuid(4), uuid(5))
	require.NoError(t, a.store.Wait(t.Context()))
	said, _ := r.said("h1", "errors/")
	require.Empty(t, said)
}

func TestTwoHostsOnOneEtcd(t *testing.T) {
	t.Run("in memory", func(t *testing.T) {
		v1, v2 := memory(t), memory(t)
		twoHosts(newRig(t), v1, v2, nic, v2.String, func() {})
	})
	t.Run("real", func(t *testing.T) {
		v1, v2, r := vpptest.Real(t), vpptest.Real(t), realEtcd(t)
		remake := func() { r.loopback(v1.Socket()) }
		remake()
		r.loopback(v2.Socket())
		site := r.siteOf("h10", "loop0")
		twoHosts(r, v1, v2, "loop0", func() string {
			ours, foreign := r.found(site, v2.Socket())
			return r.text(ours) + "\n" + r.text(foreign)
		}, remake)
	})
}

// twoHosts lets the first host's agent and VPP live, and sees that the second's
// do not notice; state is the second VPP's.
func twoHosts(r *rig, v1, v2 target, uplink string, state func() string, remake func()) {
	s1, s2 := r.siteOf("h1", uplink), r.siteOf("h10", uplink)
	a1, a2 := r.agent(s1, v1.Socket()), r.agent(s2, v2.Socket())
	r.put("h1", uuid(1), port(100))
	r.put("h1", uuid(2), port(100))
	r.put("h10", uuid(3), port(100))
	r.bound("h1", uuid(1), uuid(2))
	r.bound("h10", uuid(3))
	require.NoError(r, a2.store.Wait(r.Context()))
	before, writes := state(), a2.writes.Load()

	r.put("h1", uuid(3), port(200))
	r.unplug("h1", uuid(1))
	r.bound("h1", uuid(2), uuid(3))
	v1.Kill()
	r.bound("h1")
	require.NoError(r, v1.Restart())
	remake()
	r.bound("h1", uuid(2), uuid(3))
	require.NoError(r, a1.store.Wait(r.Context()))
	a1.stop()

	r.whole(s1, v1.Socket(), map[string]int{uuid(2): 100, uuid(3): 200})
	r.whole(s2, v2.Socket(), map[string]int{uuid(3): 100})
	require.Equal(r, before, state())
	require.Equal(r, writes, a2.writes.Load())
	r.bound("h10", uuid(3))
}

func TestKilledAgent(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { killed(newRig(t), memory(t), nic, 100) })
	t.Run("real", func(t *testing.T) {
		v, r := vpptest.Real(t), realEtcd(t)
		r.loopback(v.Socket())
		killed(r, v, "loop0", 200)
	})
}

// killed kills agents with SIGKILL, ever later in their work, and after it.
func killed(r *rig, vpp target, uplink string, n int) {
	p := vpptest.NewProxy(r, vpp.Socket())
	site := r.siteOf("h1", uplink)
	want := map[string]int{}
	for i := range n {
		want[uuid(i)] = 100 + i%50
		r.put("h1", uuid(i), port(want[uuid(i)]))
	}
	args := []string{
		"run", "--etcd", r.url, "--vpp", p.Socket(), "--host", "h1",
		"--physnet", "physnet1=" + uplink, "--vhost-user-dir", site.Dir, "--socket", "", "--bound", "vpp",
	}
	kills := 0
	for done := false; !done; kills++ {
		kill := r.process(args...)
		mark := p.Writes() + 30*(kills+1)
		require.Eventually(r, func() bool {
			done = len(r.boundNow("h1")) == n
			return done || p.Writes() >= mark
		}, 20*time.Second, 100*time.Microsecond)
		kill()
	}
	r.Logf("killed %d times", kills)
	require.Greater(r, kills, 1, "the work was interrupted")
	before := r.whole(site, vpp.Socket(), want)

	p.ResetLog()
	kill := r.process(args...)
	require.Eventually(r, func() bool { return len(p.Sent()) > 0 }, 20*time.Second, time.Millisecond)
	time.Sleep(2 * time.Second)
	require.Zero(r, p.Writes(), "messages that change VPP: %v", p.Sent())
	r.put("h1", uuid(n), port(100))
	want[uuid(n)] = 100
	r.bound("h1", names(want)...)
	kill()
	now := r.whole(site, vpp.Socket(), want)
	for k, f := range before {
		require.Equal(r, f.ID, now[k].ID, "%s was made anew", k)
	}
}

func (r *rig) boundNow(host string) map[string]string {
	said, _ := r.said(host, "ports/")
	return said
}

// process starts an agent in a process of its own; the function kills it.
func (r *rig) process(args ...string) (kill func()) {
	r.Helper()
	_, kill = r.start(args...)
	return kill
}

func (r *rig) start(args ...string) (p *os.Process, kill func()) {
	r.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), agentArgs+"="+strings.Join(args, "\n"))
	said := new(lockedBuffer)
	cmd.Stdout, cmd.Stderr = said, said
	require.NoError(r, cmd.Start())
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	r.Cleanup(func() {
		kill()
		if r.Failed() {
			r.Logf("agent %s said:\n%s", args[0], tail(said.String()))
		}
	})
	return cmd.Process, kill
}
