// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Tapping is what services and flows are looked at with. What comes of a flow depends on
// others: VPP knows only one mirror between two interfaces.
type Tapping struct {
	Services  map[string]TapService
	Flows     map[string]TapFlow
	Port      func(uuid string) (Port, bool) // of this host
	Elsewhere map[string][]byte              // what others said, by the keys that flows ask for
	Taken     map[Way]bool                   // by networks of this host
}

// free says whether copies can go by these objects: not where a network of the host does, which would lose
// its way.
func (in Tapping) free(s Site, objs []desiredstate.Object) error {
	for _, o := range objs {
		switch o := o.(type) {
		case vppnet.SubInterface:
			if in.Taken[Way{o.Parent, uint32(o.Outer)}] {
				return fmt.Errorf("taas_id: %d is the VLAN of a network on this host", o.Outer)
			}
		case vppnet.VXLANTunnel:
			if _, is := s.Overlay.(VXLAN); is && in.Taken[Way{"", o.VNI}] {
				return fmt.Errorf("taas_id: %d is the VNI of a network on this host", o.VNI)
			}
		}
	}
	return nil
}

// Tap is what a service or a flow comes to.
type Tap struct {
	Objects []desiredstate.Object
	Ports   []string // UUIDs of those that it is between, or of
	Wrong   error    // why nothing comes of it
	Lacks   error    // what of it does not come true

	// State is what the host says of it when VPP has its objects, and its ports.
	State func(*desiredstate.Store) string
}

// Taps are all services and flows, by names below the host's keys. A port that gets copies is where
// it was, and all else reaches it as before.
func (s Site) Taps(in Tapping) map[string]Tap {
	out := map[string]Tap{}
	for id, t := range in.Services {
		out[TapServices+id] = s.tapService(t, in)
	}
	paths, mirrors := map[string]*tapPath{}, map[desiredstate.Key]vppnet.Mirror{}
	for id, t := range in.Flows {
		p, err := s.tapPath(id, t, in)
		if err != nil {
			out[TapFlows+id] = Tap{Wrong: err}
			continue
		}
		if paths[id] = &p; t.From != s.Host {
			continue
		}
		m := tapMirror(p.from.Interface(), p.to)
		m.NoRx, m.NoTx = t.NoRx, t.NoTx
		if other, shared := mirrors[m.Key()]; shared {
			m.NoRx, m.NoTx = m.NoRx && other.NoRx, m.NoTx && other.NoTx
		}
		p.mirror, mirrors[m.Key()] = m.Key(), m
	}
	for id, p := range paths {
		t := Tap{Objects: p.objects, Ports: p.ports, State: func(store *desiredstate.Store) string { return p.said(in.Flows[id], store) }}
		if m, is := mirrors[p.mirror]; is {
			t.Objects = append(t.Objects, m)
		}
		out[TapFlows+id] = t
	}
	return out
}

func (s Site) tapService(t TapService, in Tapping) Tap {
	p, here := in.Port(t.Port)
	if !here {
		return Tap{Wrong: fmt.Errorf("port_id: port %s is not on this host", t.Port)}
	}
	out := Tap{Ports: []string{t.Port}}
	if t.Decoder.IsValid() {
		var err error
		if out.Objects, err = s.decoderObjects(t, p); err == nil {
			err = in.free(s, out.Objects)
		}
		if err != nil {
			return Tap{Wrong: err}
		}
	}
	if p.Filtered {
		out.Lacks = fmt.Errorf("port %s gets only those copies that its groups let in: turn its port security off", t.Port)
	}
	out.State = func(store *desiredstate.Store) string {
		h := p.Handles(store)
		by := struct {
			network
			Underlay string `json:"underlay,omitempty"` // of the host
		}{network: network{p.Physnet, s.Physnets[p.Physnet], h.Bridge, "vlan", t.Number, nil}}
		if p.overlay != nil {
			by.Type, by.Underlay = "vxlan", p.overlay.Under().Address.Addr().String()
		}
		type port struct {
			Interface uint32 `json:"iface_idx"`
			Bridge    uint32 `json:"bridge_domain_id"`
		}
		return marshal(struct {
			Value json.RawMessage `json:"ts"`
			By    any             `json:"service_bridge"`
			Port  port            `json:"port"`
		}{t.Value, by, port{h.Interface, h.Bridge}})
	}
	return out
}

// tapPath is the part of a flow's way that is on this host.
type tapPath struct {
	mirror  desiredstate.Key      // of the source's host
	objects []desiredstate.Object // what the copies leave, or come, by
	ports   []string
	from    Port
	to      string // the interface that copies are sent to
	mode    int
	by      json.RawMessage // of mode 1: what the service's host says
	at      netip.Addr      // whom the copies are sent to
	local   netip.Addr
}

// Modes of a flow, as networking-vpp numbers them.
const (
	inVPP = iota
	byVLAN
	byVXLAN
	byERSPAN
)

