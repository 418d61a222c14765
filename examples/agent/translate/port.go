// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/vppnet"
)

// ErrNotBuilt: the port asks for what this agent cannot do. It is not brought
// up at all, because it must not be up without it.
var ErrNotBuilt = errors.New("not built yet")

// Port is a port as its key describes it, and as this host can serve it.
type Port struct {
	UUID    string
	MAC     string // the VM's, as written
	Physnet string
	Uplink  string // VPP's interface for the physnet
	Type    string // "vlan" or "flat"
	Segment uint16 // VLAN; 0 if flat

	// Filtered ports pass what their groups permit, from and to their own addresses.
	Filtered bool
	Groups   []string // UUIDs
	Addrs    []netip.Addr
	Pairs    []acl.AddressPair

	mac  vppnet.MAC
	site Site
}

// uuid is what becomes the name of a socket and of an interface.
var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Port reads the key of a port: its name below Site.Ports, and its value. The
// error is final until the value changes.
func (s Site) Port(name string, value []byte) (Port, error) {
	if !uuid.MatchString(name) {
		return Port{}, errors.New("the key's name is not a UUID")
	}
	f, err := parse(value, maxPort)
	if err != nil {
		return Port{}, err
	}
	// What is missing is what the driver means by leaving it out.
	in := struct {
		mac, physnet, kind, binding string
		segment                     int64
		security                    bool
		groups                      []string
		fixed, pairs                []json.RawMessage
	}{security: true}
	err = errors.Join(
		read(f, "mac_address", &in.mac),
		read(f, "physnet", &in.physnet),
		read(f, "network_type", &in.kind),
		read(f, "segmentation_id", &in.segment),
		read(f, "binding_type", &in.binding),
		read(f, "port_security_enabled", &in.security),
		read(f, "security_groups", &in.groups),
		read(f, "fixed_ips", &in.fixed),
		read(f, "allowed_address_pairs", &in.pairs),
	)
	if err != nil {
		return Port{}, err
	}
	p := Port{UUID: name, MAC: in.mac, Physnet: in.physnet, Type: in.kind, site: s}
	if p.mac, err = vppnet.ParseMAC(in.mac); err != nil || p.mac.IsZero() || p.mac.IsMulticast() {
		return Port{}, fmt.Errorf("mac_address: %.40q is no unicast MAC", in.mac)
	}
	switch in.binding {
	case "vhostuser":
	case "tap", "plugtap":
		return Port{}, fmt.Errorf("binding_type %s: %w", in.binding, ErrNotBuilt)
	default:
		return Port{}, fmt.Errorf("binding_type: %.40q is unknown", in.binding)
	}
	switch {
	case in.kind == "gpe", in.kind == "vxlan":
		return Port{}, fmt.Errorf("network_type %s: %w", in.kind, ErrNotBuilt)
	case in.kind == "flat" && in.segment == 0:
	case in.kind == "flat":
		return Port{}, fmt.Errorf("segmentation_id: a flat network has no %d", in.segment)
	case in.kind == "vlan" && in.segment >= 1 && in.segment <= 4094:
		p.Segment = uint16(in.segment)
	case in.kind == "vlan":
		return Port{}, fmt.Errorf("segmentation_id: %d is no VLAN", in.segment)
	default:
		return Port{}, fmt.Errorf("network_type: %.40q is unknown", in.kind)
	}
	if p.Uplink = s.Physnets[in.physnet]; p.Uplink == "" {
		return Port{}, fmt.Errorf("physnet: this host has no %.40q", in.physnet)
	}
	if p.Filtered = in.security; p.Filtered {
		err = p.secure(in.groups, in.fixed, in.pairs)
	}
	return p, err
}

// Socket is the path of the port's vhost-user socket.
func (p Port) Socket() string { return filepath.Join(p.site.Dir, p.UUID) }

// Network names the port's network on this host.
func (p Port) Network() string {
	if p.Type == "flat" {
		return p.Physnet + ".flat"
	}
	return fmt.Sprintf("%s.%s.%d", p.Physnet, p.Type, p.Segment)
}
