// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/vlib"
	"go.fd.io/govpp/binapi/vxlan"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
)

// VXLANTunnel carries Ethernet frames, or IP packets, over IP to one other end, or to all that
// listen to a multicast group.
type VXLANTunnel struct {
	Name     string
	Src, Dst netip.Addr // of VPP, and of the other end or the group; both IPv4 or both IPv6
	Table    string     // where Dst is looked up, and Src is; "": the default table
	Group    string     // the interface that the group is on; "" if Dst is none
	VNI      uint32     // 0 to 16777215

	LocalPort  uint16 // UDP port that VPP listens on, for ever, whatever becomes of the tunnel; 0: 4789
	RemotePort uint16 // UDP port that packets go to; 0: 4789

	Payload Payload
}

// Payload is what a tunnel carries.
type Payload uint8

// Of IPv4 and IPv6 a tunnel takes in only the one that it is for.
const (
	Frames   Payload = iota // Ethernet
	Packets4                // IPv4, without Ethernet
	Packets6                // IPv6, without Ethernet
	otherPayload
)

const vxlanPort = 4789

// Key is InterfaceKey(t.Name).
func (t VXLANTunnel) Key() desiredstate.Key { return InterfaceKey(t.Name) }

// Deps lists the table and the group's interface.
func (t VXLANTunnel) Deps() []desiredstate.Key {
	deps := tableDeps(t.Table)
	if t.Group != "" {
		deps = append(deps, InterfaceKey(t.Group))
	}
	return deps
}

// Validate checks names, addresses, VNI, port and payload.
func (t VXLANTunnel) Validate() error {
	if err := cmp.Or(CheckName(t.Name), checkEnds(t.Src, t.Dst), checkTable(t.Table), checkRefs("interface of the group", t.Group)); err != nil {
		return err
	}
	switch {
	case t.Dst.IsMulticast() && t.Group == "":
		return fmt.Errorf("destination %s is a multicast group: want the interface that it is on", t.Dst)
	case !t.Dst.IsMulticast() && t.Group != "":
		return fmt.Errorf("destination %s is no multicast group: want no interface of one", t.Dst)
	case t.Group != "" && t.Table != "":
		return fmt.Errorf("group %s in table %s: want a group in the default table alone; VPP takes another table's place in its list for one in the list of those for multicast, and dies if there is none",
			t.Dst, t.Table)
	case t.Group == t.Name:
		return errors.New("tunnel is on itself")
	case t.VNI >= 1<<24:
		return fmt.Errorf("VNI %d, want less than %d", t.VNI, 1<<24)
	case t.Payload >= otherPayload:
		return fmt.Errorf("payload %d, want Frames, Packets4 or Packets6", t.Payload)
	}
	return CheckUDPPort(t.LocalPort)
}

// withPorts has the ports that VPP shows.
func (t VXLANTunnel) withPorts() VXLANTunnel {
	if t.LocalPort == 0 {
		t.LocalPort = vxlanPort
	}
	if t.RemotePort == 0 {
		t.RemotePort = vxlanPort
	}
	return t
}

// end is what VPP knows a tunnel by: only one can have it.
func (t VXLANTunnel) end() desiredstate.Key {
	from := t.Src.String()
	if t.Dst.Is6() || t.Dst.IsMulticast() {
		from = "any"
	}
	return desiredstate.Key{Space: "vxlan", Name: fmt.Sprintf("table %q from %s port %d to %s VNI %d", t.Table, from, t.withPorts().LocalPort, t.Dst, t.VNI)}
}