func (s Site) tapPath(id string, t TapFlow, in Tapping) (p tapPath, err error) {
	said, heard := in.Elsewhere[t.Elsewhere(s, id)]
	var port Port
	if t.To == s.Host {
		service, here := in.Services[t.Service]
		switch {
		case !here:
			return p, fmt.Errorf("tap_service_id: service %s is not on this host", t.Service)
		case service.Number != t.Number:
			return p, fmt.Errorf("taas_id: %d, but service %s has %d", t.Number, t.Service, service.Number)
		}
		if port, here = in.Port(service.Port); !here {
			return p, fmt.Errorf("tap_service_id: port %s of the service is not on this host", service.Port)
		}
		p.ports = []string{service.Port}
	}
	if t.From == s.Host {
		here := false
		if p.from, here = in.Port(t.Source); !here {
			return p, fmt.Errorf("source_port: port %s is not on this host", t.Source)
		}
		p.ports = append(p.ports, t.Source)
	}
	if t.From == t.To && p.from.UUID == port.UUID {
		return p, fmt.Errorf("source_port: %s is the service's own", t.Source)
	}
	switch {
	case t.Decodes:
		err = p.toDecoder(s, t, in.Services[t.Service], port, said, heard)
	case t.From == t.To:
		p.to = port.Interface()
	case t.To == "":
		if !heard {
			return p, fmt.Errorf("tap_service_id: nobody said where service %s is, see %s", t.Service, TapTargets)
		}
		p.mode = byERSPAN
		if p.at, err = tapTarget(said); err == nil {
			p.objects, p.to, p.local, err = s.toOutside(p.at, t.Session)
		}
	case t.From == s.Host:
		if !heard {
			return p, fmt.Errorf("ts_host: %s does not say that it has service %s", t.To, t.Service)
		}
		err = p.toHost(s, t.Number, said)
	default:
		if !heard {
			return p, fmt.Errorf("tf_host: %s does not say that it sends anything", t.From)
		}
		err = p.fromHost(s, t.Number, port, said)
	}
	if err == nil {
		err = in.free(s, p.objects)
	}
	return p, err
}

// tapMirror is one between ports of bridge domains: VPP drops copies to what is in none.
func tapMirror(from, to string) vppnet.Mirror {
	return vppnet.Mirror{From: from, To: to, L2: true, After: []desiredstate.Key{vppnet.BridgePortKey(from), vppnet.BridgePortKey(to)}}
}

// toHost is how copies reach the host of the service, as that says.
func (p *tapPath) toHost(s Site, number uint32, said []byte) error {
	_, sort, physnet, underlay, err := p.serviceAt(said)
	if err != nil {
		return err
	}
	switch sort {
	case "vlan":
		p.mode = byVLAN
		p.objects, p.to, err = s.tapVLAN(physnet, number, deadEnd)
		return err
	case "vxlan":
		p.mode = byVXLAN
		if p.at, err = otherHost("underlay", underlay); err == nil {
			p.objects, p.to, p.local, err = s.tapVXLAN(p.at, number, deadEnd)
		}
		return err
	}
	return fmt.Errorf("service_bridge: network_type: %.40q is unknown", sort)
}

// serviceAt reads what the service's host says: all of it, and how copies reach it.
func (p *tapPath) serviceAt(said []byte) (all fields, sort, physnet, underlay string, err error) {
	if all, err = parse(said, maxGroup); err != nil {
		return all, "", "", "", fmt.Errorf("what the service's host says: %w", err)
	}
	if err = need(all, "service_bridge", &p.by); err != nil {
		return all, "", "", "", err
	}
	f, err := parse(p.by, maxPort)
	if err == nil {
		err = errors.Join(need(f, "network_type", &sort), need(f, "physnet", &physnet), read(f, "underlay", &underlay))
	}
	if err != nil {
		err = fmt.Errorf("service_bridge: %w", err)
	}
	return all, sort, physnet, underlay, err
}

// fromHost is how copies come from the host of the source, as that says, to a port.
func (p *tapPath) fromHost(s Site, number uint32, port Port, said []byte) error {
	f, err := parse(said, maxGroup)
	if err != nil {
		return fmt.Errorf("what the source's host says: %w", err)
	}
	var local string
	if err := errors.Join(need(f, "span_mode", &p.mode), read(f, "src_adr", &local)); err != nil {
		return fmt.Errorf("what the source's host says: %w", err)
	}
	p.to = port.Interface()
	hand := func(link vppnet.LinkState) []desiredstate.Object { return handTo(p.to, link) }
	switch p.mode {
	case byVLAN:
		p.objects, _, err = s.tapVLAN(port.Physnet, number, hand)
		return err
	case byVXLAN:
		if p.at, err = otherHost("src_adr", local); err == nil {
			p.objects, _, p.local, err = s.tapVXLAN(p.at, number, hand)
		}
		return err
	}
	return fmt.Errorf("what the source's host says: span_mode %d leads to no other host", p.mode)
}

