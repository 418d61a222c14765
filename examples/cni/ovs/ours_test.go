// SPDX-License-Identifier: Apache-2.0

package ovs_test

import (
	"strings"
	"testing"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

// What is not ours becomes so by adoption, as it is.
func TestAdopt(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		nobodys(o, "br-int")
		_, err := engine(o, dial(t, o, "other")).Ensure(t.Context(), ovs.Port{Name: "p", OVSName: "px", Bridge: "ovs:br-int", Type: ovs.Internal, VLAN: 7})
		require.NoError(t, err)
		e := engine(o, dial(t, o, "me"))
		_, err = e.Adoption(t.Context(), ovs.Bridge{Name: "net", Datapath: ovs.Netdev}, ovs.BridgeKey("ovs:br-int"))
		require.ErrorContains(t, err, "would have to be replaced") // as OVS's name would be another
		mine := ovs.Bridge{Name: "net", OVSName: "br-int", Datapath: ovs.Netdev}
		a, err := e.Adoption(t.Context(), mine, ovs.BridgeKey("ovs:br-int"))
		require.NoError(t, err)
		require.Empty(t, a.Differs)
		_, err = e.Adopt(t.Context(), a)
		require.NoError(t, err)
		port := ovs.Port{Name: "q", OVSName: "px", Bridge: "net", Type: ovs.Internal, VLAN: 8}
		a, err = e.Adoption(t.Context(), port, ovs.PortKey("other/p"))
		require.NoError(t, err)
		require.Len(t, a.Differs, 1) // its VLAN
		_, err = e.Adopt(t.Context(), a)
		require.NoError(t, err)
		require.Contains(t, o.String(), "port name=px interfaces=px tag=8 trunks= vlan_mode= external_ids=vppkit-name:q,vppkit-owner:me")
		p, err := engine(o, dial(t, o, "me")).Plan(t.Context(), mine, port)
		require.NoError(t, err)
		require.True(t, p.Empty(), p)
	})
}

// Two rows with one mark of ours: the second is surplus, and goes.
func TestSurplus(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		e := engine(o, dial(t, o, "me"))
		_, err := e.Ensure(t.Context(), bridge("br0"), internal("p", "br0"), internal("q", "br0"))
		require.NoError(t, err)
		o.Transact(ovsdb.Operation{
			Op: "update", Table: "Port", Where: []ovsdb.Condition{ovsdb.NewCondition("name", "==", "q")},
			Row: ovsdb.Row{"external_ids": ovsdb.OvsMap{GoMap: map[any]any{"vppkit-owner": "me", "vppkit-name": "p"}}},
		})
		e = engine(o, dial(t, o, "me"))
		found, err := e.Found(t.Context())
		require.NoError(t, err)
		var names []string
		for _, f := range found {
			names = append(names, f.Key.Name)
		}
		require.Subset(t, names, []string{"p", "p~q"})
		e.MaxPrune = 1
		_, err = e.Sync(t.Context(), bridge("br0"), internal("p", "br0"), internal("q", "br0"))
		require.NoError(t, err)
		require.Contains(t, o.String(), "port name=q interfaces=q tag= trunks= vlan_mode= external_ids=vppkit-name:q,vppkit-owner:me")
	})
}

// Two components of a program divide the ports of one Conn among them.
func TestTwoComponents(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		c := dial(t, o, "me")
		component := func(prefix string) *desiredstate.Engine {
			ports := ovs.Ports(c, sockets(o))
			ports.Claims = func(k desiredstate.Key) bool { return strings.HasPrefix(k.Name, prefix) }
			e := desiredstate.New(ports)
			e.MaxPrune = 1
			return e
		}
		_, err := ovs.Bridges(c).Ensure(t.Context(), bridge("br0"))
		require.NoError(t, err)
		a, b := component("a-"), component("b-")
		both := make(chan error, 2)
		go func() { _, err := a.Sync(t.Context(), internal("a-1", "br0"), internal("a-2", "br0")); both <- err }()
		go func() { _, err := b.Sync(t.Context(), internal("b-1", "br0")); both <- err }()
		require.NoError(t, <-both)
		require.NoError(t, <-both)
		_, err = a.Ensure(t.Context(), internal("b-2", "br0"))
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		_, err = a.Sync(t.Context())
		require.NoError(t, err)
		require.Contains(t, o.String(), "port name=b-1")
		require.NotContains(t, o.String(), "port name=a-")
		_, err = ovs.Bridges(c).Remove(t.Context(), bridge("br0"))
		require.ErrorIs(t, err, desiredstate.ErrInUse)
	})
}

// nobodys makes a bridge that bears no mark.
func nobodys(o *ovstest.OVS, name string) {
	root := o.Transact(ovsdb.Operation{Op: "select", Table: "Open_vSwitch"})[0].Rows[0]["_uuid"]
	o.Transact(
		ovsdb.Operation{Op: "insert", Table: "Interface", UUIDName: "i", Row: ovsdb.Row{"name": name, "type": "internal"}},
		ovsdb.Operation{Op: "insert", Table: "Port", UUIDName: "p", Row: ovsdb.Row{"name": name, "interfaces": ovsdb.UUID{GoUUID: "i"}}},
		ovsdb.Operation{Op: "insert", Table: "Bridge", UUIDName: "b", Row: ovsdb.Row{"name": name, "datapath_type": "netdev", "ports": ovsdb.UUID{GoUUID: "p"}}},
		ovsdb.Operation{Op: "mutate", Table: "Open_vSwitch", Where: []ovsdb.Condition{ovsdb.NewCondition("_uuid", "==", root)}, Mutations: []ovsdb.Mutation{{Column: "bridges", Mutator: "insert", Value: ovsdb.UUID{GoUUID: "b"}}}},
	)
}

// bond makes a port of several interfaces.
func bond(o *ovstest.OVS, name, bridge string, members ...string) {
	var ops []ovsdb.Operation
	var ids []any
	for _, m := range members {
		ops = append(ops, ovsdb.Operation{Op: "insert", Table: "Interface", UUIDName: m, Row: ovsdb.Row{"name": m, "type": "internal"}})
		ids = append(ids, ovsdb.UUID{GoUUID: m})
	}
	o.Transact(append(ops,
		ovsdb.Operation{Op: "insert", Table: "Port", UUIDName: "p", Row: ovsdb.Row{"name": name, "interfaces": ovsdb.OvsSet{GoSet: ids}}},
		ovsdb.Operation{Op: "mutate", Table: "Bridge", Where: []ovsdb.Condition{ovsdb.NewCondition("name", "==", bridge)}, Mutations: []ovsdb.Mutation{{Column: "ports", Mutator: "insert", Value: ovsdb.UUID{GoUUID: "p"}}}},
	)...)
}
