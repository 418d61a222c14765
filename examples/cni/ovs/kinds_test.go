// SPDX-License-Identifier: Apache-2.0

package ovs_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

func TestValidate(t *testing.T) {
	long := strings.Repeat("x", 200)
	bridge := ovs.Bridge{Name: "br0", Datapath: ovs.Netdev}
	require.NoError(t, bridge.Validate())
	require.NoError(t, ovs.Bridge{Name: "a-name-of-more-than-15", OVSName: "br0"}.Validate())
	for what, spoil := range map[string]func(*ovs.Bridge){
		"no name":        func(b *ovs.Bridge) { b.Name = "" },
		"long":           func(b *ovs.Bridge) { b.Name, b.OVSName = long, "br0" },
		"no room":        func(b *ovs.Bridge) { b.Name = "a-name-of-more-than-15" },
		"slash":          func(b *ovs.Bridge) { b.Name = "a/b" },
		"foreign":        func(b *ovs.Bridge) { b.Name = "ovs:br0" },
		"surplus":        func(b *ovs.Bridge) { b.Name = "a~b" },
		"space":          func(b *ovs.Bridge) { b.OVSName = "a b" },
		"colon":          func(b *ovs.Bridge) { b.OVSName = "a:b" },
		"file":           func(b *ovs.Bridge) { b.OVSName = ".." },
		"other datapath": func(b *ovs.Bridge) { b.Datapath = "dummy" },
	} {
		bad := bridge
		spoil(&bad)
		require.Error(t, bad.Validate(), what)
	}
	port := ovs.Port{Name: "p", Bridge: "br0", Type: ovs.VhostUserClient, Socket: "/run/vms/p", VLAN: 4094}
	require.NoError(t, port.Validate())
	for what, spoil := range map[string]func(*ovs.Port){
		"no name":         func(p *ovs.Port) { p.Name = "" },
		"no bridge":       func(p *ovs.Port) { p.Bridge = "" },
		"nobody's bridge": func(p *ovs.Port) { p.Bridge = "ovs:" },
		"odd bridge":      func(p *ovs.Port) { p.Bridge = "a/b/c" },
		"long bridge":     func(p *ovs.Port) { p.Bridge = "ovs:" + long },
		"type":            func(p *ovs.Port) { p.Type = "gre" },
		"VLAN":            func(p *ovs.Port) { p.VLAN = 4095 },
		"no socket":       func(p *ovs.Port) { p.Socket = "" },
		"up":              func(p *ovs.Port) { p.Socket = "/run/vms/../p" },
		"relative":        func(p *ovs.Port) { p.Socket = "p" },
		"a socket of OVS": func(p *ovs.Port) { p.Type = ovs.VhostUser },
		"long device":     func(p *ovs.Port) { p.Type, p.Socket, p.OVSName = ovs.Internal, "", "a-name-of-more-than-15" },
		"long socket":     func(p *ovs.Port) { p.Type, p.Socket, p.OVSName = ovs.VhostUser, "", long[:65] },
		"up, by name":     func(p *ovs.Port) { p.Type, p.Socket, p.OVSName = ovs.VhostUser, "", "../p" },
	} {
		bad := port
		spoil(&bad)
		require.Error(t, bad.Validate(), what)
	}
}

// engine is one with all kinds.
func engine(o *ovstest.OVS, c *ovs.Conn) *desiredstate.Engine {
	return desiredstate.New(ovs.Bridges(c), ovs.Ports(c, sockets(o)))
}

func bridge(name string) ovs.Bridge { return ovs.Bridge{Name: name, Datapath: ovs.Netdev} }

func internal(name, bridge string) ovs.Port {
	return ovs.Port{Name: name, Bridge: bridge, Type: ovs.Internal}
}