// tapPlace is what an interface by which copies go is in, and its link.
type tapPlace func(vppnet.LinkState) []desiredstate.Object

// tapVLAN is the interface by which copies go between hosts on one physical network.
func (s Site) tapVLAN(physnet string, vlan uint32, place tapPlace) (objs []desiredstate.Object, name string, err error) {
	uplink := s.uplink(physnet)
	switch {
	case uplink == "":
		return nil, "", fmt.Errorf("service_bridge: this host has no %.40q", physnet)
	case vlan > 4094:
		return nil, "", fmt.Errorf("taas_id: %d is no VLAN, and the service's port is on a physical network", vlan)
	}
	name = fmt.Sprintf("tap.%s.%d", physnet, vlan)
	sub := vppnet.SubInterface{Name: name, Parent: uplink, Outer: uint16(vlan), Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}}
	objs = append(s.UplinkObjects(physnet), sub)
	return append(objs, place(vppnet.LinkState{Interface: name, Up: true, Parent: uplink})...), name, nil
}

// tapVXLAN is the tunnel by which copies go between two hosts of an underlay.
func (s Site) tapVXLAN(to netip.Addr, vni uint32, place tapPlace) (objs []desiredstate.Object, name string, local netip.Addr, err error) {
	if local, err = s.tapUnderlay(to); err != nil {
		return nil, "", local, err
	}
	name = fmt.Sprintf("tap.%d-%s", vni, to)
	objs = append(place(vppnet.LinkState{Interface: name, Up: true}), vppnet.VXLANTunnel{Name: name, Src: local, Dst: to, VNI: vni})
	return objs, name, local, nil
}

// toOutside is the tunnel of ERSPAN by which copies leave the cloud.
func (s Site) toOutside(to netip.Addr, session uint16) (objs []desiredstate.Object, name string, local netip.Addr, err error) {
	if local, err = s.erspanFrom(to); err != nil {
		return nil, "", local, err
	}
	name = fmt.Sprintf("erspan.%d-%s", session, to)
	objs = append(deadEnd(vppnet.LinkState{Interface: name, Up: true}),
		vppnet.GRETunnel{Name: name, Src: local, Dst: to, Type: vppnet.GREMirror, Session: session})
	return objs, name, local, nil
}

// tapUnderlay is this host's address for another one.
func (s Site) tapUnderlay(to netip.Addr) (netip.Addr, error) {
	if s.Overlay == nil {
		return netip.Addr{}, fmt.Errorf("copies go to %s, and this host has no address in an underlay, see --gpe-locator and --erspan-address", to)
	}
	u := s.Overlay.Under().Address.Addr()
	return u, sameFamily(u, to)
}

// handTo has all that comes by an interface go out by another one. A mirror would copy a frame
// before its tag is taken off.
func handTo(to string, link vppnet.LinkState) []desiredstate.Object {
	x := vppnet.CrossConnect{From: link.Interface, To: to}
	link.After = []desiredstate.Key{x.Key(), vppnet.BridgePortKey(to)} // VPP drops what leaves by an interface that is in L3
	return []desiredstate.Object{x, link}
}

// deadEnd puts an interface into a bridge domain of its own, which leads nowhere: copies can leave
// by it, and nothing comes.
func deadEnd(link vppnet.LinkState) []desiredstate.Object {
	link.After = whole(link.Interface)
	return []desiredstate.Object{
		vppnet.BridgeDomain{Name: link.Interface, NoLearn: true, NoForward: true, NoFlood: true, NoUnknownUnicastFlood: true},
		vppnet.BridgePort{Bridge: link.Interface, Interface: link.Interface},
		link,
	}
}

// said is what the host says of a flow.
func (p tapPath) said(t TapFlow, store *desiredstate.Store) string {
	out := map[string]any{"tf": t.Value, "span_mode": p.mode, "tfn": p.from.UUID != ""}
	id := func(iface string) uint32 {
		status, _ := store.Status(vppnet.InterfaceKey(iface))
		return status.ID
	}
	if p.from.UUID != "" {
		out["port_idx"], out["dst_idx"] = id(p.from.Interface()), id(p.to)
		switch p.mode {
		case byVLAN:
			out["service_bridge"] = p.by
		case byVXLAN:
			out["vni"] = t.Number
		case byERSPAN:
			out["session_id"] = t.Session
		}
	}
	if p.at.IsValid() {
		out["dst_adr"], out["src_adr"] = p.at, p.local
	}
	return marshal(out)
}

func marshal(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return "" // what is in it always marshals
	}
	return string(out)
}

// TapElsewhere lists the keys of others that flows need, sorted.
func (s Site) TapElsewhere(flows map[string]TapFlow) []string {
	keys := map[string]bool{}
	for id, t := range flows {
		if k := t.Elsewhere(s, id); k != "" {
			keys[k] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}
