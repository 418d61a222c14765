// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/socketpath"
)

// The types of ports that we make. Foreign ones have any.
const (
	Device          = ""                    // a network device that Linux has
	Internal        = "internal"            // one that OVS gives to Linux
	VhostUser       = "dpdkvhostuser"       // OVS listens, on a socket of the port's OVSName in its vhost-sock-dir; see WithRunDir
	VhostUserClient = "dpdkvhostuserclient" // OVS connects to Socket, again and again
)

const (
	maxVLAN     = 4094
	maxOVSName  = 64 // the path of its socket has room for
	socketOfOVS = "vhost-server-path"
)

// Port is a port of a bridge, with one interface.
type Port struct {
	Name string

	Bridge string // the name of the bridge, ours or not

	// OVSName is what OVS calls it: what Linux calls a Device, will call an Internal, at most
	// 15 bytes; and what a VhostUser's socket is called, at most 64. Empty: Name.
	OVSName string

	Type string // Device, Internal, VhostUser or VhostUserClient

	// Socket is the path of a VhostUserClient's socket: absolute, clean, of at most 107 bytes,
	// in a directory that was given to Ports. Others have none.
	Socket string

	// VLAN is the one that the port is an access port of. 0: it is a trunk of all.
	VLAN uint16
}

// PortKey is the key of a port. One that is not ours is named "owner/name", or by OVS's name,
// "ovs:eth0"; so is each interface of a bond.
func PortKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: "ovs-port", Name: name}
}

// Key is PortKey(p.Name).
func (p Port) Key() desiredstate.Key { return PortKey(p.Name) }

// Deps is the bridge.
func (p Port) Deps() []desiredstate.Key { return []desiredstate.Key{BridgeKey(p.Bridge)} }

// Validate checks all but the directory of the socket.
func (p Port) Validate() error {
	if err := CheckName(p.Name); err != nil {
		return err
	}
	if err := CheckRef("bridge", p.Bridge); err != nil {
		return err
	}
	limit := maxDevice
	switch p.Type {
	case Device, Internal:
	case VhostUser, VhostUserClient:
		limit = maxOVSName
	default:
		return fmt.Errorf("type %q: want %q, %q, or none for a device of Linux", p.Type, VhostUser, VhostUserClient)
	}
	if p.VLAN > maxVLAN {
		return fmt.Errorf("VLAN %d, want at most %d", p.VLAN, maxVLAN)
	}
	if p.Type != VhostUserClient && p.Socket != "" {
		return fmt.Errorf("socket %q: only a port of type %s has one", p.Socket, VhostUserClient)
	}
	if p.Type == VhostUserClient {
		if err := socketpath.Check(p.Socket); err != nil {
			return err
		}
	}
	return checkOVSName(p.ovs(), limit)
}

func (p Port) ovs() string { return cmp.Or(p.OVSName, p.Name) }

// Ports manages ports of bridges. The sockets that OVS connects to are in one of dirs, absolute
// paths as OVS sees them: one that would be elsewhere, by its path or by a symbolic link on the
// way, is refused. Whoever can write to one of dirs, or to a directory above it, is trusted.
//
// The VLAN changes in place, all else replaces.
func Ports(c *Conn, dirs ...string) *desiredstate.Kind[Port] {
	return &desiredstate.Kind[Port]{
		Target: c.target, Variant: strings.Join(dirs, "\x00"),
		Name:     "ovs-port",
		Requires: []desiredstate.AnyKind{Bridges(c)},
		Dump: func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[Port], error) {
			s, err := c.read(ctx)
			if err != nil {
				return nil, err
			}
			return c.ports(v, s), nil
		},
		Check: func(_ *desiredstate.View, p Port) error {
			if p.Type == VhostUserClient {
				if err := socketpath.Confine(dirs, p.Socket, false); err != nil {
					return err
				}
			}
			if p.Type == Device {
				return nil
			}
			err := known("interface", p.Type, c.InterfaceTypes())
			if err != nil && p.Type != Internal {
				err = fmt.Errorf("%w: it is built without DPDK, or other_config:dpdk-init is not set", err)
			}
			return err
		},
		Create: func(ctx context.Context, v *desiredstate.View, p Port) (uint32, error) {
			id, err := v.ID(BridgeKey(p.Bridge))
			if err != nil {
				return 0, err
			}
			return c.addPort(ctx, id, p)
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Port], want Port) error {
			return c.updatePort(ctx, have, want)
		},
		Adopt: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Port], want Port) error {
			return c.adopt(ctx, portTable, have.ID, want.Name)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Port]) error {
			return c.deletePort(ctx, have)
		},
		Fill: func(_ desiredstate.Actual[Port], want Port) Port {
			want.OVSName = want.ovs()
			return want
		},
		InPlace: func(have desiredstate.Actual[Port], want Port) bool {
			have.Spec.VLAN = want.VLAN
			return have.Spec == want && have.Broken != bonded
		},
		Disturbs: func(a desiredstate.Action, have desiredstate.Actual[Port], want Port) desiredstate.Disruption {
			if a == desiredstate.Update && have.Spec.VLAN == want.VLAN {
				return desiredstate.DisturbsNothing
			}
			return desiredstate.DisturbsTraffic
		},
		Holds: func(p Port) []desiredstate.Key {
			keys := []desiredstate.Key{deviceKey(p.ovs())}
			if p.Type == VhostUserClient {
				keys = append(keys, desiredstate.Key{Space: "ovs-vhost-socket", Name: p.Socket})
			}
			return keys
		},
	}
}