// VXLANTunnels manages VXLAN tunnels (vxlan_add_del_tunnel_v3). All that changes replaces.
// The kind of tables, l3.Tables(c), is needed for tunnels in others than the default one.
//
// Of IPv6, VPP tells tunnels apart by Dst and not by Src. All tunnels to one group are sent
// through the interface of the first, so one with another is refused: VPP 25.10 dies when such
// a one goes. A group is in the default table, or VPP can die when it comes. VPP makes tunnels up, and keeps on listening on their
// ports. One at the port of a WireGuard interface would be deaf, and is refused.
func VXLANTunnels(c *Conn, tables ...desiredstate.AnyKind) *desiredstate.Kind[VXLANTunnel] {
	k := vxlans{c, vxlan.NewServiceClient(c), UDPListeners(c, false)}
	return Tagged(c, &desiredstate.Kind[VXLANTunnel]{
		Name:     "vxlan-tunnel",
		Requires: tables,
		Messages: c.Uses(&vxlan.VxlanAddDelTunnelV3{}, &vxlan.VxlanTunnelV2Dump{}, &vlib.GetNextIndex{}, &vlib.AddNodeNext{}),
		Dump:     k.dump,
		Foresee:  k.foresee,
		Create:   k.create,
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[VXLANTunnel]) error {
			req, err := k.message(v, have.Spec)
			if err != nil {
				return err
			}
			_, err = k.vpp.VxlanAddDelTunnelV3(ctx, req)
			return Gone(err, api.NO_SUCH_ENTRY)
		},
		Fill:   func(_ desiredstate.Actual[VXLANTunnel], want VXLANTunnel) VXLANTunnel { return want.withPorts() },
		Holds:  func(t VXLANTunnel) []desiredstate.Key { return []desiredstate.Key{t.end()} },
		Shares: func(t VXLANTunnel) []desiredstate.Key { return []desiredstate.Key{UDPPortKey(t.withPorts().LocalPort)} },
	}, Orphan[VXLANTunnel]{
		Up:   true,
		Mark: func(want VXLANTunnel) string { return want.end().Name },
		Marked: func(found VXLANTunnel, i Interface) (string, bool) {
			what := found.end()
			return what.Name, c.numbered(what.String(), numberIn(i.VPPName, "vxlan_tunnel"))
		},
	})
}

type vxlans struct {
	c     *Conn
	vpp   vxlan.RPCService
	taken func(context.Context, ...uint16) error
}

func (k vxlans) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[VXLANTunnel], err error) {
	all, err := Collect(k.vpp.VxlanTunnelV2Dump(ctx, &vxlan.VxlanTunnelV2Dump{SwIfIndex: allInterfaces}))
	if err != nil {
		return nil, err
	}
	payloads, err := k.payloads(ctx, all)
	for _, d := range all {
		i, ok := desiredstate.At[Interface](v, uint32(d.SwIfIndex))
		if !ok {
			continue // gone since
		}
		t := VXLANTunnel{
			Name: i.Spec.Name, Src: inet.Read(d.SrcAddress), Dst: inet.Read(d.DstAddress), Table: tableName(v, d.EncapVrfID),
			VNI: d.Vni, LocalPort: d.SrcPort, RemotePort: d.DstPort, Payload: otherPayload,
		}
		if p, ok := payloads[way{vxlanInput(t.Src), d.DecapNextIndex}]; ok && (p == Frames) != i.Spec.MAC.IsZero() {
			t.Payload = p
		}
		if t.Dst.IsMulticast() {
			g, _ := desiredstate.At[Interface](v, uint32(d.McastSwIfIndex))
			t.Group = g.Spec.Name
		}
		out = append(out, desiredstate.Actual[VXLANTunnel]{ID: i.ID, Spec: t})
	}
	return out, err
}

// way is where packets go to from a node.
type way struct {
	node string
	next uint32
}

func vxlanInput(src netip.Addr) string {
	if src.Is4() {
		return "vxlan4-input"
	}
	return "vxlan6-input"
}

// inputs are the nodes that take packets without Ethernet.
var inputs = map[Payload]string{Packets4: "ip4-input", Packets6: "ip6-input"}

const toL2 = 1 // the way of frames, in both nodes

// payloads says what tunnels carry whose packets go these ways.
func (k vxlans) payloads(ctx context.Context, all []*vxlan.VxlanTunnelV2Details) (map[way]Payload, error) {
	out := map[way]Payload{{"vxlan4-input", toL2}: Frames, {"vxlan6-input", toL2}: Frames}
	var requests []api.Message
	var said []way
	for _, d := range all {
		w := way{vxlanInput(inet.Read(d.SrcAddress)), d.DecapNextIndex}
		if _, known := out[w]; known {
			continue
		}
		out[w] = otherPayload
		if len(requests) == 0 {
			for _, node := range []string{"vxlan4-input", "vxlan6-input"} {
				for p := Packets4; p <= Packets6; p++ {
					requests = append(requests, &vlib.GetNextIndex{NodeName: node, NextName: inputs[p]})
					said = append(said, way{node, uint32(p)})
				}
			}
		}
	}
	replies, err := AskEach[*vlib.GetNextIndexReply](ctx, k.c, requests...)
	for i, r := range replies {
		if r.Retval == 0 {
			out[way{said[i].node, r.NextIndex}] = Payload(said[i].next)
		}
	}
	return out, err
}

