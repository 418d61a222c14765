// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vpptest"
)

// The netconfs that the original is documented with run as they are, under cnitool, against a real VPP and
// a real OVS. The delegate of its Multus one is standalone.conf.
func TestNetconfsUnderCNITool(t *testing.T) {
	files, err := filepath.Glob("testdata/*.conf")
	require.NoError(t, err)
	require.Len(t, files, 8)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		conf, err := netconf.Parse(text)
		require.NoError(t, err)
		t.Run(strings.TrimSuffix(filepath.Base(file), ".conf"), func(t *testing.T) {
			if conf.Host.Engine == netconf.OVS {
				realOVS(t, func(r *rig, o *ovstest.OVS) { r.cnitool(conf, text, o.String) })
				return
			}
			vpp := vpptest.Real(t)
			newRig(t, vpp.Socket()).cnitool(conf, text, stateOf(t, vpp.Socket()))
		})
	}
}

// cnitool has it add and delete an interface. What the netconf names is where it says; only what others
// keep below /var/lib/cni and /var/log, and the group that one netconf has, are of a mount namespace.
func (r *rig) cnitool(conf *netconf.Conf, text []byte, state func() string) {
	tool, err := cniTool()
	require.NoError(r, err)
	for _, dir := range []string{"/net.d", "/lib", "/log"} {
		require.NoError(r, os.Mkdir(r.dir+dir, 0o755))
	}
	require.NoError(r, os.MkdirAll("/var/lib/cni", 0o755))
	require.NoError(r, os.WriteFile(r.dir+"/net.d/it.conf", text, 0o644))
	require.NoError(r, os.WriteFile(r.dir+"/group", []byte("root:x:0:\nhugetlbfs:x:12345:\n"), 0o644))
	ns := netrig.New(r, "pod")
	run := func(verb string) string {
		cmd := exec.Command("unshare", "-m", "sh", "-e", "-c", `mount --bind "$0/group" /etc/group
			mount --bind "$0/lib" /var/lib/cni
			mount --bind "$0/log" /var/log
			exec "$@"`, r.dir, tool, verb, conf.Name, "/run/netns/"+string(ns))
		cmd.Env = append(os.Environ(), "CNI_PATH="+r.dir+"/bin", "NETCONFPATH="+r.dir+"/net.d", "CNI_NETNS_OVERRIDE=", "CNI_IFNAME=net1")
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		require.NoError(r, err, "%s: %s%s", verb, out, said.String())
		return string(out)
	}
	empty := state()
	_, absent := os.Stat(base(conf))
	r.Cleanup(func() {
		if r.Failed() {
			run("del")
		}
		if absent != nil {
			_ = os.Remove(base(conf)) // if nobody else has put something there
		}
	})
	result := run("add")
	require.NotEqual(r, empty, state())
	var got struct {
		CNIVersion string                `json:"cniVersion"`
		Interfaces []*types100.Interface `json:"interfaces"`
		IPs        []json.RawMessage     `json:"ips"`
	}
	require.NoError(r, json.Unmarshal([]byte(result), &got))
	require.Equal(r, conf.CNIVersion, got.CNIVersion, "the result is of the version that was asked for")
	require.Equal(r, "net1", got.Interfaces[0].Name)
	require.Equal(r, conf.IPAM.Type != "", len(got.IPs) == 1, result)
	told, err := filepath.Glob(base(conf) + "/cnitool-*/configData-cnitool-*-net1.json")
	require.NoError(r, err)
	require.Len(r, told, 1)
	if group := conf.Host.Vhost.Group; group != "" {
		info, err := os.Stat(filepath.Dir(told[0]))
		require.NoError(r, err)
		require.Equal(r, uint32(12345), info.Sys().(*syscall.Stat_t).Gid, "the directory is of the group "+group)
	}
	if conf.LogFile != "" && conf.LogLevel != "" {
		require.FileExists(r, r.dir+strings.TrimPrefix(conf.LogFile, "/var"))
	}
	run("add") // as some runtimes do that died on the way
	run("del")
	run("del")
	require.Equal(r, empty, state())
	require.NoDirExists(r, filepath.Dir(told[0]))
	leases, err := filepath.Glob(r.dir + "/lib/networks/*/[0-9]*")
	require.NoError(r, err)
	require.Empty(r, leases)
}
