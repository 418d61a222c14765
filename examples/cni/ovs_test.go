// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"

	"github.com/containernetworking/cni/pkg/types"
)

// onOVS runs a test on a node with an OVS, in memory and a real one.
func onOVS(t *testing.T, test func(r *rig, o *ovstest.OVS)) {
	t.Run("in memory", func(t *testing.T) { withOVS(t, ovstest.New(t), test) })
	t.Run("real", func(t *testing.T) { realOVS(t, test) })
}

func realOVS(t *testing.T, test func(r *rig, o *ovstest.OVS)) {
	o := ovstest.Real(t)
	if !o.DPDK() {
		t.Skip("REAL OVS WITHOUT DPDK: install openvswitch-switch-dpdk; skipped")
	}
	withOVS(t, o, test)
}

func withOVS(t *testing.T, o *ovstest.OVS, test func(r *rig, o *ovstest.OVS)) {
	r := newRig(t, "")
	t.Setenv("VPPKIT_OVSDB", "unix:"+o.Direct())
	test(r, o)
}

// ovsConf changes the rig's configuration to one of OVS, and further.
func ovsConf(change ...string) []string {
	return append([]string{"host.engine", `"ovs-dpdk"`, "host.iftype", `"vhostuser"`, "host.memif", `null`, "host.bridge", `{"bridgeName": "br0"}`}, change...)
}

func TestOVSAddCheckDel(t *testing.T) {
	onOVS(t, func(r *rig, o *ovstest.OVS) {
		empty := o.String()
		for name, way := range map[string]struct {
			change []string
			has    string
		}{
			"server":       {nil, "type=dpdkvhostuser "},
			"client":       {[]string{"host.vhost.mode", `"client"`}, "type=dpdkvhostuserclient options=vhost-server-path:" + r.dir},
			"VLAN":         {[]string{"host.bridge.vlanId", `7`}, "tag=7 "},
			"named":        {[]string{"host.vhost", `{"mode": "client", "socketfile": "me.sock"}`}, "/me.sock"},
			"default":      {[]string{"host.bridge", `null`, "host.netType", `null`}, "bridge name=br0 datapath_type=netdev"},
			"older, by id": {[]string{"host.bridge", `{"bridgeId": 4}`}, "bridge name=br4 "},
			"without IPAM": {[]string{"ipam", `null`}, "port name=net0."},
			"original's":   {[]string{"cniVersion", `"0.4.0"`, "host.vhost", `{"mode": "client"}`, "container", `{"engine": "ovs-dpdk", "iftype": "vhostuser", "netType": "interface", "vhost": {"mode": "server"}}`}, "bridge name=br0 "},
		} {
			conf := r.conf(ovsConf(way.change...)...)
			res, err := r.add(conf, id(1), "net0")
			require.NoError(r, err, "%s\n%s", name, o.Log())
			require.Contains(r, o.String(), way.has, name)
			if way.change == nil {
				pod, err := net.Dial("unix", res.Interfaces[0].SocketPath)
				require.NoError(r, err)
				pod.Close()
			}
			require.NoError(r, r.check(conf, id(1), "net0"), name)
			before, files := o.String(), r.files()
			_, err = r.add(conf, id(1), "net0")
			require.NoError(r, err, "%s: an ADD that finds all of it", name)
			require.Equal(r, before, o.String(), name)
			require.Equal(r, files, r.files(), name)
			require.NoError(r, r.del(conf, id(1), "net0"), name)
			require.Equal(r, empty, o.String(), name)
			require.Empty(r, r.files(), name)
			require.NoError(r, r.del(conf, id(1), "net0"), name)
			require.Error(r, r.check(conf, id(1), "net0"), name)
		}
	})
}

