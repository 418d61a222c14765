// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vppkit/vppkit/binapi"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/cni/netconf"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

// vpp is the engine of VPP.
type vpp struct {
	conn   *vppnet.Conn
	kinds  []desiredstate.AnyKind
	engine *desiredstate.Engine
}

// socketOf is VPP's API socket.
func socketOf(c *netconf.Conf) string {
	return cmp.Or(c.VPPSocket, os.Getenv("VPPKIT_API_SOCKET"), "/run/vpp/api.sock")
}

func openVPP(ctx context.Context, c *netconf.Conf, absent time.Duration, dirs []string) (*vpp, error) {
	dial := func(ctx context.Context) (*vppnet.Conn, error) {
		return vppnet.Dial(ctx, socketOf(c), owner, vppnet.WithLostAfter(time.Second),
			vppnet.WithTrace(func(t vppnet.Trace) { step("vpp " + t.String()) }))
	}
	soon, cancel := context.WithTimeout(ctx, max(absent, 200*time.Millisecond))
	defer cancel()
	conn, err := dial(soon)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w: %w", errGone, err)
	}
	if err != nil && soon.Err() != nil { // somebody listens, and is busy
		conn, err = dial(ctx)
	}
	if err != nil {
		return nil, err
	}
	v := &vpp{conn: conn, kinds: kinds(conn, dirs, hostRoutes)}
	v.engine = desiredstate.New(v.kinds...)
	v.engine.Observe = observe
	return v, nil
}

// kinds are those of all that the plugin makes in VPP.
func kinds(c *vppnet.Conn, dirs []string, routes l3.RouteClaim) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		vppnet.MemifSockets(c, dirs...), vppnet.Memifs(c), vhost.Ports(c, dirs...), vppnet.LinkStates(c),
		vppnet.BridgeDomains(c), vppnet.BridgePorts(c),
		vppnet.Loopbacks(c), l3.Addresses(c), l3.Unnumbereds(c), l3.Routes(c, routes),
		l3.ProxyARPs(c), l3.ProxyARPRanges(c, l3.ClaimTables(func(name string) bool { return name == l3.DefaultTable })),
	}
}

func (v *vpp) Close() error { return v.conn.Close() }

func (v *vpp) Ready(context.Context) error {
	if r := binapi.Check(v.conn, v.kinds...); !r.OK() {
		return errors.New(r.String())
	}
	return nil
}

func (v *vpp) Ensure(ctx context.Context, a *Attachment) (Port, error) {
	want, err := v.want(ctx, a)
	if err != nil {
		return Port{}, err
	}
	// VPP does not show whose a range of proxy ARP is: the gateway, which is ours, tells of it.
	first := slices.DeleteFunc(slices.Clone(want), isRange)
	if _, err := v.engine.Ensure(ctx, first...); err != nil {
		return Port{}, err
	}
	if _, err := v.engine.Ensure(ctx, want...); err != nil {
		return Port{}, err
	}
	all, err := desiredstate.List[vppnet.Interface](ctx, v.engine)
	if err != nil {
		return Port{}, err
	}
	for _, i := range all {
		if i.Spec.Name == a.Name() {
			p := Port{MTU: int(i.Spec.MTU)}
			if !i.Spec.MAC.IsZero() {
				p.MAC = i.Spec.MAC.String()
			}
			return p, nil
		}
	}
	return Port{}, fmt.Errorf("interface %s is gone again", a.Name())
}

func (v *vpp) Check(ctx context.Context, a *Attachment) error {
	want, err := v.want(ctx, a)
	if err != nil {
		return err
	}
	p, err := v.engine.PlanEnsure(ctx, want...)
	if err != nil {
		return err
	}
	if !p.Empty() {
		return fmt.Errorf("VPP has it otherwise; to mend it would be:\n%s", strings.TrimSpace(p.String()))
	}
	return nil
}

// want is what VPP is to have for an attachment. The bridge domain is an operator's if there
// is one of its number that is not ours.
func (v *vpp) want(ctx context.Context, a *Attachment) ([]desiredstate.Object, error) {
	found, err := v.engine.Found(ctx)
	if err != nil {
		return nil, err
	}
	return objects(a, theirs(found))
}

func (v *vpp) Remove(ctx context.Context, a *Attachment) (string, error) {
	sockets, err := v.remove(ctx, func(name string) bool { return name == a.Name() })
	if len(sockets) == 0 {
		return "", err
	}
	return sockets[0], err
}

func (v *vpp) Sweep(ctx context.Context, network string, keep map[string]bool) ([]string, error) {
	return v.remove(ctx, func(name string) bool { return inNetwork(name, network) && !keep[name] })
}

// remove takes away these interfaces, and what then nobody needs: sockets without an
// interface, bridge domains without a port, gateways that nobody borrows of. Only one
// command at a time may be between making such a thing and using it; see lock.
func (v *vpp) remove(ctx context.Context, these func(name string) bool) (sockets []string, err error) {
	v.engine.Forget() // an ADD that failed knows only what it was told of
	found, err := v.engine.Found(ctx)
	if err != nil {
		return nil, err
	}
	keys, sockets := hangingOn(found, these)
	if _, err := v.engine.Remove(ctx, keys...); err != nil {
		return sockets, err
	}
	if found, err = v.engine.Found(ctx); err != nil {
		return sockets, err
	}
	ranges, rest := unneeded(found)
	if _, err = v.engine.Remove(ctx, ranges...); err == nil { // before the gateway that tells of them
		_, err = v.engine.Remove(ctx, rest...)
	}
	return sockets, err
}