// message unmakes a tunnel.
func (k vxlans) message(v *desiredstate.View, t VXLANTunnel) (*vxlan.VxlanAddDelTunnelV3, error) {
	t = t.withPorts()
	req := &vxlan.VxlanAddDelTunnelV3{
		Instance: ^uint32(0), SrcAddress: inet.Address(t.Src), DstAddress: inet.Address(t.Dst), SrcPort: t.LocalPort, DstPort: t.RemotePort,
		McastSwIfIndex: allInterfaces, DecapNextIndex: toL2, Vni: t.VNI, IsL3: t.Payload != Frames,
	}
	var err error
	if req.EncapVrfID, err = tableID(v, t.Table); err != nil {
		return nil, err
	}
	if t.Dst.IsMulticast() {
		req.McastSwIfIndex = 0 // to unmake one, any that is there will do
	}
	return req, nil
}

func (k vxlans) create(ctx context.Context, v *desiredstate.View, t VXLANTunnel) (uint32, error) {
	req, err := k.message(v, t)
	if err != nil {
		return 0, err
	}
	if err := k.taken(ctx, req.SrcPort); err != nil {
		return 0, err
	}
	req.IsAdd = true
	if t.Payload != Frames {
		r, err := vlib.NewServiceClient(k.c).AddNodeNext(ctx, &vlib.AddNodeNext{NodeName: vxlanInput(t.Src), NextName: inputs[t.Payload]})
		if err != nil {
			return 0, err
		}
		req.DecapNextIndex = r.NextIndex
	}
	if t.Group != "" {
		if req.McastSwIfIndex, err = groupOf(v, t); err != nil {
			return 0, err
		}
		done, err := k.c.Turn(ctx, desiredstate.Key{Space: "vxlan-group", Name: t.Dst.String()})
		if err != nil {
			return 0, err
		}
		defer done()
		if err := k.mayShare(ctx, req, func(uint32) bool { return true }); err != nil {
			return 0, fmt.Errorf("%w: %w", desiredstate.ErrEarly, err) // all of a group may be about to go another way
		}
	}
	for _, req.Instance = range k.c.Numbers(t.end().String()) {
		var r *vxlan.VxlanAddDelTunnelV3Reply
		if r, err = k.vpp.VxlanAddDelTunnelV3(ctx, req); err == nil {
			return uint32(r.SwIfIndex), nil
		}
		if !errors.Is(err, api.INSTANCE_IN_USE) {
			break
		}
	}
	return 0, err
}

func groupOf(v *desiredstate.View, t VXLANTunnel) (interface_types.InterfaceIndex, error) {
	id, err := v.ID(InterfaceKey(t.Group))
	if err == nil {
		err = CheckNoOverlay(v, id, t.Group)
	}
	return interface_types.InterfaceIndex(id), err
}

// foresee refuses another way to a group whose other tunnels do not take it too.
func (k vxlans) foresee(ctx context.Context, v *desiredstate.View, have uint32, t VXLANTunnel) error {
	if t.Group == "" {
		return nil
	}
	req, err := k.message(v, t)
	if err != nil {
		return err
	}
	if req.McastSwIfIndex, err = groupOf(v, t); err != nil {
		return err
	}
	return k.mayShare(ctx, req, func(id uint32) bool {
		name, there := v.Name(InterfaceKey("").Space, id)
		known, ok := v.Known(InterfaceKey(name)).(VXLANTunnel)
		// What has no name any more is made anew, too, and has gone since VPP told of it.
		return id != have && there && !(ok && (known.Dst != t.Dst || known.Group == t.Group))
	})
}

// mayShare reports why no further tunnel can go to a group in this way, beside those that stay.
func (k vxlans) mayShare(ctx context.Context, req *vxlan.VxlanAddDelTunnelV3, stays func(id uint32) bool) error {
	all, err := Collect(k.vpp.VxlanTunnelV2Dump(ctx, &vxlan.VxlanTunnelV2Dump{SwIfIndex: allInterfaces}))
	for _, d := range all {
		if d.DstAddress == req.DstAddress && stays(uint32(d.SwIfIndex)) && (d.McastSwIfIndex != req.McastSwIfIndex || d.EncapVrfID != req.EncapVrfID) {
			return fmt.Errorf("%w: the tunnel with index %d is to the same group by another interface or in another table, and VPP has only one way to each group",
				desiredstate.ErrConflict, d.SwIfIndex)
		}
	}
	return err
}
