// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"github.com/vppkit/vppkit/desiredstate"
)

// The datapaths of bridges.
const (
	System = "system" // Linux's, of OVS's kernel module
	Netdev = "netdev" // ovs-vswitchd's own, in user space: what DPDK needs
)

// maxDevice is what Linux takes as the name of a network device.
const maxDevice = 15

// Bridge is an Ethernet switch.
type Bridge struct {
	Name string

	// OVSName is what OVS calls it, and Linux the bridge's own port: at most 15 bytes.
	// Empty: Name.
	OVSName string

	Datapath string // System or Netdev; empty: System
}

// BridgeKey is the key of a bridge. One that is not ours is named "owner/name", or by OVS's
// name, "ovs:br-int".
func BridgeKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: "ovs-bridge", Name: name}
}

// Key is BridgeKey(b.Name).
func (b Bridge) Key() desiredstate.Key { return BridgeKey(b.Name) }

// Deps is empty.
func (b Bridge) Deps() []desiredstate.Key { return nil }

// Validate checks names and datapath.
func (b Bridge) Validate() error {
	if err := CheckName(b.Name); err != nil {
		return err
	}
	if b.Datapath != "" && b.Datapath != System && b.Datapath != Netdev {
		return fmt.Errorf("datapath %q: want %q or %q", b.Datapath, System, Netdev)
	}
	return checkOVSName(b.ovs(), maxDevice)
}

// ovs is OVS's name of a bridge that is wanted.
func (b Bridge) ovs() string { return cmp.Or(b.OVSName, b.Name) }

// Bridges manages bridges. The datapath changes in place, which makes all of the bridge's
// ports anew; another OVSName replaces. A bridge goes only when nobody has a port on it.
func Bridges(c *Conn) *desiredstate.Kind[Bridge] {
	return &desiredstate.Kind[Bridge]{
		Target: c.target,
		Name:   "ovs-bridge",
		Dump: func(ctx context.Context, _ *desiredstate.View) ([]desiredstate.Actual[Bridge], error) {
			s, err := c.read(ctx)
			if err != nil {
				return nil, err
			}
			out := make([]desiredstate.Actual[Bridge], 0, len(s.bridges))
			for n, name := range c.names(bridgesNamed(s.bridges)) {
				b := s.bridges[n]
				out = append(out, desiredstate.Actual[Bridge]{
					ID: c.handles.of(b.UUID), Foreign: name.foreign, Leftover: name.surplus, Broken: b.broken(s),
					Spec: Bridge{Name: name.name, OVSName: b.Name, Datapath: cmp.Or(b.DatapathType, System)},
				})
			}
			return out, nil
		},
		Check: func(_ *desiredstate.View, b Bridge) error {
			return known("datapath", cmp.Or(b.Datapath, System), c.DatapathTypes())
		},
		Create: func(ctx context.Context, _ *desiredstate.View, b Bridge) (uint32, error) {
			return c.addBridge(ctx, b)
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Bridge], want Bridge) error {
			return c.updateBridge(ctx, have, want)
		},
		Adopt: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Bridge], want Bridge) error {
			return c.adopt(ctx, bridgeTable, have.ID, want.Name)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Bridge]) error {
			return c.deleteBridge(ctx, have)
		},
		Fill: func(_ desiredstate.Actual[Bridge], want Bridge) Bridge {
			want.OVSName = want.ovs()
			want.Datapath = cmp.Or(want.Datapath, System)
			return want
		},
		InPlace: func(have desiredstate.Actual[Bridge], want Bridge) bool { return have.Spec.OVSName == want.OVSName },
		Disturbs: func(a desiredstate.Action, have desiredstate.Actual[Bridge], want Bridge) desiredstate.Disruption {
			if a == desiredstate.Update && have.Spec.Datapath == want.Datapath {
				return desiredstate.DisturbsNothing
			}
			return desiredstate.DisturbsTraffic
		},
		Holds: func(b Bridge) []desiredstate.Key { return []desiredstate.Key{deviceKey(b.ovs())} },
	}
}

// deviceKey is what only one port or bridge can have: OVS's name, as a bridge has a port of
// its name.
func deviceKey(ovs string) desiredstate.Key { return desiredstate.Key{Space: "ovs-device", Name: ovs} }

func bridgesNamed(rows []bridgeRow) []named {
	out := make([]named, len(rows))
	for n, b := range rows {
		out[n] = named{b.ExternalIDs, b.Name}
	}
	return out
}

// broken says why a bridge does not work.
func (b bridgeRow) broken(s snapshot) string {
	own, ok := s.ownPort(b)
	switch {
	case !ok:
		return unported
	case b.DatapathID == nil:
		return "ovs-vswitchd does not have it"
	}
	return s.interfaceOf(own).broken()
}

const unported = "its own port is missing"

// ownPort is the one that has the bridge's name.
func (s snapshot) ownPort(b bridgeRow) (p portRow, ok bool) {
	for _, uuid := range b.Ports {
		if p = s.ports[uuid]; p.Name == b.Name {
			return p, true
		}
	}
	return portRow{}, false
}

// addBridge makes a bridge with its own port, as ovs-vsctl does.
func (c *Conn) addBridge(ctx context.Context, b Bridge) (uint32, error) {
	row := ovsdb.Row{"name": b.ovs(), "ports": refs("port"), "external_ids": dict(c.mark(b.Name)), "datapath_type": b.datapath()}
	what := "add bridge " + b.ovs()
	results, err := c.write(ctx, what, append(localPort(b.ovs()),
		insert(bridgeTable, "bridge", row),
		mutate(rootTable, "bridges", ovsdb.MutateOperationInsert, refs("bridge"), is(c.root)))...)
	if err != nil {
		return 0, err
	}
	id := c.handles.of(results[2].UUID.GoUUID)
	if err := c.bridgeWorks(ctx, what, results[2].UUID.GoUUID); err != nil {
		return 0, c.undo(ctx, err, func(ctx context.Context) error {
			return c.deleteBridge(ctx, desiredstate.Actual[Bridge]{ID: id, Spec: b})
		})
	}
	return id, nil
}