const bonded = "it has other interfaces"

// ports are all of a snapshot but the bridges' own.
func (c *Conn) ports(v *desiredstate.View, s snapshot) (out []desiredstate.Actual[Port]) {
	type seen struct {
		portRow
		bridge string
	}
	var all []seen
	for _, b := range s.bridges {
		bridge, ok := v.Name(BridgeKey("").Space, c.handles.of(b.UUID))
		if !ok {
			continue // made since
		}
		for _, p := range b.Ports {
			if row := s.ports[p]; row.Name != b.Name {
				all = append(all, seen{row, bridge})
			}
		}
	}
	slices.SortFunc(all, func(a, b seen) int { return strings.Compare(a.Name, b.Name) })
	rows := make([]named, len(all))
	for n, p := range all {
		rows[n] = named{p.ExternalIDs, p.Name}
	}
	for n, name := range c.names(rows) {
		p := all[n]
		i := s.interfaceOf(p.portRow)
		a := desiredstate.Actual[Port]{
			ID: c.handles.of(p.UUID), Foreign: name.foreign, Leftover: name.surplus, Broken: p.broken(i),
			Spec: Port{Name: name.name, Bridge: p.bridge, OVSName: p.Name, Type: i.Type, Socket: i.Options[socketOfOVS]},
		}
		if p.Tag != nil {
			a.Spec.VLAN = uint16(*p.Tag)
		}
		out = append(out, a)
		for _, uuid := range p.Interfaces { // of a bond
			if other := s.interfaces[uuid]; other.Name != p.Name {
				out = append(out, desiredstate.Actual[Port]{ID: c.handles.of(uuid), Foreign: true, Spec: Port{
					Name: Foreign(other.Name), Bridge: p.bridge, OVSName: other.Name, Type: other.Type, Socket: other.Options[socketOfOVS],
				}})
			}
		}
	}
	return out
}

// interfaceOf is the interface that a port of ours has, or any.
func (s snapshot) interfaceOf(p portRow) (i interfaceRow) {
	for _, uuid := range p.Interfaces {
		if i = s.interfaces[uuid]; i.Name == p.Name {
			break
		}
	}
	return i
}

// broken says why a port does not work as its Spec says.
func (p portRow) broken(i interfaceRow) string {
	switch {
	case len(p.Interfaces) != 1 || i.Name != p.Name:
		return bonded
	case p.VLANMode != nil:
		return "its vlan_mode is " + *p.VLANMode
	case len(p.Trunks) > 0:
		return fmt.Sprintf("its trunks are %d", p.Trunks)
	}
	return i.broken()
}

func (i interfaceRow) broken() string {
	switch {
	case i.Error != nil:
		return *i.Error
	case i.OFPort == nil || *i.OFPort < 0:
		return "ovs-vswitchd does not have it"
	}
	return ""
}

// vlan is what a Port row says of the VLAN.
func (p Port) vlan() ovsdb.OvsSet {
	if p.VLAN == 0 {
		return set[int]()
	}
	return set(int(p.VLAN))
}

