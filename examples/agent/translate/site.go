// SPDX-License-Identifier: Apache-2.0

// Package translate turns what networking-vpp's driver writes to etcd into the
// objects that VPP shall hold, and what VPP holds into what the driver reads.
// It is pure: state in, objects out.
package translate

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

// Root is the prefix of all keys, of every host.
const Root = "/networking-vpp/"

// Owner marks in VPP what is the agent's.
const Owner = "net-vpp"

// Site is what the host adds to the keys of its ports.
type Site struct {
	Host     string            // as Neutron binds ports to it
	Physnets map[string]string // for each physical network, VPP's name of its interface, "tag:owner/name", or one of Bonds
	Bonds    map[string]Bond   // that the agent makes
	MTU      map[string]uint32 // of physical networks: of the IP packets that VPP itself sends there; none: VPP's
	Dir      string            // of the vhost-user sockets, the same as the driver's
	Server   bool              // VPP makes the sockets, and VMs connect

	// SocketMode and SocketGroup are of the sockets that VPP makes; 0 and "": as it makes them.
	SocketMode  fs.FileMode
	SocketGroup string

	// Veth: TAP ports are served by veth pairs, as the kernel has no vhost-net, by which VPP
	// makes TAPs.
	Veth bool

	// Overlay spans networks of type gpe over hosts; nil: there are none here.
	Overlay Overlay

	// ERSPAN is the sender of copies that are sent by it; zero: the host's address in the underlay.
	ERSPAN netip.Addr

	// NoRouters: the host's routers are somebody else's, and so is L3 in its VPP.
	NoRouters bool

	// HA: other hosts have the same routers, and this one serves them only while its
	// key Routers()+"ha" says so, or while it wins the Election if there is one.
	HA       bool
	Election *Election

	anywhere bool // it has every physical network
}

// Keys is the prefix of all keys that are for the host.
func (s Site) Keys() string { return Root + "nodes/" + s.Host + "/" }

// Asked is the name of a key below Site.Keys that means nothing: who puts it has the agent say how far it is.
const Asked = "asked"

// Ports is the prefix of the keys of the host's ports.
func (s Site) Ports() string { return Root + "nodes/" + s.Host + "/ports/" }

// Routers is the prefix of the keys of the host's routers and floating IPs.
func (s Site) Routers() string { return Root + "nodes/" + s.Host + "/routers/" }

// State is the prefix of all that the host's agent says.
func (s Site) State() string { return Root + "state/" + s.Host + "/" }

// uplink is what the library calls the interface of a physical network; "" if this host
// has none.
func (s Site) uplink(physnet string) string {
	vpp := s.Physnets[physnet]
	if s.anywhere {
		vpp = physnet
	}
	if vpp == "" {
		return ""
	}
	if _, ours := s.Bonds[vpp]; ours {
		return vpp
	}
	if tag, ok := strings.CutPrefix(vpp, "tag:"); ok {
		return tag
	}
	return vppnet.Foreign(vpp)
}

// PhysnetNames lists the physical networks in order.
func (s Site) PhysnetNames() []string { return slices.Sorted(maps.Keys(s.Physnets)) }

// Validate reports what no port could be served with.
func (s Site) Validate() error {
	var errs []error
	if !plain(s.Host) {
		errs = append(errs, fmt.Errorf("host %q: want 1 to 255 letters, digits or ._-", s.Host))
	}
	port := vhost.Port{Name: "port", Socket: Port{UUID: someUUID, site: s}.Socket()}
	if err := port.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("vhost-user directory %q: %w", s.Dir, err))
	} else if filepath.Clean(s.Dir) != s.Dir || s.Dir == "/" {
		errs = append(errs, fmt.Errorf("vhost-user directory %q: want a clean path", s.Dir))
	}
	if len(s.Physnets) == 0 {
		errs = append(errs, errors.New("no physical network"))
	}
	taken := map[string]string{}
	for _, name := range s.PhysnetNames() {
		uplink := s.Physnets[name]
		if len(name) > 32 || !plain(name) || strings.Contains(name, ".") {
			errs = append(errs, fmt.Errorf("physical network %q: want 1 to 32 letters, digits or _-", name))
		}
		if err := vppnet.CheckRef("interface", s.uplink(name)); err != nil {
			errs = append(errs, fmt.Errorf("physical network %q: %w", name, err))
		}
		if other, dup := taken[uplink]; dup {
			errs = append(errs, fmt.Errorf("physical networks %q and %q share %s", other, name, uplink))
		}
		taken[uplink] = name
	}
	if s.NoRouters && s.HA {
		errs = append(errs, errors.New("HA of no routers"))
	}
	if a := s.ERSPAN; a.IsValid() && (!isOne(a) || a.Zone() != "") {
		errs = append(errs, fmt.Errorf("ERSPAN: %s is no address of a host", a))
	}
	errs = append(errs, s.validateElection(), s.validateOverlay(), s.validateBonds())
	return errors.Join(errs...)
}

const someUUID = "00000000-0000-0000-0000-000000000000"

// plain says that s can be one part of an etcd key and of a tag in VPP.
func plain(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool {
		return !alphanumeric(r) && !strings.ContainsRune("._-", r)
	})
}

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
