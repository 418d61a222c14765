// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	flag "github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/vppnet"
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

// An etcd that lost its data does not cost the data plane, until somebody says
// that it shall.
func TestEtcdLosesItsData(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	want := map[string]int{}
	for i := range 20 {
		want[uuid(i)] = 100
		r.put("h1", uuid(i), port(100))
	}
	a := r.agent(site, v.Socket())
	r.bound("h1", names(want)...)
	require.NoError(t, a.store.Wait(t.Context()))
	a.stop()
	before := v.String()

	empty := newRig(t)
	path, page := paged(t)
	held := make(chan error, 100)
	b := empty.agent(site, v.Socket(), page, func(a *agent) {
		a.watcher = func(e desiredstate.Event) {
			if e.Type == desiredstate.HeldBack {
				held <- e.Err
			}
		}
	})
	require.ErrorIs(t, <-held, desiredstate.ErrMassDelete)
	empty.put("h1", uuid(0), port(100)) // what is wanted is done meanwhile
	empty.bound("h1", uuid(0))
	require.Equal(t, before, v.String())
	require.Zero(t, b.writes.Load())

	empty.amissIs(path, "held", "are not removed before", true)
	require.Equal(t, 2, command(t.Context(), []string{"confirm", "--socket", path}, io.Discard, io.Discard), "confirm what?")
	require.NotZero(t, command(t.Context(), []string{"confirm", "none", "--socket", path}, io.Discard, io.Discard))
	said := new(strings.Builder)
	require.Equal(t, exitWrong, command(t.Context(), []string{"status", "--socket", path}, said, os.Stderr))
	_, token, _ := strings.Cut(said.String(), "agent confirm ")
	token, _, _ = strings.Cut(token, "\n")
	require.Contains(t, said.String(), "  - interface/")
	require.Equal(t, before, v.String())
	require.Zero(t, command(t.Context(), []string{"confirm", token, "--socket", path}, io.Discard, os.Stderr))
	require.Eventually(t, func() bool {
		ours, _ := empty.found(site, v.Socket())
		return len(ours) == 8 // a network, its uplink, a port
	}, 10*time.Second, 10*time.Millisecond)
	empty.whole(site, v.Socket(), map[string]int{uuid(0): 100})
}

// Nor is an empty list an order on a host with one port, whatever else the host wants
// by itself; that a key is there and wants nothing is one.
func TestASmallHostAndAnEmptyList(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	r.put("h1", uuid(0), port(100))
	a := r.agent(site, v.Socket())
	r.bound("h1", uuid(0))
	r.converged(a)
	before := v.String()
	ports := follow.Range(site.Ports())
	a.inbox.listed(ports, nil)
	a.inbox.settled(true)
	require.Eventually(t, func() bool { _, ok := a.store.Held(); return ok }, 10*time.Second, time.Millisecond)
	require.Equal(t, before, v.String())
	require.NotNil(t, a.status().Held)

	key := site.Ports() + uuid(0)
	a.inbox.listed(ports, map[string][]byte{key: []byte(port(100))})
	a.inbox.settled(true)
	r.converged(a)
	require.Nil(t, a.status().Held)
	require.Equal(t, before, v.String())
	a.inbox.listed(ports, map[string][]byte{key: []byte("junk")})
	a.inbox.settled(true)
	r.converged(a)
	ours, _ := r.found(site, v.Socket())
	require.Len(t, ours, 1, "but for the uplink's link")
}

func TestEtcdIsAway(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	r.put("h1", uuid(0), port(100))
	a := r.agent(site, v.Socket())
	r.bound("h1", uuid(0))
	require.NoError(t, a.store.Wait(t.Context()))
	writes, before := a.writes.Load(), v.String()
	r.etcd.Stop()
	time.Sleep(time.Second)
	require.Equal(t, before, v.String())
	require.Equal(t, writes, a.writes.Load())

	// VPP may even restart meanwhile: what was wanted is known.
	require.NoError(t, v.Restart())
	require.Eventually(t, func() bool { _, ok := a.store.Converged(); return ok && a.writes.Load() > writes }, 20*time.Second, 10*time.Millisecond)
	r.whole(site, v.Socket(), map[string]int{uuid(0): 100})
	require.NoError(t, r.etcd.Start())
	r.put("h1", uuid(1), port(100))
	r.bound("h1", uuid(0), uuid(1))
}

