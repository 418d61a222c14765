// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/gre"
	"go.fd.io/govpp/binapi/tunnel_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
)

// GRETunnel carries IP packets, Ethernet frames or mirrored frames to one other end. The zero
// Type is of packets, IPv4 and IPv6.
type GRETunnel struct {
	Name     string
	Src, Dst netip.Addr // of VPP, and of the other end; both IPv4 or both IPv6
	Table    string     // where Dst is looked up, and Src is; "": the default table
	Type     GREType
	Session  uint16 // of ERSPAN, 0 to 1023
	MAC      MAC    // of VPP's end, if Type is not GREPackets; zero: made of owner and name, see Conn.MAC
}

// GREType is what a GRE tunnel carries.
type GREType uint8

// A Mirror to a GREMirror tunnel is ERSPAN, of type II.
const (
	GREPackets GREType = iota // IP
	GREFrames                 // Ethernet, bridged or not (TEB)
	GREMirror                 // copies of frames (ERSPAN)
)

// Key is InterfaceKey(t.Name).
func (t GRETunnel) Key() desiredstate.Key { return InterfaceKey(t.Name) }

// Deps lists the table.
func (t GRETunnel) Deps() []desiredstate.Key { return tableDeps(t.Table) }

// Validate checks names, addresses, type, session and MAC.
func (t GRETunnel) Validate() error {
	if err := cmp.Or(CheckName(t.Name), checkEnds(t.Src, t.Dst), checkTable(t.Table)); err != nil {
		return err
	}
	switch {
	case t.Dst.IsMulticast():
		return fmt.Errorf("destination %s is a multicast address", t.Dst)
	case t.Type > GREMirror:
		return fmt.Errorf("type %d, want GREPackets, GREFrames or GREMirror", t.Type)
	case t.Session > 1023:
		return fmt.Errorf("session %d, want 0 to 1023", t.Session)
	case t.Session != 0 && t.Type != GREMirror:
		return errors.New("only GREMirror has sessions")
	case t.Type == GREPackets && !t.MAC.IsZero():
		return errors.New("a tunnel of packets has no MAC")
	}
	return t.MAC.CheckUnicast()
}

// end is what VPP knows a tunnel by: only one can have it.
func (t GRETunnel) end() desiredstate.Key {
	return desiredstate.Key{Space: "gre", Name: fmt.Sprintf("table %q from %s to %s type %d session %d", t.Table, t.Src, t.Dst, t.Type, t.Session)}
}

