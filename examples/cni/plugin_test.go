// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// onVPP runs a test on a node with a VPP, in memory and a real one. The state is all that there is in it
// of what the plugin can make.
func onVPP(t *testing.T, test func(r *rig, state func() string)) {
	t.Run("in memory", func(t *testing.T) { inMemory(t, test) })
	t.Run("real", func(t *testing.T) {
		vpp := vpptest.Real(t)
		test(newRig(t, vpp.Socket()), stateOf(t, vpp.Socket()))
	})
}

func inMemory(t *testing.T, test func(r *rig, state func() string)) {
	vpp := newVPP(t)
	test(newRig(t, vpp.Socket()), stateOf(t, vpp.Socket()))
}

func stateOf(t *testing.T, socket string) func() string {
	return func() string {
		c, err := vppnet.Dial(t.Context(), socket, "observer")
		require.NoError(t, err)
		defer c.Close()
		found, err := desiredstate.New(vpp{c}.kinds(nil, everything)...).Found(t.Context())
		require.NoError(t, err)
		var lines []string
		for _, f := range found {
			lines = append(lines, fmt.Sprintf("%v %+v %s", f.Key, f.Spec, f.Broken))
		}
		return strings.Join(lines, "\n")
	}
}

// both are the keys of a configuration with addresses of IPv4 and of IPv6.
var both = []string{
	"ipam.ranges", `[[{"subnet": "10.56.217.0/24"}], [{"subnet": "fd00:56::/64"}]]`, "ipam.subnet", `null`,
	"ipam.routes", `[{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]`,
}

func TestAddCheckDel(t *testing.T) {
	onVPP(t, func(r *rig, state func() string) {
		empty := state()
		for name, change := range map[string][]string{
			"memif master, bridge":     nil,
			"memif slave, named":       {"host.memif.role", `"slave"`, "host.bridge", `{"bridgeName": "blue"}`},
			"memif, VLAN":              {"host.bridge.vlanId", `7`},
			"memif of IP, interface":   {"host.memif.mode", `"ip"`, "host.netType", `"interface"`},
			"memif, interface":         {"host.netType", `"interface"`},
			"both, interface":          append(both, "host.netType", `"interface"`),
			"vhost-user server":        {"host.iftype", `"vhostuser"`},
			"vhost-user client, named": {"host.iftype", `"vhostuser"`, "host.vhost", `{"mode": "client", "socketfile": "me.sock"}`},
			"no network":               {"host.netType", `"none"`},
			"no IPAM":                  {"ipam", `null`},
		} {
			conf := r.conf(change...)
			res, err := r.add(conf, id(1), "net0")
			require.NoError(r, err, name)
			require.Len(r, res.Interfaces, 1, name)
			require.NotEmpty(r, res.Interfaces[0].SocketPath, name)
			require.NoError(r, r.check(conf, id(1), "net0"), name)
			before, files := state(), r.files()
			again, err := r.add(conf, id(1), "net0")
			require.NoError(r, err, "%s: an ADD that finds all of it", name)
			require.Equal(r, res, again, name)
			require.Equal(r, before, state(), name)
			require.Equal(r, files, r.files(), name)
			require.NoError(r, r.del(conf, id(1), "net0"), name)
			require.Equal(r, empty, state(), name)
			require.Empty(r, r.files(), name)
			require.NoError(r, r.del(conf, id(1), "net0"), name)
			require.Error(r, r.check(conf, id(1), "net0"), name)
		}
	})
}

// manyPods has pods come and go 8 at a time, on one bridge that the last of them takes along. What
// each has in the data plane shows in its state by port.
func (r *rig) manyPods(conf *libcni.NetworkConfigList, state func() string, port string) {
	const pods = 40
	empty := state()
	each := func(f func(n int) error) time.Duration {
		began := time.Now()
		var g errgroup.Group
		g.SetLimit(8)
		for n := range pods {
			g.Go(func() error { return f(n) })
		}
		require.NoError(r, g.Wait())
		return time.Since(began).Round(time.Millisecond)
	}
	have := func(n int) { require.Equal(r, n, strings.Count(state(), port), state()) }
	added := each(func(n int) error { _, err := r.add(conf, id(n), "net0"); return err })
	have(pods)
	mixed := each(func(n int) error { // half go, and half go and come again
		err := r.del(conf, id(n), "net0")
		if err == nil && n%2 == 1 {
			_, err = r.add(conf, id(n), "net0")
		}
		return err
	})
	have(pods / 2)
	deleted := each(func(n int) error { return r.del(conf, id(n), "net0") })
	require.Equal(r, empty, state())
	require.Empty(r, r.files())
	r.Logf("%d pods, 8 at a time: added in %v, all deleted and half added again in %v, deleted in %v", pods, added, mixed, deleted)
}

