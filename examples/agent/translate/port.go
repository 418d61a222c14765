// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/vppnet"
)

// Port is a port as its key describes it, and as this host can serve it.
type Port struct {
	UUID string
	MAC  string // the VM's, as written
	Net

	// Filtered ports pass what their groups permit, from and to their own addresses.
	Filtered bool
	Groups   []string // UUIDs
	Addrs    []netip.Addr
	Pairs    []acl.AddressPair

	TAP  bool   // for a DHCP agent or the like, in Linux; without filters
	VLAN uint16 // of a subport of a trunk: between VM and VPP

	// Lacks names the parts of the value that are left out: they permit nothing, and
	// all else is served. nil: there are none.
	Lacks error

	mac    vppnet.MAC
	site   Site
	parent string // of a subport: the interface that it is on
}

// uuid is what becomes the name of a socket and of an interface.
var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Port reads the key of a port: its name below Site.Ports, and its value. Without its
// MAC, its binding and its network there is no port; what is wrong of the rest is left
// out, see Port.Lacks. The error is final until the value changes.
func (s Site) Port(name string, value []byte) (Port, error) {
	if !uuid.MatchString(name) {
		return Port{}, errors.New("the key's name is not a UUID")
	}
	f, err := parse(value, maxPort)
	if err != nil {
		return Port{}, err
	}
	// What is missing is what the driver means by leaving it out.
	var mac, binding string
	if err := errors.Join(read(f, "mac_address", &mac), read(f, "binding_type", &binding)); err != nil {
		return Port{}, err
	}
	p := Port{UUID: name, site: s}
	if err := p.address(mac); err != nil {
		return Port{}, err
	}
	switch binding {
	case "vhostuser":
	case "tap", "plugtap":
		p.TAP = true
	default:
		return Port{}, fmt.Errorf("binding_type: %.40q is unknown", binding)
	}
	if p.Net, err = s.net(f, "physnet", "network_type", "segmentation_id"); err != nil {
		return Port{}, err
	}
	return p, p.filters(f)
}

// address reads the port's MAC.
func (p *Port) address(mac string) (err error) {
	p.MAC = mac
	if p.mac, err = vppnet.ParseMAC(mac); err != nil || p.mac.IsZero() || p.mac.IsMulticast() {
		return fmt.Errorf("mac_address: %.40q is no unicast MAC", mac)
	}
	return nil
}

// filters reads what the port may send and receive.
func (p *Port) filters(f fields) (err error) {
	var out lacks
	p.Filtered = true // if nobody can tell, too
	out.add(read(f, "port_security_enabled", &p.Filtered))
	p.Filtered = p.Filtered && !p.TAP   // Neutron's own, such as DHCP, which answer to whoever asks
	if p.Filtered || p.overlay != nil { // by an overlay others find it by them
		p.fixed(f, &out)
	}
	if p.Filtered {
		err = p.secure(f, &out)
	}
	p.Lacks = out.join()
	return err
}

// Socket is the path of the port's vhost-user socket.
func (p Port) Socket() string { return filepath.Join(p.site.Dir, p.UUID) }

// HasVM says whether there is a VM that attaches to the port's socket.
func (p Port) HasVM() bool { return !p.TAP && p.VLAN == 0 }

// Guest names the interface that the port's VM is on; "": it has none.
func (p Port) Guest() string {
	switch {
	case p.TAP:
		return ""
	case p.VLAN != 0:
		return p.parent
	}
	return p.Interface()
}

// Network names the port's network on this host.
func (p Port) Network() string { return p.Net.Name() }