// A physical network is announced when its interface is there, and what needs
// it says what is missing.
func TestNoSuchUplink(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", "loop0")
	a := r.agent(site, v.Socket())
	r.put("h1", uuid(0), port(100))
	require.Eventually(t, func() bool {
		said, _ := r.said("h1", "errors/")
		return strings.Contains(said[uuid(0)], "interface/vpp:loop0")
	}, 10*time.Second, 10*time.Millisecond)
	require.Empty(t, r.boundNow("h1"))
	physnets, _ := r.said("h1", "physnets/")
	require.Empty(t, physnets)

	r.loopback(v.Socket())
	r.bound("h1", uuid(0))
	require.NoError(t, a.store.Wait(t.Context()))
	said, _ := r.said("h1", "errors/")
	require.Empty(t, said)
}

func TestStatusAndPlan(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	r.put("h1", uuid(0), port(100))
	r.put("h1", uuid(1), "junk")
	flags := []string{"--etcd", r.url, "--vpp", v.Socket(), "--host", "h1", "--physnet", "physnet1=" + nic, "--vhost-user-dir", site.Dir}
	exit := exitWrong // one key is junk
	say := func(args ...string) string {
		var out, errs bytes.Buffer
		require.Equal(t, exit, command(t.Context(), args, &out, &errs), errs.String())
		return out.String() + errs.String()
	}
	planned := say(append([]string{"plan"}, flags...)...)
	require.Contains(t, planned, "+  vhost-port     interface/port-"+uuid(0)+"\n")
	require.Contains(t, planned, "+  bridge-domain  bridge-domain/physnet1.vlan.100\n")
	require.Contains(t, planned, `"`+uuid(1)+`" is not served: not a JSON object`)
	require.Contains(t, say(append([]string{"plan", "--json"}, flags...)...), `"action": "create"`)
	require.Zero(t, v.Writes(), "a plan changes nothing")

	path, page := paged(t)
	a := r.agent(site, v.Socket(), page)
	r.bound("h1", uuid(0))
	require.NoError(t, a.store.Wait(t.Context()))
	text := say("status", "--socket", path)
	require.Contains(t, text, "converged since")
	require.Regexp(t, uuid(0)+`  physnet1.vlan.100  applied`, text)
	require.Regexp(t, uuid(1)+`  -                  invalid  not a JSON object`, text)
	require.Contains(t, say("status", "--socket", path, "--json"), `"key":"bridge-domain/physnet1.vlan.100"`)
	require.Contains(t, say("status", "--socket", path, "--all"), "bridge-domain/physnet1.vlan.100")
	require.NotContains(t, say(append([]string{"plan"}, flags...)...), "+")
	_, err := ask(t.Context(), path, "GET", "/livez")
	require.NoError(t, err)
	_, err = ask(t.Context(), path, "GET", "/readyz")
	require.NoError(t, err)

	_, err = listen(path)
	require.ErrorIs(t, err, errRunning, "a second agent refuses")

	v.Kill()
	require.Eventually(t, func() bool { _, err := ask(t.Context(), path, "GET", "/readyz"); return err != nil }, 10*time.Second, 10*time.Millisecond)
	require.Contains(t, say("status", "--socket", path), "VPP   away")
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"fly"}, {"run", "--fly"}, {"run", "there"}, {"run", "--physnet", "x"}} {
		require.Equal(t, 2, command(t.Context(), args, io.Discard, io.Discard), args)
	}
	for _, args := range [][]string{
		{"run"},
		{"run", "--etcd", "http://127.0.0.1:1"},
		{"run", "--etcd", "x", "--physnet", "p=i", "--vhost-user-dir", "/run", "--vhost-user-mode", "both"},
		{"status", "--socket", "/nowhere"},
	} {
		require.Equal(t, 1, command(t.Context(), args, io.Discard, io.Discard), args)
	}
	require.Zero(t, command(t.Context(), []string{"run", "-h"}, io.Discard, io.Discard))
	var errs strings.Builder
	command(t.Context(), []string{"status", "--fly"}, io.Discard, &errs)
	require.Contains(t, errs.String(), "agent status: unknown flag: --fly\nUsage:\n  agent status [flags]")
}