func TestManyPods(t *testing.T) {
	onVPP(t, func(r *rig, state func() string) { r.manyPods(r.conf(), state, "bridge-port/") })
}

// vppPorts are the names of all ports of bridge domain 4.
func vppPorts(t *testing.T, socket string) (out []string) {
	c, err := vppnet.Dial(t.Context(), socket, owner)
	require.NoError(t, err)
	defer c.Close()
	e := desiredstate.New(vppnet.BridgePorts(c))
	found, err := e.Found(t.Context())
	require.NoError(t, err)
	for _, f := range found {
		if p, ok := f.Spec.(vppnet.BridgePort); ok && p.Bridge == "4" {
			out = append(out, p.Interface)
		}
	}
	return out
}

// A bridge domain that an operator has made is used, and stays as it is.
func TestBridgeOfAnOperator(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	c, err := vppnet.Dial(t.Context(), vpp.Socket(), "operator")
	require.NoError(t, err)
	defer c.Close()
	_, err = vppnet.BridgeDomains(c).Ensure(t.Context(), vppnet.BridgeDomain{Name: "mine", ID: 4, NoLearn: true})
	require.NoError(t, err)
	before := vpp.String()
	_, err = r.add(r.conf(), id(1), "net0")
	require.NoError(t, err)
	require.NoError(t, r.check(r.conf(), id(1), "net0"))
	require.NotEqual(t, before, vpp.String())
	require.NoError(t, r.del(r.conf(), id(1), "net0"))
	require.Equal(t, before, vpp.String())
}

// CHECK says what differs, field by field.
func TestCheckSaysWhatDiffers(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	conf := r.conf()
	res, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	c, err := vppnet.Dial(t.Context(), vpp.Socket(), owner)
	require.NoError(t, err)
	defer c.Close()
	a, err := newAttachment(&netconf.Conf{PluginConf: types.PluginConf{Name: "net"}}, id(1), "net0", "/x")
	require.NoError(t, err)
	_, err = vppnet.LinkStates(c).Remove(t.Context(), vppnet.LinkState{Interface: a.Name()})
	require.NoError(t, err)
	require.ErrorContains(t, r.check(conf, id(1), "net0"), "+ link/"+a.Name())
	_, err = r.add(conf, id(1), "net0")
	require.NoError(t, err, "a second ADD mends it")
	require.NoError(t, r.check(conf, id(1), "net0"))
	file := filepath.Join(filepath.Dir(res.Interfaces[0].SocketPath), "configData-"+short(id(1))+"-net0.json")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "slave", "master")), 0o644))
	require.ErrorContains(t, r.check(conf, id(1), "net0"), "master")
	require.NoError(t, os.Remove(file))
	require.ErrorContains(t, r.check(conf, id(1), "net0"), "is not there")
	_, err = r.add(conf, id(1), "net0")
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(r.dir+"/ipam/net"))
	require.ErrorContains(t, r.check(conf, id(1), "net0"), "ipam host-local")
}

// GC takes what the runtime does not list, of its own network, and nothing at all without a list.
func TestGC(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	conf, other := r.conf(), r.conf("name", `"other"`, "ipam", `null`)
	for n := range 4 {
		_, err := r.add(conf, id(n), "net0")
		require.NoError(t, err)
	}
	_, err := r.add(other, id(1), "net1")
	require.NoError(t, err)
	require.NoError(t, r.del(conf, id(3), "net0"))
	require.NoError(t, os.RemoveAll(r.dir+"/cache"), "or libcni would send DELs")
	before, files := vpp.String(), r.files()
	collect := func(args *libcni.GCArgs) error { return r.GCNetworkList(context.Background(), conf, args) }
	require.ErrorContains(t, collect(nil), "without the list")
	require.ErrorContains(t, collect(&libcni.GCArgs{}), "without the list", "null is no list")
	require.Equal(t, before, vpp.String())
	all := []types.GCAttachment{{ContainerID: id(0), IfName: "net0"}, {ContainerID: id(1), IfName: "net0"}, {ContainerID: id(2), IfName: "net0"}}
	require.NoError(t, collect(&libcni.GCArgs{ValidAttachments: all}))
	require.Equal(t, before, vpp.String())
	require.Equal(t, files, r.files())
	require.NoError(t, os.Mkdir(r.dir+"/s/"+making+"x", 0o755), "what an ADD left that was killed")
	require.NoError(t, os.Mkdir(r.dir+"/s/somebodys", 0o755))
	require.NoError(t, collect(&libcni.GCArgs{ValidAttachments: all[1:2]}))
	var here []string
	for _, port := range vppPorts(t, vpp.Socket()) {
		here = append(here, port[:len(port)-20])
	}
	require.ElementsMatch(t, []string{"net0." + id(1)[:12] + ".", "net1." + id(1)[:12] + "."}, here)
	require.Equal(t, []string{
		"ipam/net/10.56.217.3", leaseFile("net", id(1), "net0"), "s/" + short(id(1)), "s/" + short(id(1)) + "/configData-" + short(id(1)) + "-net0.json",
		"s/" + short(id(1)) + "/configData-" + short(id(1)) + "-net1.json", "s/somebodys",
	}, r.files())
	require.NoError(t, collect(&libcni.GCArgs{ValidAttachments: []types.GCAttachment{}}))
	require.Len(t, vppPorts(t, vpp.Socket()), 1, "the other network's")
}