func (c *Conn) addPort(ctx context.Context, bridge uint32, p Port) (uint32, error) {
	what := "add port " + p.ovs()
	gone := &Error{What: what, Err: fmt.Errorf("%w: bridge %s has gone", desiredstate.ErrChanged, p.Bridge)}
	on, ok := c.handles.uuid(bridge)
	if !ok {
		return 0, gone
	}
	c.clearSocket(p)
	device := ovsdb.Row{"name": p.ovs(), "type": p.Type}
	if p.Socket != "" {
		device["options"] = dict(map[string]string{socketOfOVS: p.Socket})
	}
	results, err := c.write(ctx, what,
		insert(interfaceTable, "interface", device),
		insert(portTable, "port", ovsdb.Row{"name": p.ovs(), "interfaces": refs("interface"), "tag": p.vlan(), "external_ids": dict(c.mark(p.Name))}),
		mutate(bridgeTable, "ports", ovsdb.MutateOperationInsert, refs("port"), is(on)))
	if err != nil {
		return 0, err
	}
	if results[2].Count == 0 { // and what nothing leads to is not there
		return 0, gone
	}
	id := c.handles.of(results[1].UUID.GoUUID)
	if err := c.interfaceWorks(ctx, what, results[0].UUID.GoUUID); err != nil {
		return 0, c.undo(ctx, err, func(ctx context.Context) error {
			return c.deletePort(ctx, desiredstate.Actual[Port]{ID: id, Spec: p})
		})
	}
	return id, nil
}

// clearSocket removes what an ovs-vswitchd that died has left in the way of a VhostUser port.
func (c *Conn) clearSocket(p Port) {
	socket := c.VhostSocket(p.ovs())
	if p.Type != VhostUser || socket == "" {
		return
	}
	if f, err := os.Lstat(socket); err != nil || f.Mode().Type() != fs.ModeSocket {
		return
	}
	peer, err := net.Dial("unix", socket)
	if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(socket) // else ovs-vswitchd says that it is in the way
		return
	}
	if err == nil {
		_ = peer.Close()
	}
}

// interfaceWorks says what ovs-vswitchd has made of an interface.
func (c *Conn) interfaceWorks(ctx context.Context, what, uuid string) error {
	return c.works(ctx, what, func() (string, error) {
		i, ok, err := one[interfaceRow](ctx, c, interfaceTable, uuid)
		if err == nil && !ok {
			err = fmt.Errorf("%w: it has gone", desiredstate.ErrChanged)
		}
		return i.broken(), err
	})
}

func (c *Conn) updatePort(ctx context.Context, have desiredstate.Actual[Port], want Port) error {
	what := "update port " + have.Spec.OVSName
	gone := &Error{What: what, Err: fmt.Errorf("%w: it has gone, or is not ours any more", desiredstate.ErrChanged)}
	uuid, ok := c.handles.uuid(have.ID)
	if !ok {
		return gone
	}
	if have.Broken != "" {
		c.clearSocket(want)
	}
	results, err := c.write(ctx, what, ovsdb.Operation{
		Op: ovsdb.OperationUpdate, Table: portTable, Where: []ovsdb.Condition{is(uuid), c.ours()},
		Row: ovsdb.Row{"tag": want.vlan(), "vlan_mode": set[string](), "trunks": set[int]()},
	})
	if err != nil {
		return err
	}
	if results[0].Count == 0 {
		return gone
	}
	row, ok, err := one[portRow](ctx, c, portTable, uuid)
	if err != nil {
		return err
	}
	if !ok || len(row.Interfaces) == 0 {
		return gone
	}
	return c.interfaceWorks(ctx, what, row.Interfaces[0])
}

func (c *Conn) deletePort(ctx context.Context, have desiredstate.Actual[Port]) error {
	what := "delete port " + have.Spec.ovs()
	uuid, ok := c.handles.uuid(have.ID)
	if !ok {
		return nil
	}
	_, err := c.write(ctx, what,
		expect(portTable, ovsdb.Row{"name": have.Spec.ovs()}, is(uuid), c.ours()),
		mutate(bridgeTable, "ports", ovsdb.MutateOperationDelete, refs(uuid), has("ports", uuid)))
	var late *ovsdb.TimedOut // it is not as expected
	if !errors.As(err, &late) {
		return err
	}
	if _, ok, err := one[portRow](ctx, c, portTable, uuid); err != nil || !ok {
		return err
	}
	return &Error{What: what, Err: fmt.Errorf("%w: it is not ours any more", desiredstate.ErrChanged)}
}