// What ovs-vswitchd cannot make is an error, and not there.
func TestRefusedBySwitch(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		e := engine(o, dial(t, o, "me"))
		_, err := e.Ensure(t.Context(), bridge("br0"))
		require.NoError(t, err)
		before := o.String()
		_, err = e.Ensure(t.Context(), ovs.Port{Name: "nodevice", Bridge: "br0"}, internal("good", "br0"))
		require.ErrorContains(t, err, "create ovs-port/nodevice: add port nodevice: ovs-vswitchd: could not open network device nodevice (No such device)")
		_, err = e.Remove(t.Context(), ovs.PortKey("good"), ovs.PortKey("nodevice"))
		require.NoError(t, err)
		require.Equal(t, before, o.String())
	})
}

// What is refused is so before anything is sent.
func TestRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		// Somebody's, without any mark; a bond among them.
		by := dial(t, o, "other")
		_, err := engine(o, by).Ensure(t.Context(), ovs.Bridge{Name: "b", OVSName: "brx", Datapath: ovs.Netdev}, ovs.Port{Name: "p", Bridge: "b", OVSName: "px", Type: ovs.Internal})
		require.NoError(t, err)
		nobodys(o, "br-int")
		bond(o, "bond0", "br-int", "m1", "m2")
		before, writes := o.String(), o.Writes()
		e := engine(o, dial(t, o, "me"))
		for name, want := range map[string]desiredstate.Object{
			"another owner's name":  bridge("brx"),
			"a bridge's name":       bridge("br-int"),
			"a port's name":         bridge("px"),
			"a bond's member":       internal("m1", "ovs:br-int"),
			"a bond":                internal("bond0", "other/b"),
			"another owner's port":  internal("px", "other/b"),
			"by OVS's name":         ovs.Port{Name: "mine", OVSName: "px", Bridge: "other/b", Type: ovs.Internal},
			"a bridge's own port":   internal("br-int", "other/b"),
			"out of the directory":  ovs.Port{Name: "v", Bridge: "other/b", Type: ovs.VhostUserClient, Socket: "/etc/v"},
			"bridge by other names": internal("q", "brx"),
		} {
			_, err := e.Ensure(t.Context(), want)
			require.Error(t, err, name)
			require.True(t, isOne(err, desiredstate.ErrForeign, desiredstate.ErrInvalid, desiredstate.ErrMissing), "%s: %v", name, err)
		}
		require.Equal(t, writes, o.Writes())
		require.Equal(t, before, o.String())

		// But it may be referred to.
		_, err = e.Ensure(t.Context(), internal("mine", "other/b"), internal("mine2", "ovs:br-int"))
		require.NoError(t, err)
		_, err = engine(o, by).Remove(t.Context(), ovs.BridgeKey("b"), ovs.PortKey("p"))
		require.ErrorIs(t, err, desiredstate.ErrInUse) // as mine is on it
		require.Contains(t, o.String(), "port name=mine ")
		_, err = e.Remove(t.Context(), ovs.PortKey("mine"), ovs.PortKey("mine2"))
		require.NoError(t, err)
		_, err = engine(o, by).Remove(t.Context(), ovs.BridgeKey("b"))
		require.NoError(t, err)
		require.NotContains(t, o.String(), "brx")
	})
}

func isOne(err error, of ...error) bool {
	for _, e := range of {
		if strings.Contains(err.Error(), e.Error()) {
			return true
		}
	}
	return false
}

// A bridge whose port came after the engine last looked is still in use.
func TestInUseUnseen(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		e := engine(o, dial(t, o, "me"))
		_, err := e.Ensure(t.Context(), bridge("br0"))
		require.NoError(t, err)
		_, err = engine(o, dial(t, o, "other")).Ensure(t.Context(), internal("theirs", "me/br0"))
		require.NoError(t, err)
		_, err = e.Remove(t.Context(), ovs.BridgeKey("br0"))
		require.ErrorContains(t, err, "delete bridge br0: in use: on it are theirs")
		require.ErrorIs(t, err, desiredstate.ErrInUse)
		require.Contains(t, o.String(), "port name=theirs")
	})
}

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