// Flags come from the command line, or from the environment, or from a file, in this order.
func TestConfigure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.conf")
	t.Setenv("AGENT_HOST", "by-environment")
	t.Setenv("AGENT_PHYSNET", "p1=i1 p2=i2")
	t.Setenv("AGENT_TEST_FLAG", "is no flag of anybody")
	read := func(text string, args ...string) (o options, err error) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		f := flag.NewFlagSet("run", flag.ContinueOnError)
		o.register(f)
		configFlag(f)
		require.NoError(t, f.Parse(append(args, "--config", path)))
		return o, configure(f, environment())
	}
	o, err := read("# comment\n\nhost = by-file\nvpp=/by/file\netcd = http://a:1,http://b:2\nmtu = p1=1500\nmtu = p2=9000\n", "--vpp", "/by/line")
	require.NoError(t, err)
	require.Equal(t, "by-environment", o.site.Host)
	require.Equal(t, "/by/line", o.vpp)
	require.Equal(t, "http://a:1,http://b:2", o.etcd)
	require.Equal(t, map[string]string{"p1": "i1", "p2": "i2"}, o.site.Physnets)
	require.Equal(t, map[string]uint32{"p1": 1500, "p2": 9000}, o.site.MTU)
	_, err = read("host = x\nwings = 2\n")
	require.ErrorContains(t, err, "agent.conf:2: there is no --wings")
	_, err = read("nonsense\n")
	require.ErrorContains(t, err, "agent.conf:1: \"nonsense\", want FLAG = VALUE")
	_, err = read("resync = soon\n")
	require.ErrorContains(t, err, "agent.conf:1: ")
}

func TestVersion(t *testing.T) {
	var out strings.Builder
	require.Zero(t, command(t.Context(), []string{"version"}, &out, io.Discard))
	require.Contains(t, out.String(), "govpp v")
	for _, shell := range []string{"bash", "zsh", "fish"} {
		out.Reset()
		require.Zero(t, command(t.Context(), []string{"completion", shell}, &out, io.Discard))
		require.Contains(t, out.String(), "agent")
	}
}

// A VPP without a plugin says so wherever somebody looks, and does all else.
func TestWithoutPlugin(t *testing.T) {
	r := newRig(t)
	socket := vpptest.WithSocket(filepath.Join(shortDir(t), "api.sock"))
	v := vpptest.New(t, vpptest.WithInterface(nic), socket, vpptest.WithoutPlugin("vhost"))
	site := r.siteOf("h1", nic)
	r.put("h1", uuid(0), port(100))
	flags := []string{"--etcd", r.url, "--vpp", v.Socket(), "--host", "h1", "--physnet", "physnet1=" + nic, "--vhost-user-dir", site.Dir}
	exit := exitWrong
	say := func(args ...string) string {
		var out, errs bytes.Buffer
		require.Equal(t, exit, command(t.Context(), args, &out, &errs), errs.String())
		return out.String() + errs.String()
	}
	why := "incompatible VPP for vhost-port: it lacks create_vhost_user_if_v2, create_vhost_user_if_v2_reply and 4 more messages of plugin vhost; is that loaded?"
	planned := say(append([]string{"plan"}, flags...)...)
	require.Contains(t, planned, "?  vhost-port     interface/port-"+uuid(0)+"   unavailable: "+why)
	require.Contains(t, planned, "\n"+why+"\n")
	require.Contains(t, planned, "+  bridge-domain  bridge-domain/physnet1.vlan.100\n")

	path, page := paged(t)
	a := r.agent(site, v.Socket(), page)
	var said map[string]string
	require.Eventually(t, func() bool { said, _ = r.said("h1", "errors/"); return len(said) > 0 }, 10*time.Second, time.Millisecond)
	require.JSONEq(t, `{"error":"interface/port-`+uuid(0)+": unavailable: "+why+`"}`, said[uuid(0)])
	require.Empty(t, r.boundNow("h1"))
	require.Eventually(t, func() bool { // the network is there all the same
		status, _ := a.store.Status(vppnet.LinkKey("physnet1.vlan.100"))
		return status.State == desiredstate.Applied
	}, 10*time.Second, time.Millisecond)
	require.Contains(t, say("status", "--socket", path), "\n"+why+"\n")
	require.Contains(t, say("status", "--socket", path, "--json"), `"vpp_lacks":["`+why+`"]`)
	require.Equal(t, 1, strings.Count(a.log.String(), "this VPP cannot do all"))
	require.NotContains(t, a.log.String(), "level=ERROR msg=failed")

	// The same VPP with the plugin: a new process on the same socket.
	require.NoError(t, v.Close())
	vpptest.New(t, vpptest.WithInterface(nic), socket)
	r.bound("h1", uuid(0))
	require.NoError(t, a.store.Wait(t.Context()))
	exit = 0
	require.NotContains(t, say("status", "--socket", path), "incompatible")
	said, _ = r.said("h1", "errors/")
	require.Empty(t, said)
}
