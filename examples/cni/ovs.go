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
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"golang.org/x/sys/unix"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/examples/cni/ovs"
)

// ovsDPDK is the data plane OVS-DPDK. Its database outlives it: that it does not run says nothing
// of what it holds.
type ovsDPDK struct{ conn *ovs.Conn }

// ovsdbOf is OVSDB's socket.
func ovsdbOf(c *netconf.Conf) string {
	return strings.TrimPrefix(cmp.Or(c.OVSDB, os.Getenv("VPPKIT_OVSDB"), ovs.Socket), "unix:")
}

func dialOVS(ctx context.Context, socket string) (plane, error) {
	trace := ovs.WithTrace(func(what string) { step("ovs " + what) })
	conn, err := ovs.Dial(ctx, socket, owner, trace, ovs.WithRunDir(filepath.Dir(socket)))
	return ovsDPDK{conn}, err
}

// followOVS calls use with one connection to OVS's database after the other.
func followOVS(ctx context.Context, socket string, use func(context.Context, plane) error, report func(error, time.Duration)) error {
	return ovs.Follow(ctx, socket, owner, func(ctx context.Context, c *ovs.Conn) error {
		return use(ctx, ovsDPDK{c})
	}, ovs.WithReport(report), ovs.WithRunDir(filepath.Dir(socket)))
}

func (o ovsDPDK) kinds(dirs []string, _ func(desiredstate.Key) bool) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{ovs.Bridges(o.conn), ovs.Ports(o.conn, dirs...)}
}

func (o ovsDPDK) ready(ctx context.Context) error {
	if err := o.conn.Alive(ctx); err != nil {
		return err
	}
	if types := o.conn.InterfaceTypes(); !slices.Contains(types, ovs.VhostUserClient) {
		return errors.New("ovs-vswitchd has no vhost-user ports: it is built without DPDK, or other_config:dpdk-init is not set")
	}
	return nil
}

func (o ovsDPDK) objects(a *Attachment, found []desiredstate.Found) ([]desiredstate.Object, error) {
	host := a.Conf.Host
	if host.NetType != netconf.Bridge {
		return nil, types.NewError(types.ErrInvalidNetworkConfig, "host.netType is "+host.NetType, "a port of OVS is on a bridge: want bridge")
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

func (ovsDPDK) last(desiredstate.Object) bool { return false }

// leaving are also the bridges of ours that nobody has a port on then.
func (ovsDPDK) leaving(found []desiredstate.Found, these func(name string) bool) (keys, _ []desiredstate.Key, sockets []string) {
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
		keys = append(keys, f.Key)
		if p.Socket != "" {
			sockets = append(sockets, p.Socket)
		}
	}
	for _, f := range found {
		if b, ok := f.Spec.(ovs.Bridge); ok && !f.Foreign && !used[b.Name] {
			keys = append(keys, f.Key)
		}
	}
	return keys, nil, sockets
}

// port: OVS has no MAC and no MTU of a vhost-user port to tell.
func (ovsDPDK) port(context.Context, *desiredstate.Engine, *Attachment) (Port, error) {
	return Port{}, nil
}

// lend links the socket that OVS listens on to where the container was told that it is. OVS makes,
// and removes, its own one.
func (o ovsDPDK) lend(a *Attachment) error {
	if a.Conf.Host.Vhost.Mode != netconf.Server {
		return nil
	}
	own := o.conn.VhostSocket(a.Name())
	is, err := os.Lstat(own)
	if err != nil {
		return fmt.Errorf("OVS's socket: %w", err)
	}
	root, err := openDir(a.Dir())
	if err != nil {
		return err
	}
	defer root.Close()
	name := filepath.Base(a.Socket)
	if f, lent, err := node(root, name); err == nil {
		defer f.Close()
		switch {
		case os.SameFile(is, lent):
			return nil
		case lent.Mode().Type() != fs.ModeSocket:
			return fmt.Errorf("%s is in the way of a socket", a.Socket)
		case !closed(f):
			return fmt.Errorf("%w: %s is a socket that somebody listens on, another interface's or the container's: want another socketfile",
				desiredstate.ErrConflict, a.Socket)
		}
		if err := root.Remove(name); err != nil { // of an OVS that has died
			return err
		}
	}
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	step("link " + a.Socket)
	if err := unix.Linkat(unix.AT_FDCWD, own, int(dir.Fd()), name, 0); err != nil {
		return fmt.Errorf("the container's directory has to be on the file system of OVS's: %w", err)
	}
	return nil
}

func (o ovsDPDK) lent(a *Attachment) error {
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

func (o ovsDPDK) Close() error { return o.conn.Close() }
