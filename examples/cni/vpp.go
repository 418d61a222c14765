// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/vppkit/vppkit/binapi"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

// vpp is the data plane VPP.
type vpp struct{ conn *vppnet.Conn }

// socketOf is VPP's API socket.
func socketOf(c *netconf.Conf) string {
	return cmp.Or(c.VPPSocket, os.Getenv("VPPKIT_API_SOCKET"), "/run/vpp/api.sock")
}

func dialVPP(ctx context.Context, socket string) (plane, error) {
	conn, err := vppnet.Dial(ctx, socket, owner, vppnet.WithLostAfter(time.Second),
		vppnet.WithTrace(func(t vppnet.Trace) { step("vpp " + t.String()) }))
	return vpp{conn}, err
}

// followVPP calls use with one VPP after the other.
func followVPP(ctx context.Context, socket string, use func(context.Context, plane) error, report func(error, time.Duration)) error {
	return vppnet.Follow(ctx, socket, owner, func(ctx context.Context, c *vppnet.Conn) error {
		slog.Info("connected", "vpp", c.VPP())
		return use(ctx, vpp{c})
	}, vppnet.WithReport(report))
}

func (v vpp) kinds(dirs []string, claims func(desiredstate.Key) bool) []desiredstate.AnyKind {
	c := v.conn
	ranges := l3.ProxyARPRanges(c, l3.ClaimTables(func(name string) bool { return name == l3.DefaultTable }))
	ranges.Claims = claims
	routes := func(table string, p netip.Prefix) bool {
		return (table == "" || table == l3.DefaultTable) && p.IsSingleIP() && claims(l3.RouteKey("", p))
	}
	return []desiredstate.AnyKind{
		vppnet.MemifSockets(c, dirs...), vppnet.Memifs(c), vhost.Ports(c, dirs...), vppnet.LinkStates(c),
		vppnet.BridgeDomains(c), vppnet.BridgePorts(c),
		vppnet.Loopbacks(c), l3.Addresses(c), l3.Unnumbereds(c), ipv6Links(c), l3.Routes(c, routes), l3.ProxyARPs(c), ranges,
	}
}

func (v vpp) ready(context.Context) error {
	if r := binapi.Check(v.conn, v.kinds(nil, everything)...); !r.OK() {
		return errors.New(r.String())
	}
	return nil
}

func (v vpp) port(ctx context.Context, e *desiredstate.Engine, a *Attachment) (p Port, err error) {
	all, err := desiredstate.List[vppnet.Interface](ctx, e)
	if err != nil {
		return p, err
	}
	for _, i := range all {
		if i.Spec.Name != a.Name() {
			continue
		}
		p.MTU = int(i.Spec.MTU)
		if !i.Spec.MAC.IsZero() {
			p.MAC = i.Spec.MAC.String()
		}
		return p, nil
	}
	return p, fmt.Errorf("interface %s is gone again", a.Name())
}

// VPP's sockets are where the container looks for them.
func (vpp) lend(*Attachment) error { return nil }
func (vpp) lent(*Attachment) error { return nil }

func (v vpp) Close() error { return v.conn.Close() }
