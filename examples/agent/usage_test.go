// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	flag "github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

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
	require.Contains(t, strings.Join(strings.Fields(planned), " "), "? vhost-port interface/port-"+uuid(0)+" unavailable: "+why)
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
