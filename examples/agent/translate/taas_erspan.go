// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// A decoder is a service whose port is sent its copies by ERSPAN: IP packets to an address of its
// own. They are sent from a table of the service's alone, as its address may be another tenant's
// too, and as if the port were a neighbour there, which nobody has to ask for its MAC. The way to it
// is the VLAN of its number, or on its own host a loopback, whose frames are handed to the port.

// decoderObjects are how copies come to a decoder from other hosts: nobody tells its own which.
func (s Site) decoderObjects(t TapService, p Port) ([]desiredstate.Object, error) {
	if p.overlay != nil {
		return nil, errors.New("port_id: ERSPAN comes to a port by a VLAN, and its network has none")
	}
	objs, _, err := s.tapVLAN(p.Physnet, t.Number, func(link vppnet.LinkState) []desiredstate.Object { return handTo(p.Interface(), link) })
	return objs, err
}

// toDecoder is how copies reach a decoder: what is known of it if it is here, or what its host says.
func (p *tapPath) toDecoder(s Site, t TapFlow, here TapService, port Port, said []byte, heard bool) error {
	p.mode = byERSPAN
	var way []desiredstate.Object
	var by string
	mac := t.MAC
	if t.From == t.To {
		if p.at = here.Decoder; !p.at.IsValid() {
			return fmt.Errorf("dest_type: ERSPAN_INT, but service %s decodes none", t.Service)
		}
		mac, by = port.mac, fmt.Sprintf("tap.%d", t.Number)
		way = append(handTo(port.Interface(), vppnet.LinkState{Interface: by, Up: true}), vppnet.Loopback{Name: by})
	} else {
		if !heard {
			return fmt.Errorf("ts_host: %s does not say that it has service %s", t.To, t.Service)
		}
		all, sort, physnet, _, err := p.serviceAt(said)
		if err == nil {
			p.at, err = decoderAt(all)
		}
		switch {
		case err != nil:
			return err
		case sort != "vlan":
			return fmt.Errorf("service_bridge: network_type: ERSPAN comes to a port by a VLAN, not by %.40q", sort)
		}
		way, by, err = s.tapVLAN(physnet, t.Number, func(link vppnet.LinkState) []desiredstate.Object { return []desiredstate.Object{link} })
		if err != nil {
			return err
		}
	}
	if mac.IsZero() || mac.IsMulticast() {
		return errors.New("ts_port_mac: want the MAC of the service's port")
	}
	if s.NoRouters {
		return errors.New("dest_type: ERSPAN_INT needs a table, which --no-routers leaves to others")
	}
	var err error
	if p.local, err = s.erspanFrom(p.at); err != nil {
		return err
	}
	table := fmt.Sprintf("tap.%d", t.Number)
	tunnel := vppnet.GRETunnel{
		Name: fmt.Sprintf("erspan.%d-%d", t.Session, t.Number), Src: p.local, Dst: p.at,
		Table: table, Type: vppnet.GREMirror, Session: t.Session,
	}
	p.to = tunnel.Name
	p.objects = append(append(way, deadEnd(vppnet.LinkState{Interface: tunnel.Name, Up: true})...), tunnel,
		l3.Table{Name: table, NoIPv4: p.at.Is6(), NoIPv6: p.at.Is4()},
		l3.Neighbour{Interface: by, IP: p.at, MAC: mac, NoRoute: true},
		l3.Route{Table: table, Prefix: netip.PrefixFrom(p.at, p.at.BitLen()), Paths: []l3.Path{{Interface: by, NextHop: p.at}}},
	)
	return nil
}

// decoderAt reads the address of a decoder in what its host says.
func decoderAt(said fields) (netip.Addr, error) {
	for _, member := range []string{"ts", "tap_service"} {
		var raw json.RawMessage
		err := need(said, member, &raw)
		if err == nil {
			said, err = parse(raw, maxPort)
		}
		if err != nil {
			return netip.Addr{}, fmt.Errorf("what the service's host says: %w", err)
		}
	}
	return decoder(said)
}

// erspanFrom is this host's address as a sender of ERSPAN.
func (s Site) erspanFrom(to netip.Addr) (netip.Addr, error) {
	if !s.ERSPAN.IsValid() {
		return s.tapUnderlay(to)
	}
	return s.ERSPAN, sameFamily(s.ERSPAN, to)
}

// sameFamily says whether one can send to the other.
func sameFamily(from, to netip.Addr) error {
	switch {
	case from == to:
		return fmt.Errorf("%s is this host's own address", to)
	case from.Is4() != to.Is4():
		return fmt.Errorf("%s cannot be reached from %s", to, from)
	}
	return nil
}

// IsTapWay says whether an interface is one by which copies are sent to a decoder.
func IsTapWay(name string) bool { return strings.HasPrefix(name, "tap.") }
