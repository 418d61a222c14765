// SPDX-License-Identifier: Apache-2.0

package netconf

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"
)

// What the container's end leaves out is the opposite of the host's, or the same.
func TestDefaults(t *testing.T) {
	c, err := Parse([]byte(`{"name": "n", "sharedDir": "/run/x/", "LogFile": "/log", "LogLevel": "debug",
		"host": {"engine": "vpp", "iftype": "memif", "netType": "bridge", "memif": {"role": "slave", "mode": "ethernet"}, "bridge": {"bridgeName": "4"}}}`))
	require.NoError(t, err)
	require.Equal(t, "/run/x", c.SharedDir)
	require.Equal(t, "/log", c.LogFile)
	require.Equal(t, uint32(4), c.Host.Bridge.ID())
	require.Equal(t, End{Engine: VPP, IfType: Memif, NetType: Interface, Memif: MemifEnd{Role: Master, Mode: Ethernet}}, c.Container)
	c, err = Parse([]byte(`{"name": "n", "host": {"engine": "vpp", "iftype": "memif", "netType": "none", "memif": {"role": "client"}}, "container": {"memif": {"role": "server"}}}`))
	require.NoError(t, err)
	require.False(t, c.Host.Memif.Listens())
	require.Equal(t, "server", c.Container.Memif.Role, "the container is told in the configuration's words")
	require.Contains(t, string(c.Container.Device("/s")), `"role":"master"`, "and Multus in those of the device information specification")
	c, err = Parse([]byte(`{"name": "n", "host": {"engine": "ovs-dpdk", "iftype": "vhostuser"}}`))
	require.NoError(t, err)
	require.Equal(t, End{Engine: OVS, IfType: VhostUser, NetType: Bridge, Vhost: VhostEnd{Mode: Server}}, c.Host)
	require.Equal(t, End{Engine: OVS, IfType: VhostUser, NetType: Interface, Vhost: VhostEnd{Mode: Client}}, c.Container)
}

// What is wrong is said by its key, before anything is made.
func TestErrors(t *testing.T) {
	memif := `"engine": "vpp", "iftype": "memif"`
	for host, want := range map[string]string{
		``:                                 "host.engine is missing, want vpp or ovs-dpdk",
		`"engine": "bess"`:                 `host.engine is "bess", want vpp or ovs-dpdk`,
		`"engine": "vpp", "iftype": "tap"`: `host.iftype is "tap", want memif or vhostuser`,
		`"engine": "ovs-dpdk", "iftype": "memif"`: "which ovs-dpdk has not",
		memif:                           "host.netType is missing, want bridge or interface or none",
		memif + `, "netType": "router"`: `host.netType is "router"`,
		memif + `, "netType": "none"`:   "host.memif.role is missing, want master or slave or server or client",
		memif + `, "netType": "none", "memif": {"role": "boss"}`:                                                        `host.memif.role is "boss"`,
		memif + `, "netType": "none", "memif": {"role": "slave", "mode": "inject-punt"}`:                                "kills VPP",
		memif + `, "netType": "bridge", "memif": {"role": "slave", "mode": "ip"}`:                                       "a bridge carries Ethernet",
		memif + `, "netType": "none", "memif": {"role": "slave", "socketfile": "../x"}`:                                 "without a path",
		memif + `, "netType": "bridge", "memif": {"role": "slave"}`:                                                     "host.bridge: want a bridgeName, or a bridgeId",
		memif + `, "netType": "bridge", "memif": {"role": "slave"}, "bridge": {"bridgeId": 16777216}`:                   "host.bridge.bridgeId is 16777216, want at most 16777215",
		memif + `, "netType": "bridge", "memif": {"role": "slave"}, "bridge": {"bridgeName": "0"}`:                      "a number has to be from 1",
		memif + `, "netType": "bridge", "memif": {"role": "slave"}, "bridge": {"bridgeName": "a/b"}`:                    "host.bridge.bridgeName",
		memif + `, "netType": "bridge", "memif": {"role": "slave"}, "bridge": {"bridgeId": 1, "vlanId": 4095}`:          "host.bridge.vlanId is 4095",
		`"engine": "vpp", "iftype": "vhostuser", "netType": "none", "vhost": {"mode": "both"}`:                          `host.vhost.mode is "both", want client or server`,
		memif + `, "netType": "none", "memif": {"role": "slave"}}, "container": {"memif": {"role": "slaves"}`:           `container.memif.role is "slaves"`,
		memif + `, "netType": "none", "memif": {"role": "slave"}}, "sharedDir": "run", "x": {`:                          `sharedDir is "run", want an absolute path`,
		memif + `, "netType": "none", "memif": {"role": "slave"}}, "logLevel": "loud", "x": {`:                          `logLevel is "loud"`,
		memif + `, "netType": "none", "memif": {"role": "slave"}}, "runtimeConfig": {"CNIDeviceInfoFile": "x"}, "y": {`: "CNIDeviceInfoFile",
	} {
		_, err := Parse([]byte(`{"name": "n", "host": {` + host + `}}`))
		require.ErrorContains(t, err, want)
		var said *types.Error
		require.True(t, errors.As(err, &said))
		require.Equal(t, types.ErrInvalidNetworkConfig, said.Code)
	}
	_, err := Parse([]byte("{\n\"name\": \"n\",\n\"host\": {\"bridge\": {\"bridgeId\": \"4\"}}}"))
	require.ErrorContains(t, err, "line 3")
	_, err = Parse([]byte("{\n\"name\": \"n\",\n"))
	require.ErrorContains(t, err, "line 3")
}

// Whatever is parsed can be worked with: its words are known, its files stay where they belong.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("../testdata/*.conf")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			var said *types.Error
			require.True(t, errors.As(err, &said))
			require.NotZero(t, said.Code)
			return
		}
		for _, e := range []End{c.Host, c.Container} {
			require.Contains(t, []string{VPP, OVS}, e.Engine)
			require.Contains(t, []string{Memif, VhostUser}, e.IfType)
			require.Contains(t, []string{Bridge, Interface, None}, e.NetType)
			file := e.SocketFile()
			require.Equal(t, file, strings.TrimPrefix(filepath.Join("/", file), "/"))
			require.LessOrEqual(t, e.Bridge.ID(), uint32(maxBridge))
		}
		h := HandOver{Config: c.Container}
		out, err := json.Marshal(&h)
		require.NoError(t, err)
		var back HandOver
		require.NoError(t, json.Unmarshal(out, &back))
		require.Equal(t, h.Config, back.Config)
	})
}
