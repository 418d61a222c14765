// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

// GC takes from OVS what the runtime does not list, of its own network, and nothing at all without a list.
func TestOVSGC(t *testing.T) {
	onOVS(t, func(r *rig, o *ovstest.OVS) {
		conf := r.conf(ovsConf()...)
		other := r.conf(ovsConf("name", `"other"`, "ipam", `null`, "host.bridge.bridgeName", `"br1"`, "host.vhost.mode", `"client"`)...)
		for n := range 3 {
			_, err := r.add(conf, id(n), "net0")
			require.NoError(r, err)
		}
		_, err := r.add(other, id(1), "net1")
		require.NoError(r, err)
		require.NoError(r, os.RemoveAll(r.dir+"/cache"), "or libcni would send DELs")
		before, files := o.String(), r.files()
		collect := func(args *libcni.GCArgs) error { return r.GCNetworkList(context.Background(), conf, args) }
		require.ErrorContains(r, collect(&libcni.GCArgs{}), "without the list")
		all := []types.GCAttachment{{ContainerID: id(0), IfName: "net0"}, {ContainerID: id(1), IfName: "net0"}, {ContainerID: id(2), IfName: "net0"}}
		require.NoError(r, collect(&libcni.GCArgs{ValidAttachments: all}))
		require.Equal(r, before, o.String())
		require.Equal(r, files, r.files())

		require.NoError(r, collect(&libcni.GCArgs{ValidAttachments: all[1:2]}))
		for n, there := range []bool{false, true, false} {
			require.Equal(r, there, strings.Contains(o.String(), "port name=net0."+id(n)[:12]), "%d:\n%s", n, o)
			require.Equal(r, there, strings.Contains(o.String(), "socket net0."+id(n)[:12]), "%d:\n%s", n, o)
		}
		require.Equal(r, []string{
			"ipam/net/10.56.217.3", leaseFile("net", id(1), "net0"), "s/" + short(id(1)), "s/" + short(id(1)) + "/" + short(id(1)) + "-net0",
			"s/" + short(id(1)) + "/configData-" + short(id(1)) + "-net0.json", "s/" + short(id(1)) + "/configData-" + short(id(1)) + "-net1.json",
		}, r.files())
		require.Contains(r, o.String(), "port name=net1."+id(1)[:12])

		require.NoError(r, collect(&libcni.GCArgs{ValidAttachments: []types.GCAttachment{}}))
		require.NotContains(r, o.String(), "br0", "the bridge that nobody uses goes too")
		require.Contains(r, o.String(), "port name=net1."+id(1)[:12], "the other network's stays")
	})
}

// STATUS says whether OVS could serve an ADD, and if not, why.
func TestOVSStatus(t *testing.T) {
	onOVS(t, func(r *rig, o *ovstest.OVS) {
		before := o.String()
		status := func(change ...string) error {
			return r.GetStatusNetworkList(t.Context(), r.conf(ovsConf(change...)...))
		}
		cannot := func(err error, why string) {
			var said *types.Error
			require.ErrorAs(r, err, &said)
			require.Equal(r, types.ErrPluginNotAvailable, said.Code)
			require.ErrorContains(r, err, why)
		}
		require.NoError(r, status())
		cannot(status("ipam.type", `"nowhere"`), "nowhere")
		cannot(status("ovsdb", `"`+o.Dir()+`/not.sock"`), "no such file")

		dpdk := func(on string) {
			o.StopSwitch()
			key := ovsdb.OvsSet{GoSet: []any{"dpdk-init"}}
			o.Transact(ovsdb.Operation{
				Op: "mutate", Table: "Open_vSwitch", Where: []ovsdb.Condition{ovsdb.NewCondition("cur_cfg", ">=", 0)},
				Mutations: []ovsdb.Mutation{
					{Column: "other_config", Mutator: "delete", Value: key},
					{Column: "other_config", Mutator: "insert", Value: ovsdb.OvsMap{GoMap: map[any]any{"dpdk-init": on}}},
				},
			})
			o.StartSwitch()
		}
		dpdk("false")
		cannot(status(), "without DPDK, or other_config:dpdk-init is not set")
		dpdk("true")
		require.NoError(r, status())

		o.StopSwitch()
		cannot(status(), "ovs-vswitchd")
		o.StartSwitch()
		require.NoError(r, status())
		require.Equal(r, before, o.String())
	})
}

// An ovs-vswitchd that was killed leaves its sockets: one that nobody listens on is not in the way of an
// ADD. Only in memory, as a real one that fails to listen may hang.
func TestOVSSocketsLeft(t *testing.T) {
	o := ovstest.New(t)
	r := newRig(t, "")
	t.Setenv("VPPKIT_OVSDB", o.Direct())
	conf := r.conf(ovsConf()...)
	_, err := r.add(conf, id(1), "net0")
	require.NoError(t, err)
	o.StopSwitch()
	o.StartSwitch()
	require.Error(t, r.check(conf, id(1), "net0"))
	_, err = r.add(conf, id(1), "net0")
	require.NoError(t, err)
	require.NoError(t, r.check(conf, id(1), "net0"))
}
