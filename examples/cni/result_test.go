// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/stretchr/testify/require"
)

// What the plugins before it have made is in the result, and CHECK tells it from what is ours.
func TestResultsOfOthers(t *testing.T) {
	vpp := newVPP(t)
	r := newRig(t, vpp.Socket())
	before := `{"cniVersion": "VERSION", "interfaces": [{"name": "eth0", "sandbox": "/x"}, {"name": "net0"}],
		"ips": [{"interface": 0, "address": "192.0.2.7/24"}], "routes": [{"dst": "203.0.113.0/24"}], "dns": {"nameservers": ["192.0.2.1"]}}`
	for _, version := range []string{"1.1.0", "0.4.0"} {
		conf := r.conf("cniVersion", `"`+version+`"`)
		res, err := r.add(r.conf("cniVersion", `"`+version+`"`, "prevResult", strings.Replace(before, "VERSION", version, 1)), id(1), "net0")
		require.NoError(t, err)
		require.Len(t, res.Interfaces, 3)
		require.Equal(t, "eth0", res.Interfaces[0].Name)
		require.Len(t, res.IPs, 2)
		require.Equal(t, "192.0.2.7/24", res.IPs[0].Address.String())
		require.Equal(t, 0, *res.IPs[0].Interface)
		require.Equal(t, 2, *res.IPs[1].Interface, "that of ours")
		require.Len(t, res.Routes, 2)
		require.Equal(t, []string{"192.0.2.1"}, res.DNS.Nameservers)
		require.NoError(t, r.check(conf, id(1), "net0"), version)
		require.NoError(t, r.del(conf, id(1), "net0"))
	}
	require.Empty(t, r.files())
}

// A second ADD of another netType, or with another address, leaves nothing of the first; until then CHECK says so.
func TestSecondAddOfAnotherKind(t *testing.T) {
	onVPP(t, func(r *rig, state func() string) {
		empty := state()
		routed, bridged := r.conf("host.netType", `"interface"`), r.conf()
		address := func(res *types100.Result, err error) string {
			require.NoError(r, err)
			return res.IPs[0].Address.IP.String()
		}
		_, err := r.add(bridged, id(1), "net0")
		require.NoError(r, err)
		only := state()
		old := address(r.add(routed, id(1), "net0"))
		require.NotContains(r, state(), "bridge-port/")
		require.NotContains(r, state(), "bridge-domain/")
		require.NoError(r, r.check(routed, id(1), "net0"))
		require.ErrorContains(r, r.check(bridged, id(1), "net0"), "more than is wanted")
		require.NoError(r, r.removed("ipam/net/"+old))
		require.NotEqual(r, old, address(r.add(routed, id(1), "net0")))
		require.NotContains(r, state(), old+"/32")
		require.NoError(r, r.check(routed, id(1), "net0"))
		_, err = r.add(bridged, id(1), "net0")
		require.NoError(r, err)
		require.Equal(r, strings.ReplaceAll(only, " ", "\n"), strings.ReplaceAll(state(), " ", "\n"))
		require.NoError(r, r.check(bridged, id(1), "net0"))
		require.NoError(r, r.del(bridged, id(1), "net0"))
		require.Equal(r, empty, state())
	})
}
