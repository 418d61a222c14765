// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Networks is the prefix of the keys by which hosts say who is behind them:
// Networks + VNI/HOST/ADDRESS. Each host writes its own.
const Networks = Root + "global/networks/gpe/"

// Sighting is what a host says of an address in a network: whose it is, and where.
type Sighting struct {
	VNI      uint32
	Host     string
	Addr     netip.Addr
	MAC      vppnet.MAC
	At       netip.Addr // of the host, in the underlay
	Revision int64      // of etcd; of two the newer is believed
}

// Name is the name of the key, below Networks.
func (g Sighting) Name() string { return fmt.Sprintf("%d/%s/%s", g.VNI, g.Host, g.Addr) }

// Value is the value of the key.
func (g Sighting) Value() string {
	out, err := json.Marshal(struct {
		MAC  string `json:"mac"`
		Host string `json:"host"`
	}{g.MAC.String(), g.At.String()})
	if err != nil {
		return "" // strings always marshal
	}
	return string(out)
}

// NetworkKeys is the prefix of the keys of one network.
func NetworkKeys(vni uint32) string { return fmt.Sprintf("%s%d/", Networks, vni) }

// Sighting reads what a host said: the name of its key below Networks, and its value.
func (s Site) Sighting(name string, value []byte) (g Sighting, err error) {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) < 3 || !plain(parts[1]) {
		return g, errors.New("the key's name is not VNI/HOST/ADDRESS")
	}
	vni, err := strconv.ParseUint(parts[0], 10, 32)
	if err != nil || vni < 1 || vni > maxVNI || strconv.FormatUint(vni, 10) != parts[0] {
		return g, fmt.Errorf("the key's name: %.20q is no VNI", parts[0])
	}
	g.VNI, g.Host = uint32(vni), parts[1]
	if g.Addr, err = address(parts[2]); err != nil || !isOne(g.Addr) {
		return g, fmt.Errorf("the key's name: %.60q is no address of one machine", parts[2])
	}
	f, err := parse(value, maxPort)
	if err != nil {
		return g, err
	}
	var mac, at string
	if err := errors.Join(need(f, "mac", &mac), need(f, "host", &at)); err != nil {
		return g, err
	}
	if g.MAC, err = vppnet.ParseMAC(mac); err != nil || g.MAC.IsZero() || g.MAC.IsMulticast() {
		return g, fmt.Errorf("mac: %.40q is no unicast MAC", mac)
	}
	if g.At, err = address(at); err != nil || !isOne(g.At) {
		return g, fmt.Errorf("host: %.60q is no address of another host", at)
	}
	if s.Overlay != nil && g.Host != s.Host {
		switch u := s.Overlay.Under().Address.Addr(); {
		case g.At == u:
			return g, fmt.Errorf("host: %s is this host's own", at)
		case g.At.Is4() != u.Is4():
			return g, fmt.Errorf("host: %s cannot be reached from %s", at, u)
		}
	}
	return g, nil
}

// Remotes are, by host, what VPP shall hold of a network's members that are behind other
// hosts, as these said. Who is here is not there, whoever says so: a VM moves, and where it
// was says so last. Of two hosts, and this is one of them, the one that said so last has a MAC, or an address. An overlay that learns
// reaches all that say anything.
func (s Site) Remotes(vni uint32, said []Sighting, here func(vppnet.MAC) bool) map[string][]desiredstate.Object {
	all := slices.SortedFunc(slices.Values(said), func(a, b Sighting) int {
		return -cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Name(), b.Name()))
	})
	said = slices.DeleteFunc(slices.Clone(all), func(g Sighting) bool { return (g.Host == s.Host) != here(g.MAC) })
	at, of := map[vppnet.MAC]Sighting{}, map[netip.Addr]vppnet.MAC{}
	for _, g := range said {
		if _, ok := at[g.MAC]; !ok {
			at[g.MAC] = g
		}
	}
	for _, g := range said {
		if _, ok := of[g.Addr]; !ok && at[g.MAC].Host == g.Host {
			of[g.Addr] = g.MAC
		}
	}
	addrs := map[vppnet.MAC][]netip.Addr{}
	for _, a := range slices.SortedFunc(maps.Keys(of), netip.Addr.Compare) {
		addrs[of[a]] = append(addrs[of[a]], a)
	}
	out, have := map[string][]desiredstate.Object{}, map[desiredstate.Key]bool{}
	add := func(host string, r Remote) {
		for _, o := range s.Overlay.There(overlayName(vni), vni, r) {
			if !have[o.Key()] {
				have[o.Key()] = true
				out[host] = append(out[host], o)
			}
		}
	}
	for _, mac := range slices.SortedFunc(maps.Keys(at), func(a, b vppnet.MAC) int { return cmp.Compare(a.String(), b.String()) }) {
		if at[mac].Host == s.Host {
			continue
		}
		add(at[mac].Host, Remote{MAC: mac, Addrs: addrs[mac], At: at[mac].At})
	}
	for _, g := range all {
		if g.Host != s.Host && s.learns(vni, g.MAC) { // a host whose members are all elsewhere, too, as others say
			add(g.Host, Remote{MAC: g.MAC, At: g.At})
		}
	}
	return out
}

// Sightings are what this host says of a member of the network that it has; nil: nobody needs
// to be told.
func (n Net) Sightings(s Site, mac vppnet.MAC, addrs ...netip.Addr) (out []Sighting) {
	if n.overlay == nil {
		return nil
	}
	for _, a := range addrs {
		out = append(out, Sighting{VNI: n.Segment, Host: s.Host, Addr: a, MAC: mac, At: n.overlay.Under().Address.Addr()})
	}
	return out
}

// Sightings are what the host says of the port.
func (p Port) Sightings() []Sighting { return p.Net.Sightings(p.site, p.mac, p.Addrs...) }

// Reach are the keys of what others reach a member by that has an interface of ours: its link, which is up once all else is
// there, and that it is known to be here.
func (n Net) Reach(iface string, mac vppnet.MAC) []desiredstate.Key {
	keys := []desiredstate.Key{vppnet.LinkKey(iface)}
	for _, o := range n.here(mac) {
		keys = append(keys, o.Key())
	}
	return keys
}

// Reach are the keys of what others reach the port by.
func (p Port) Reach() []desiredstate.Key { return p.Net.Reach(p.Interface(), p.mac) }

// Believed says whether others send the port's frames to where a host says that it is: no bridge domain learns it.
func (p Port) Believed() bool { return p.overlay != nil && !p.site.learns(p.Segment, p.mac) }

// learns says whether bridge domains learn who is behind which host.
func (s Site) learns(vni uint32, mac vppnet.MAC) bool { return len(s.Overlay.Here(vni, mac)) == 0 }

// Place is where somebody is in an overlay's network.
type Place struct {
	VNI uint32
	MAC vppnet.MAC
}

// Place is the port's; false: its network is in no overlay.
func (p Port) Place() (Place, bool) { return Place{p.Segment, p.mac}, p.overlay != nil }

// RouterPlace is that of a router's leg, or of the door of all routers that lead out there; false: its
// network is in no overlay.
func (s Site) RouterPlace(p RouterPort) (Place, bool) {
	mac := p.MAC
	if p.External {
		mac = s.mac(door(p.Net))
	}
	return Place{p.Segment, mac}, p.overlay != nil
}
