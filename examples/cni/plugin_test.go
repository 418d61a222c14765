// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vpptest"
)

func TestAddCheckDel(t *testing.T) {
	vpp := vpptest.New(t)
	r := newRig(t, vpp.Socket())
	empty := vpp.String()
	for name, change := range map[string][]string{
		"memif master, bridge":     nil,
		"memif slave, named":       {"host.memif.role", `"slave"`, "host.bridge", `{"bridgeName": "blue"}`},
		"memif, VLAN":              {"host.bridge.vlanId", `7`},
		"memif of IP, interface":   {"host.memif.mode", `"ip"`, "host.netType", `"interface"`},
		"memif, interface":         {"host.netType", `"interface"`},
		"vhost-user server":        {"host.iftype", `"vhostuser"`},
		"vhost-user client, named": {"host.iftype", `"vhostuser"`, "host.vhost", `{"mode": "client", "socketfile": "me.sock"}`},
		"no network":               {"host.netType", `"none"`},
		"no IPAM":                  {"ipam", `null`},
	} {
		t.Run(name, func(t *testing.T) {
			r.T = t
			conf := r.conf(change...)
			res, err := r.add(conf, id(1), "net0")
			require.NoError(t, err)
			require.Len(t, res.Interfaces, 1)
			require.NotEmpty(t, res.Interfaces[0].SocketPath)
			require.NoError(t, r.check(conf, id(1), "net0"))
			before, files := vpp.String(), r.files()
			again, err := r.add(conf, id(1), "net0")
			require.NoError(t, err, "an ADD that finds all of it")
			require.Equal(t, res, again)
			require.Equal(t, before, vpp.String())
			require.Equal(t, files, r.files())
			require.NoError(t, r.del(conf, id(1), "net0"))
			require.Equal(t, empty, vpp.String())
			require.Empty(t, r.files())
			require.NoError(t, r.del(conf, id(1), "net0"))
			require.Error(t, r.check(conf, id(1), "net0"))
		})
	}
	require.DirExists(t, r.dir)
	_ = os.Args
}
