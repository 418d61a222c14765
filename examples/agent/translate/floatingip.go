// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
)

// FloatingIP is an address of an external network that stands for one of a host.
// Its key does not say of which router: that is the one with a leg in the host's
// network.
type FloatingIP struct {
	ID              string // UUID
	External        Net    // the network that Floating is of
	Internal        Net    // the network that the host is in
	Floating, Fixed netip.Addr
}

// floatingPrefix begins the names of the keys of floating IPs, below Site.Routers.
const floatingPrefix = "floatingip/"

// IsFloatingIP says whether a name below Site.Routers is that of a floating IP.
func IsFloatingIP(name string) bool { return strings.HasPrefix(name, floatingPrefix) }

// Name is the name of the key, below Site.Routers.
func (f FloatingIP) Name() string { return floatingPrefix + f.ID }

// FloatingIP reads the key of a floating IP: its name below Site.Routers, and its
// value. The error is final until the value changes.
func (s Site) FloatingIP(name string, value []byte) (p FloatingIP, err error) {
	if p.ID = strings.TrimPrefix(name, floatingPrefix); !uuid.MatchString(p.ID) {
		return p, errors.New("the key's name is not a UUID")
	}
	f, err := parse(value, maxPort)
	if err != nil {
		return p, err
	}
	if p.External, err = s.net(f, "external_physnet", "external_net_type", "external_segmentation_id"); err != nil {
		return p, err
	}
	if p.Internal, err = s.net(f, "internal_physnet", "internal_net_type", "internal_segmentation_id"); err != nil {
		return p, err
	}
	if p.External.Name() == p.Internal.Name() {
		return p, fmt.Errorf("%s is external and internal", p.External.Name())
	}
	for _, ip := range []struct {
		name string
		to   *netip.Addr
	}{{"floating_ip_address", &p.Floating}, {"fixed_ip_address", &p.Fixed}} {
		var text string
		if err := need(f, ip.name, &text); err != nil {
			return p, err
		}
		if *ip.to, err = address(text); err != nil {
			return p, fmt.Errorf("%s: %w", ip.name, err)
		}
		if err := checkOwn(*ip.to); err != nil {
			return p, fmt.Errorf("%s: %w", ip.name, err)
		}
		if !ip.to.Is4() {
			return p, fmt.Errorf("%s: %s is not IPv4", ip.name, ip.to)
		}
	}
	return p, p.mapping("").Validate()
}

func (f FloatingIP) compare(o FloatingIP) int { return cmp.Compare(f.ID, o.ID) }

// source is what wants its objects.
func (f FloatingIP) source() string { return "fip/" + f.ID }

// answers has the external network hear where it is.
func (f FloatingIP) answers() l3.ProxyARPRange {
	return l3.ProxyARPRange{Table: outside(f.External), Low: f.Floating, High: f.Floating}
}

// mapping is the translation, of a host in this table.
func (f FloatingIP) mapping(table string) nat.Mapping {
	return nat.Mapping{Name: "fip-" + f.ID, Local: f.Fixed, External: f.Floating, Table: table}
}
