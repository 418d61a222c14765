// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// handedOver is what the plugin says of an interface, as text.
func handedOver(ifName, role, address, gateway, route string) string {
	return fmt.Sprintf(`{"containerId": "abc", "ifName": %q, "name": "net",
		"config": {"engine": "vpp", "iftype": "memif", "netType": "interface", "memif": {"role": %q, "mode": "ethernet", "socketfile": "%s.sock"}},
		"ipResult": {"cniVersion": "1.0.0", "ips": [{"address": %q, "gateway": %q}], "routes": [{"dst": %q}]}}`, ifName, role, ifName, address, gateway, route)
}

// by are objects by their keys.
func by(all []desiredstate.Object) map[desiredstate.Key]desiredstate.Object {
	out := map[desiredstate.Key]desiredstate.Object{}
	for _, o := range all {
		out[o.Key()] = o
	}
	return out
}

// What the files and the annotation say comes to the opposite end, addresses and routes; what is wrong with
// one interface keeps no other from it.
func TestWants(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	file(netconf.HandOverFile("abc", "net0"), handedOver("net0", "client", "10.0.0.2/24", "10.0.0.1", "0.0.0.0/0"))
	file(netconf.HandOverFile("abc", "bad"), handedOver("bad", "slave", "10.0.0.3/24", "10.0.0.1", "0.0.0.0/0")[:40])
	list := "[" + handedOver("net1", "server", "fd00::2/128", "fd00::1", "fd00::/64") + "]"
	require.True(t, json.Valid([]byte(list)))
	file("annotations", fmt.Sprintf("kubernetes.io/config.seen=\"2026\"\n%s=%q\n%s=\"/sockets\"\n", netconf.AnnotationData, list, netconf.AnnotationDir))
	p := pod{dir: dir, annotations: filepath.Join(dir, "annotations")}
	wants, errs := p.wants()
	require.Len(t, errs, 1)
	require.ErrorContains(t, errs[0], "configData-abc-bad.json")
	require.Len(t, wants, 2)

	four := by(wants["net0"])
	m := four[vppnet.InterfaceKey("net0")].(vppnet.Memif)
	require.Equal(t, dir+"/net0.sock", m.Socket)
	require.True(t, m.Slave, "client is another word for slave")
	route := four[l3.RouteKey("", prefix("0.0.0.0/0"))].(l3.Route)
	require.Equal(t, []l3.Path{{NextHop: prefix("10.0.0.1/32").Addr(), Interface: "net0"}}, route.Paths)
	require.NotContains(t, four, l3.RouteKey("", prefix("10.0.0.1/32")), "it is in the subnet")

	six := by(wants["net1"])
	other := six[vppnet.InterfaceKey("net1")].(vppnet.Memif)
	require.False(t, other.Slave)
	require.NotEqual(t, m.MAC, other.MAC)
	via := []l3.Path{{NextHop: prefix("fd00::1/128").Addr(), Interface: "net1"}}
	for _, dst := range []string{"fd00::/64", "fd00::1/128"} {
		require.Equal(t, via, six[l3.RouteKey("", prefix(dst))].(l3.Route).Paths, "the gateway is on the link, the subnet behind it")
	}
}

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }
