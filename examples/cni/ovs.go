// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/examples/cni/ovs"
)

// ovsDPDK is the engine of OVS-DPDK. Its database outlives it: that it does not run says nothing
// of what it holds.
type ovsDPDK struct {
	conn   *ovs.Conn
	engine *desiredstate.Engine
}

// ovsdbOf is OVSDB's socket.
func ovsdbOf(c *netconf.Conf) string {
	return strings.TrimPrefix(cmp.Or(c.OVSDB, os.Getenv("VPPKIT_OVSDB"), ovs.Socket), "unix:")
}

func openOVS(ctx context.Context, c *netconf.Conf, dirs []string) (*ovsDPDK, error) {
	socket := ovsdbOf(c)
	trace := ovs.WithTrace(func(what string) { step("ovs " + what) })
	conn, err := ovs.Dial(ctx, socket, owner, trace, ovs.WithRunDir(filepath.Dir(socket)))
	if err != nil {
		return nil, err
	}
	o := &ovsDPDK{conn: conn}
	o.engine = desiredstate.New(ovs.Bridges(conn), ovs.Ports(conn, dirs...))
	o.engine.Observe = observe
	return o, nil
}

func (o *ovsDPDK) Close() error { return o.conn.Close() }

func (o *ovsDPDK) Ready(ctx context.Context) error {
	if err := o.conn.Alive(ctx); err != nil {
		return err
	}
	if types := o.conn.InterfaceTypes(); !slices.Contains(types, ovs.VhostUserClient) {
		return errors.New("ovs-vswitchd has no vhost-user ports: it is built without DPDK, or other_config:dpdk-init is not set")
	}
	return nil
}

func (o *ovsDPDK) Ensure(ctx context.Context, a *Attachment) (Port, error) {
	want, err := o.want(ctx, a)
	if err != nil {
		return Port{}, err
	}
	if _, err := o.engine.Ensure(ctx, want...); err != nil {
		return Port{}, err
	}
	return Port{}, o.lend(a)
}

// lend gives the container the socket that OVS listens on, under the name that it was told. OVS
// makes, and removes, its own one.
func (o *ovsDPDK) lend(a *Attachment) error {
	if a.Conf.Host.Vhost.Mode != netconf.Server {
		return nil
	}
	own := o.conn.VhostSocket(a.Name())
	is, err := os.Lstat(own)
	if err != nil {
		return fmt.Errorf("OVS's socket: %w", err)
	}
	if lent, err := os.Lstat(a.Socket); err == nil {
		if os.SameFile(is, lent) {
			return nil
		}
		if lent.Mode().Type() != fs.ModeSocket {
			return fmt.Errorf("%s is in the way of a socket", a.Socket)
		}
		if err := os.Remove(a.Socket); err != nil { // of an OVS that has died
			return err
		}
	}
	step("link " + a.Socket)
	if err := os.Link(own, a.Socket); err != nil {
		return fmt.Errorf("the container's directory has to be on the file system of OVS's: %w", err)
	}
	return nil
}

func (o *ovsDPDK) Check(ctx context.Context, a *Attachment) error {
	want, err := o.want(ctx, a)
	if err != nil {
		return err
	}
	p, err := o.engine.PlanEnsure(ctx, want...)
	if err != nil {
		return err
	}
	if !p.Empty() {
		return fmt.Errorf("OVS has it otherwise; to mend it would be:\n%s", strings.TrimSpace(p.String()))
	}
	if a.Conf.Host.Vhost.Mode != netconf.Server {
		return nil
	}
	is, err := os.Lstat(o.conn.VhostSocket(a.Name()))
	if err != nil {
		return err
	}
	lent, err := os.Lstat(a.Socket)
	if err != nil {
		return err
	}
	if !os.SameFile(is, lent) {
		return fmt.Errorf("%s is not the socket that OVS listens on", a.Socket)
	}
	return nil
}

// want is what OVS is to have for an attachment. The bridge is an operator's if there is one of
// its name that is not ours.
func (o *ovsDPDK) want(ctx context.Context, a *Attachment) ([]desiredstate.Object, error) {
	host := a.Conf.Host
	if host.NetType != netconf.Bridge {
		return nil, types.NewError(types.ErrInvalidNetworkConfig, "host.netType is "+host.NetType, "a port of OVS is on a bridge: want bridge")
	}
	found, err := o.engine.Found(ctx)
	if err != nil {
		return nil, err
	}
	b := ovs.Bridge{Name: cmp.Or(host.Bridge.BridgeName, "br0"), Datapath: ovs.Netdev}
	if host.Bridge.BridgeName == "" && host.Bridge.BridgeID != 0 {
		b.Name = fmt.Sprintf("br%d", host.Bridge.BridgeID)
	}
	p := ovs.Port{Name: a.Name(), Bridge: b.Name, Type: ovs.VhostUser, VLAN: host.Bridge.VLAN}
	if host.Vhost.Mode == netconf.Client {
		p.Type, p.Socket = ovs.VhostUserClient, a.Socket
	}
	for _, f := range found {
		if has, ok := f.Spec.(ovs.Bridge); ok && f.Foreign && has.OVSName == b.Name {
			p.Bridge = has.Name
			return []desiredstate.Object{p}, nil
		}
	}
	return []desiredstate.Object{b, p}, nil
}

func (o *ovsDPDK) Remove(ctx context.Context, a *Attachment) (string, error) {
	sockets, err := o.remove(ctx, func(name string) bool { return name == a.Name() })
	if len(sockets) == 0 {
		return "", err
	}
	return sockets[0], err
}

func (o *ovsDPDK) Sweep(ctx context.Context, network string, keep map[string]bool) ([]string, error) {
	return o.remove(ctx, func(name string) bool { return inNetwork(name, network) && !keep[name] })
}

// remove takes away these ports, and the bridges of ours that nobody has a port on then.
func (o *ovsDPDK) remove(ctx context.Context, these func(name string) bool) (sockets []string, err error) {
	o.engine.Forget()
	found, err := o.engine.Found(ctx)
	if err != nil {
		return nil, err
	}
	var ports, bridges []desiredstate.Key
	used := map[string]bool{}
	for _, f := range found {
		p, ok := f.Spec.(ovs.Port)
		if !ok {
			continue
		}
		if base, _, _ := strings.Cut(p.Name, "~"); f.Foreign || !these(base) {
			used[p.Bridge] = true
			continue
		}
		ports = append(ports, f.Key)
		if p.Socket != "" {
			sockets = append(sockets, p.Socket)
		}
	}
	for _, f := range found {
		if b, ok := f.Spec.(ovs.Bridge); ok && !f.Foreign && !used[b.Name] {
			bridges = append(bridges, f.Key)
		}
	}
	_, err = o.engine.Remove(ctx, append(ports, bridges...)...)
	if errors.Is(err, ovs.ErrIdle) { // gone from the database, so it never comes back
		o.engine.Forget()
		_, err = o.engine.Remove(ctx, append(ports, bridges...)...)
	}
	return sockets, err
}