// An operator's bridge is used as it is, and stays.
func TestOVSOperatorsBridge(t *testing.T) {
	onOVS(t, func(r *rig, o *ovstest.OVS) {
		c, err := ovs.Dial(t.Context(), o.Direct(), "operator")
		require.NoError(r, err)
		defer c.Close()
		_, err = ovs.Bridges(c).Ensure(t.Context(), ovs.Bridge{Name: "tenants", OVSName: "br0", Datapath: ovs.Netdev})
		require.NoError(r, err)
		before := o.String()
		conf := r.conf(ovsConf()...)
		_, err = r.add(conf, id(1), "net0")
		require.NoError(r, err)
		require.NoError(r, r.check(conf, id(1), "net0"))
		require.NoError(r, r.del(conf, id(1), "net0"))
		require.Equal(r, before, o.String())
	})
}

// CHECK finds what others have done.
func TestOVSCheck(t *testing.T) {
	onOVS(t, func(r *rig, o *ovstest.OVS) {
		conf := r.conf(ovsConf("host.bridge.vlanId", `7`)...)
		res, err := r.add(conf, id(1), "net0")
		require.NoError(r, err)
		c, err := ovs.Dial(t.Context(), o.Direct(), owner)
		require.NoError(r, err)
		defer c.Close()
		e := desiredstate.New(ovs.Ports(c, r.dir))
		found, err := desiredstate.List[ovs.Port](t.Context(), e)
		require.NoError(r, err)
		require.Len(r, found, 1)
		port := found[0].Spec
		port.VLAN = 8
		_, err = e.Ensure(t.Context(), port)
		require.NoError(r, err)
		require.ErrorContains(r, r.check(conf, id(1), "net0"), "VLAN: 8 -> 7")
		port.VLAN = 7
		_, err = e.Ensure(t.Context(), port)
		require.NoError(r, err)
		require.NoError(r, r.check(conf, id(1), "net0"))
		require.NoError(r, os.Remove(res.Interfaces[0].SocketPath))
		require.Error(r, r.check(conf, id(1), "net0"))
		_, err = r.add(conf, id(1), "net0")
		require.NoError(r, err)
		require.NoError(r, r.check(conf, id(1), "net0"))
		_, err = e.Remove(t.Context(), port.Key())
		require.NoError(r, err)
		require.Error(r, r.check(conf, id(1), "net0"))
		require.NoError(r, r.del(conf, id(1), "net0"))
		require.Empty(r, r.files())
	})
}

// Whatever the plugin is at when it is killed, the runtime's DEL leaves nothing behind.
func TestOVSKilledAtEveryStep(t *testing.T) {
	for _, mode := range []string{netconf.Server, netconf.Client} {
		t.Run(mode, func(t *testing.T) {
			onOVS(t, func(r *rig, o *ovstest.OVS) {
				kills := r.killedAtEveryStep(r.conf(ovsConf("host.vhost.mode", `"`+mode+`"`)...), o.String, false)
				require.Greater(r, kills["ADD"], 8)
				require.Greater(r, kills["DEL"], 4)
			})
		})
	}
}

func TestOVSManyPods(t *testing.T) {
	onOVS(t, func(r *rig, o *ovstest.OVS) {
		r.manyPods(r.conf(ovsConf("host.vhost.mode", `"client"`)...), o.String, "port name=net0.")
	})
}

// What the data plane is not there for is said, and nothing is left: its database outlives it, so a
// DEL does not say that all is gone.
func TestOVSDown(t *testing.T) {
	o := ovstest.New(t)
	r := newRig(t, "")
	t.Setenv("VPPKIT_OVSDB", o.Direct())
	conf := r.conf(ovsConf()...)
	_, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	t.Setenv("VPPKIT_OVSDB", o.Dir()+"/not.sock")
	var said *types.Error
	require.ErrorAs(t, r.del(conf, id(1), "net0"), &said)
	require.Equal(t, types.ErrTryAgainLater, said.Code)
	t.Setenv("VPPKIT_OVSDB", o.Direct())
	require.NoError(t, r.del(conf, id(1), "net0"))
	require.Empty(t, r.files())
	_, err = r.add(r.conf(ovsConf("host.netType", `"interface"`)...), id(1), "net0")
	require.ErrorContains(t, err, "a port of OVS is on a bridge")
	require.Empty(t, r.files())
}