func TestStatus(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	require.NoError(t, r.GetStatusNetworkList(t.Context(), r.conf()))
	err := r.GetStatusNetworkList(t.Context(), r.conf("ipam.type", `"nowhere"`))
	require.ErrorContains(t, err, "nowhere")
	limited := "#!/bin/sh\necho '{\"code\": 51, \"msg\": \"the uplink is down\"}'\nexit 1\n"
	require.NoError(t, os.WriteFile(r.dir+"/bin/limited", []byte(limited), 0o755))
	var said *types.Error
	require.ErrorAs(t, r.GetStatusNetworkList(t.Context(), r.conf("ipam.type", `"limited"`)), &said)
	require.Equal(t, types.ErrLimitedConnectivity, said.Code, "what the IPAM says of those that there are is passed on")
	vpp.Kill()
	err = r.GetStatusNetworkList(t.Context(), r.conf())
	require.ErrorAs(t, err, &said)
	require.Equal(t, types.ErrPluginNotAvailable, said.Code)
	require.NoError(t, r.del(r.conf(), id(1), "net0"), "without VPP there is nothing of it")
	require.NoError(t, vpp.Restart())
	without := newVPP(t, vpptest.WithoutPlugin("memif"))
	err = r.GetStatusNetworkList(t.Context(), r.conf("vppSocket", fmt.Sprintf("%q", without.Socket())))
	require.ErrorContains(t, err, "memif")
}

// The addresses run out: who gets none leaves nothing.
func TestNoAddressLeft(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	conf := r.conf("ipam.subnet", `"10.0.0.0/30"`)
	_, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	before, files := vpp.String(), r.files()
	_, err = r.add(conf, id(2), "net0")
	require.ErrorContains(t, err, "no IP addresses available")
	require.Equal(t, before, vpp.String())
	require.Equal(t, files, r.files())
	require.NoError(t, r.del(conf, id(2), "net0"))
	require.Equal(t, before, vpp.String())
}

// Whatever a netconf, a runtime or a pod says, nothing outside of the pod's directory is touched.
func TestSocketsAreConfined(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	empty := vpp.String()
	victim := r.dir + "/victim"
	require.NoError(t, os.WriteFile(victim, []byte("keep"), 0o600))
	for _, file := range []string{"../../victim", "/etc/passwd", "..", ".", ".hidden", "a/b", "configData-x", strings.Repeat("x", 65), "a b", "a;b"} {
		_, err := r.add(r.conf("host.memif.socketfile", `"`+file+`"`), id(1), "net0")
		require.ErrorContains(t, err, "socketfile", file)
		require.Equal(t, empty, vpp.String())
	}
	dir := r.dir + "/s/" + short(id(1))
	lies := func(name string, lie func() error) {
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, lie(), name)
		_, err := r.add(r.conf("host.memif.socketfile", `"sock"`), id(1), "net0")
		require.Error(t, err, name)
		require.Equal(t, empty, vpp.String(), name)
		_ = r.del(r.conf("host.memif.socketfile", `"sock"`), id(1), "net0")
		text, err := os.ReadFile(victim)
		require.NoError(t, err, name)
		require.Equal(t, "keep", string(text), name)
		require.NoError(t, os.RemoveAll(dir))
		_ = os.RemoveAll(r.dir + "/ipam")
	}
	lies("a symlink for the socket", func() error { return os.Symlink(victim, dir+"/sock") })
	lies("a file for the socket", func() error { return os.WriteFile(dir+"/sock", nil, 0o600) })
	lies("a symlink for the directory", func() error {
		require.NoError(t, os.Remove(dir))
		return os.Symlink(r.dir, dir)
	})
	require.NoError(t, os.MkdirAll(dir, 0o755))
	file := "/configData-" + short(id(1)) + "-net0.json"
	require.NoError(t, os.Symlink(victim, dir+file))
	require.NoError(t, os.Symlink(victim, dir+"/"+making+file[1:]))
	_, err := r.add(r.conf(), id(1), "net0")
	require.NoError(t, err, "a link in place of the hand-over file is replaced, not followed")
	text, err := os.ReadFile(victim)
	require.NoError(t, err)
	require.Equal(t, "keep", string(text))
	require.NoError(t, r.del(r.conf(), id(1), "net0"))
	require.Empty(t, r.files())
}