// datapath is what the database has for it: nothing, if it is the default.
func (b Bridge) datapath() string {
	if b.Datapath == System {
		return ""
	}
	return b.Datapath
}

// localPort makes a bridge's own port, "port" in the transaction.
func localPort(bridge string) []ovsdb.Operation {
	return []ovsdb.Operation{
		insert(interfaceTable, "interface", ovsdb.Row{"name": bridge, "type": Internal}),
		insert(portTable, "port", ovsdb.Row{"name": bridge, "interfaces": refs("interface")}),
	}
}

// bridgeWorks says what ovs-vswitchd has made of a bridge.
func (c *Conn) bridgeWorks(ctx context.Context, what, uuid string) error {
	return c.works(ctx, what, func() (string, error) {
		s, err := c.read(ctx)
		if err != nil {
			return "", err
		}
		for _, b := range s.bridges {
			switch {
			case b.UUID != uuid:
			case b.DatapathID == nil:
				return fmt.Sprintf("cannot make it, see its log: is there a datapath %q?", cmp.Or(b.DatapathType, System)), nil
			default:
				return b.broken(s), nil
			}
		}
		return "", fmt.Errorf("%w: it has gone", desiredstate.ErrChanged)
	})
}

func (c *Conn) updateBridge(ctx context.Context, have desiredstate.Actual[Bridge], want Bridge) error {
	what := "update bridge " + have.Spec.OVSName
	uuid, ok := c.handles.uuid(have.ID)
	if !ok {
		return &Error{What: what, Err: fmt.Errorf("%w: it has gone", desiredstate.ErrChanged)}
	}
	ops := []ovsdb.Operation{{
		Op: ovsdb.OperationUpdate, Table: bridgeTable, Where: []ovsdb.Condition{is(uuid), c.ours()},
		Row: ovsdb.Row{"datapath_type": want.datapath()},
	}}
	if have.Broken == unported {
		ops = append(append(ops, localPort(have.Spec.OVSName)...),
			mutate(bridgeTable, "ports", ovsdb.MutateOperationInsert, refs("port"), is(uuid), c.ours()))
	}
	results, err := c.write(ctx, what, ops...)
	if err != nil {
		return err
	}
	if results[0].Count == 0 {
		return &Error{What: what, Err: fmt.Errorf("%w: it has gone, or is not ours any more", desiredstate.ErrChanged)}
	}
	return c.bridgeWorks(ctx, what, uuid)
}

// deleteBridge removes a bridge that has no port but its own: with it ovsdb-server would
// remove those of others.
func (c *Conn) deleteBridge(ctx context.Context, have desiredstate.Actual[Bridge]) error {
	what := "delete bridge " + have.Spec.OVSName
	for try := 1; ; try++ {
		uuid, ok := c.handles.uuid(have.ID)
		if !ok {
			return nil
		}
		s, err := c.read(ctx)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(s.bridges, func(b bridgeRow) bool { return b.UUID == uuid })
		if at < 0 {
			return nil
		}
		b := s.bridges[at]
		var others []string
		for _, p := range b.Ports {
			if name := s.ports[p].Name; name != b.Name {
				others = append(others, name)
			}
		}
		if len(others) > 0 {
			slices.Sort(others)
			return &Error{What: what, Err: fmt.Errorf("%w: on it are %s", desiredstate.ErrInUse, strings.Join(others, ", "))}
		}
		_, err = c.write(ctx, what,
			expect(bridgeTable, ovsdb.Row{"ports": refs(b.Ports...)}, is(uuid), c.ours()),
			mutate(rootTable, "bridges", ovsdb.MutateOperationDelete, refs(uuid), is(c.root)))
		var late *ovsdb.TimedOut // it is not as expected
		if !errors.As(err, &late) {
			return err
		}
		if b.ExternalIDs[ownerKey] != c.owner || try == 3 {
			return &Error{What: what, Err: fmt.Errorf("%w: it is not ours any more, or changes all the time", desiredstate.ErrChanged)}
		}
	}
}

// adopt marks a row as ours.
func (c *Conn) adopt(ctx context.Context, table string, id uint32, name string) error {
	what := "adopt " + strings.ToLower(table)
	uuid, ok := c.handles.uuid(id)
	if !ok {
		return &Error{What: what, Err: fmt.Errorf("%w: it has gone", desiredstate.ErrChanged)}
	}
	results, err := c.transact(ctx, what, c.remark(table, uuid, name))
	if err == nil && results[0].Count == 0 {
		err = &Error{What: what, Err: fmt.Errorf("%w: it has gone", desiredstate.ErrChanged)}
	}
	return err
}

// undo takes back what ovs-vswitchd could not make, whether ctx has ended or not.
func (c *Conn) undo(ctx context.Context, why error, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(why, f(ctx))
}

// known reports that ovs-vswitchd has said what types it can make, and this is not among them.
func known(what, typ string, types []string) error {
	if len(types) > 0 && !slices.Contains(types, typ) {
		return fmt.Errorf("ovs-vswitchd knows no %s of type %q, but %s", what, typ, strings.Join(types, ", "))
	}
	return nil
}
