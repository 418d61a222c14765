// SPDX-License-Identifier: Apache-2.0

package ovs_test

import (
	"net"
	"testing"
	"time"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

// engine is one with all kinds.
func engine(o *ovstest.OVS, c *ovs.Conn) *desiredstate.Engine {
	return desiredstate.New(ovs.Bridges(c), ovs.Ports(c, sockets(o)))
}

func bridge(name string) ovs.Bridge { return ovs.Bridge{Name: name, Datapath: ovs.Netdev} }

func internal(name, bridge string) ovs.Port {
	return ovs.Port{Name: name, Bridge: bridge, Type: ovs.Internal}
}

// What others break of ours is found, and mended without making it anew if that can be.
func TestMended(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		e := engine(o, dial(t, o, "me"))
		port := internal("p", "br0")
		port.VLAN = 5
		_, err := e.Ensure(t.Context(), bridge("br0"), port)
		require.NoError(t, err)
		good := o.String()
		row := func(table, name string, row ovsdb.Row) ovsdb.Operation {
			return ovsdb.Operation{Op: "update", Table: table, Row: row, Where: []ovsdb.Condition{ovsdb.NewCondition("name", "==", name)}}
		}
		for name, step := range map[string]struct {
			op     ovsdb.Operation
			action desiredstate.Action
			says   string
		}{
			"tag":       {row("Port", "p", ovsdb.Row{"tag": 6}), desiredstate.Update, "VLAN: 6 -> 5"},
			"vlan_mode": {row("Port", "p", ovsdb.Row{"vlan_mode": "trunk"}), desiredstate.Update, "its vlan_mode is trunk"},
			"trunks":    {row("Port", "p", ovsdb.Row{"trunks": ovsdb.OvsSet{GoSet: []any{3, 4}}}), desiredstate.Update, "its trunks are [3 4]"},
			"type":      {row("Interface", "p", ovsdb.Row{"type": "tap"}), desiredstate.Replace, `Type: "tap" -> "internal"`},
		} {
			o.Transact(step.op)
			e.Forget()
			p, err := e.Plan(t.Context(), bridge("br0"), port)
			require.NoError(t, err)
			require.Len(t, p.Steps, 1, name)
			require.Equal(t, step.action, p.Steps[0].Action, "%s: %s", name, p)
			require.Contains(t, p.String(), step.says, name)
			_, err = e.Apply(t.Context(), p)
			require.NoError(t, err, name)
			require.Equal(t, good, o.String(), name)
		}

		// The bridge's own port.
		found := o.Transact(ovsdb.Operation{Op: "select", Table: "Port", Where: []ovsdb.Condition{ovsdb.NewCondition("name", "==", "br0")}})
		o.Transact(ovsdb.Operation{
			Op: "mutate", Table: "Bridge", Where: []ovsdb.Condition{ovsdb.NewCondition("name", "==", "br0")},
			Mutations: []ovsdb.Mutation{{Column: "ports", Mutator: "delete", Value: found[0].Rows[0]["_uuid"]}},
		})
		require.NotEqual(t, good, o.String())
		e.Forget()
		p, err := e.Plan(t.Context(), bridge("br0"), port)
		require.NoError(t, err)
		require.Len(t, p.Steps, 1)
		require.Equal(t, desiredstate.Update, p.Steps[0].Action)
		_, err = e.Apply(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, good, o.String())
	})
}

// The sockets of vhost-user ports are there when Ensure returns, and gone when Remove does.
func TestVhostUserSockets(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		if !o.DPDK() {
			t.Skip("REAL OVS WITHOUT DPDK: install openvswitch-switch-dpdk; skipped")
		}
		e := engine(o, dial(t, o, "me"))
		server := ovs.Port{Name: "4f2a.net1", OVSName: "vhost-4f2a-net1-of-a-long-name", Bridge: "br0", Type: ovs.VhostUser, VLAN: 100}
		client := ovs.Port{Name: "vm2", Bridge: "br0", Type: ovs.VhostUserClient, Socket: sockets(o) + "/vm2"}
		_, err := e.Ensure(t.Context(), bridge("br0"), server, client)
		require.NoError(t, err)
		guest, err := net.Dial("unix", o.VhostDir()+"/vhost-4f2a-net1-of-a-long-name")
		require.NoError(t, err)
		guest.Close()
		_, err = e.Ensure(t.Context(), ovs.Port{Name: "vm3", Bridge: "br0", Type: ovs.VhostUserClient, Socket: client.Socket})
		require.ErrorIs(t, err, desiredstate.ErrConflict) // one can listen there
		_, err = e.Remove(t.Context(), server.Key(), client.Key(), ovs.BridgeKey("br0"))
		require.NoError(t, err)
		require.NoFileExists(t, o.VhostDir()+"/vhost-4f2a-net1-of-a-long-name")
	})
}

// What ovs-vswitchd has said that it cannot make is refused at once.
func TestTypes(t *testing.T) {
	o := ovstest.New(t)
	c := dial(t, o, "me")
	require.Eventually(t, func() bool { return c.InterfaceTypes() != nil }, 10*time.Second, time.Millisecond, "ovs-vswitchd has just been started")
	require.Contains(t, c.InterfaceTypes(), ovs.VhostUser)
	require.Contains(t, c.DatapathTypes(), ovs.Netdev)
	o.Transact(ovsdb.Operation{
		Op: "update", Table: "Open_vSwitch", Where: []ovsdb.Condition{ovsdb.NewCondition("cur_cfg", ">=", 0)},
		Row: ovsdb.Row{"iface_types": ovsdb.OvsSet{GoSet: []any{"internal", "system"}}, "datapath_types": ovsdb.OvsSet{GoSet: []any{"netdev"}}},
	})
	require.Eventually(t, func() bool { return len(c.InterfaceTypes()) == 2 }, 10*time.Second, time.Millisecond)
	writes := o.Writes()
	_, err := engine(o, c).Ensure(t.Context(), ovs.Bridge{Name: "br0"})
	require.ErrorContains(t, err, `ovs-vswitchd knows no datapath of type "system", but netdev`)
	_, err = engine(o, c).Ensure(t.Context(), ovs.Port{Name: "p", Bridge: "br0", Type: ovs.VhostUser})
	require.ErrorContains(t, err, "other_config:dpdk-init is not set")
	require.Equal(t, writes, o.Writes())
}
