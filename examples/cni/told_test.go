// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// VERSION says all versions of the specification that ADD speaks, and none besides.
func TestVersions(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	info, err := r.GetVersionInfo(t.Context(), "userspace")
	require.NoError(t, err)
	require.Equal(t, []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}, info.SupportedVersions())
	for _, v := range info.SupportedVersions() {
		conf := r.conf("cniVersion", `"`+v+`"`)
		_, err := r.add(conf, id(1), "net0")
		require.NoError(t, err, v)
		require.NoError(t, r.del(conf, id(1), "net0"), v)
	}
	_, err = r.add(r.conf("cniVersion", `"0.2.0"`), id(1), "net0")
	require.ErrorContains(t, err, "0.2.0")
	require.Empty(t, r.files())
}

// Multus is told by a file, which goes with the interface; files and directories have the modes that are
// documented.
func TestFiles(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	device := r.dir + "/device.json"
	mode := func(path string) fs.FileMode {
		f, err := os.Stat(path)
		require.NoError(t, err)
		return f.Mode().Perm()
	}
	for _, way := range []struct {
		change []string
		says   string
		dir    fs.FileMode
	}{
		{nil, `{"type": "memif", "version": "1.1.0", "memif": {"role": "slave", "mode": "ethernet", "path": "SOCKET"}}`, 0o755},
		{
			[]string{"host.iftype", `"vhostuser"`, "host.vhost", `{"mode": "client", "group": "12345"}`},
			`{"type": "vhost-user", "version": "1.1.0", "vhost-user": {"mode": "server", "path": "SOCKET"}}`, 0o750,
		},
	} {
		conf := r.conf(append(way.change, "runtimeConfig.CNIDeviceInfoFile", `"`+device+`"`)...)
		res, err := r.add(conf, id(1), "net0")
		require.NoError(t, err)
		socket := res.Interfaces[0].SocketPath
		text, err := os.ReadFile(device)
		require.NoError(t, err)
		require.JSONEq(t, strings.Replace(way.says, "SOCKET", socket, 1), string(text))
		dir := filepath.Dir(socket)
		require.Equal(t, way.dir, mode(dir))
		file := filepath.Join(dir, netconf.HandOverFile(short(id(1)), "net0"))
		require.Equal(t, fs.FileMode(0o644), mode(file))
		text, err = os.ReadFile(file)
		require.NoError(t, err)
		var told map[string]any
		require.NoError(t, json.Unmarshal(text, &told))
		require.ElementsMatch(t, []string{"containerId", "ifName", "name", "config", "ipResult"}, keysOf(told), "as the original has it")
		require.NoError(t, r.del(conf, id(1), "net0"))
		require.NoFileExists(t, device)
		require.Empty(t, r.files())
	}
}

func keysOf(m map[string]any) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	return out
}