// GRETunnels manages GRE tunnels to one other end (gre_tunnel_add_del), without keys; those that have one are others'.
// The MAC
// changes in place, all else replaces. The kind of tables, l3.Tables(c), is needed for
// tunnels in others than the default one. VPP itself gives both ends of a tunnel of frames
// the same MAC, if both are their VPP's first.
func GRETunnels(c *Conn, tables ...desiredstate.AnyKind) *desiredstate.Kind[GRETunnel] {
	k := gres{c, gre.NewServiceClient(c)}
	kind := Tagged(c, &desiredstate.Kind[GRETunnel]{
		Name:     "gre-tunnel",
		Requires: tables,
		Messages: slices.DeleteFunc(
			c.Uses(append(MACMessages(), &gre.GreTunnelAddDel{}, greDump(c))...),
			func(m string) bool { return strings.HasPrefix(m, "gre_tunnel_dump_") && strings.Contains(m, "_reply_") }, // that never comes, see dump
		),
		Dump: k.dump,
		Create: func(ctx context.Context, v *desiredstate.View, t GRETunnel) (id uint32, err error) {
			req, err := t.message(v)
			if err != nil {
				return 0, err
			}
			req.IsAdd = true
			for _, req.Tunnel.Instance = range c.Numbers(t.end().String()) {
				var r *gre.GreTunnelAddDelReply
				if r, err = k.vpp.GreTunnelAddDel(ctx, req); err == nil {
					return uint32(r.SwIfIndex), nil
				}
				if !errors.Is(err, api.INSTANCE_IN_USE) {
					break
				}
			}
			return 0, err
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[GRETunnel], want GRETunnel) error {
			return c.SetMAC(ctx, have.ID, c.pick(want.MAC, want.Name))
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[GRETunnel]) error {
			req, err := have.Spec.message(v)
			if err != nil {
				return err
			}
			_, err = k.vpp.GreTunnelAddDel(ctx, req)
			return Gone(err, api.NO_SUCH_ENTRY)
		},
		Fill: func(have desiredstate.Actual[GRETunnel], want GRETunnel) GRETunnel {
			if want.Type != GREPackets {
				want.MAC = c.fillMAC(have.Spec.MAC, want.MAC, have.Covered, want.Name)
			}
			return want
		},
		InPlace: func(have desiredstate.Actual[GRETunnel], want GRETunnel) bool {
			have.Spec.MAC = want.MAC
			return have.Spec == want
		},
		Holds: func(t GRETunnel) []desiredstate.Key { return []desiredstate.Key{t.end()} },
	}, Orphan[GRETunnel]{
		Mark: func(want GRETunnel) string { return want.end().Name },
		Marked: func(found GRETunnel, i Interface) (string, bool) {
			what := found.end()
			return what.Name, c.numbered(what.String(), numberIn(i.VPPName, "gre"))
		},
	})
	create := kind.Create
	kind.Create = func(ctx context.Context, v *desiredstate.View, t GRETunnel) (uint32, error) {
		id, err := create(ctx, v, t)
		if err == nil && t.Type != GREPackets {
			err = c.setMAC(ctx, id, c.pick(t.MAC, t.Name))
		}
		return id, err
	}
	return kind
}

type gres struct {
	c   *Conn
	vpp gre.RPCService
}

func (k gres) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[GRETunnel], err error) {
	all, err := Ask(ctx, k.c, greDump(k.c)) // the bindings wait for a reply that never comes
	for _, m := range all {
		var t gre.GreTunnelV2
		switch d := m.(type) {
		case *gre.GreTunnelDetailsV2:
			t = d.Tunnel
		case *gre.GreTunnelDetails:
			t = gre.GreTunnelV2{
				Type: d.Tunnel.Type, Mode: d.Tunnel.Mode, SessionID: d.Tunnel.SessionID, OuterTableID: d.Tunnel.OuterTableID, SwIfIndex: d.Tunnel.SwIfIndex,
				Src: d.Tunnel.Src, Dst: d.Tunnel.Dst,
			}
		}
		i, there := desiredstate.At[Interface](v, uint32(t.SwIfIndex))
		if !there || t.Mode != tunnel_types.TUNNEL_API_MODE_P2P || t.Key != 0 {
			continue // gone since, one to many, or one of which there may be many between two ends
		}
		mac, hidden := i.Spec.OwnMAC()
		out = append(out, desiredstate.Actual[GRETunnel]{ID: i.ID, Covered: hidden, Spec: GRETunnel{
			Name: i.Spec.Name, Src: inet.Read(t.Src), Dst: inet.Read(t.Dst), Table: tableName(v, t.OuterTableID),
			Type: GREType(t.Type), Session: t.SessionID, MAC: mac,
		}})
	}
	return out, err
}

// greDump asks for all tunnels, and for their keys where VPP knows of any (gre_tunnel_dump_v2, since 25.10).
func greDump(c *Conn) api.Message {
	if v2 := (&gre.GreTunnelDumpV2{SwIfIndex: allInterfaces}); len(usage.known(c, []api.Message{v2})) > 0 {
		return v2
	}
	return &gre.GreTunnelDump{SwIfIndex: allInterfaces}
}

// message unmakes a tunnel.
func (t GRETunnel) message(v *desiredstate.View) (*gre.GreTunnelAddDel, error) {
	table, err := tableID(v, t.Table)
	return &gre.GreTunnelAddDel{Tunnel: gre.GreTunnel{
		Type: gre.GreTunnelType(t.Type), SessionID: t.Session, OuterTableID: table, Src: inet.Address(t.Src), Dst: inet.Address(t.Dst),
	}}, err
}
