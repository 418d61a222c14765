// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/binapi/fib_types"

	"github.com/vppkit/vppkit/desiredstate"
)

// What packets are sent by that no table decides on, all of one family: a CrossConnect's paths, and a
// PolicyRoute's.

// checkWays checks such paths, one by one and together.
func checkWays(ipv6 bool, paths []Path) error {
	if n := len(paths); n < 1 || n > 255 {
		return fmt.Errorf("%d paths, want 1 to 255", n)
	}
	seen := make(map[Path]bool, len(paths))
	for i, p := range paths {
		err := p.check("", everything(ipv6))
		switch {
		case err != nil:
		case p.Local:
			err = errors.New("is local: what no table decides on does not end in VPP itself")
		case p.Interface == "" && !p.NextHop.IsValid():
			err = errors.New("is looked up in a table, which only a route can be")
		case p.NextHop.IsValid() && p.NextHop.Is6() != ipv6:
			err = fmt.Errorf("next hop %v is of the other family", p.NextHop)
		}
		if err != nil {
			return fmt.Errorf("path %d: %w", i, err)
		}
		same := p.normal(everything(ipv6))
		if same.Weight = 0; seen[same] {
			return fmt.Errorf("path %d is there already: give it more weight", i)
		}
		seen[same] = true
	}
	return nil
}

// everything is the prefix of all addresses.
func everything(ipv6 bool) netip.Prefix {
	if ipv6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// checkTables refuses ways into tables that will not have the family, during a Check.
func checkTables(v *desiredstate.View, ipv6 bool, paths []Path) error {
	for i, p := range paths {
		is6 := ipv6
		if p.NextHop.IsValid() {
			is6 = p.NextHop.Is6()
		}
		if err := hasFamily(v, p.Table, is6); err != nil {
			return fmt.Errorf("path %d: %w", i, err)
		}
	}
	return nil
}

// wireWays are the paths as VPP wants them.
func wireWays(v *desiredstate.View, ipv6 bool, paths []Path) (out []fib_types.FibPath, err error) {
	for _, p := range paths {
		way, err := p.wire(v, 0, ipv6)
		if err != nil {
			return nil, err
		}
		out = append(out, way)
	}
	return out, nil
}

// readWays are what VPP has. It does not say of which family they are all; the first does.
func readWays(v *desiredstate.View, all []fib_types.FibPath) (ipv6 bool, out []Path) {
	for _, p := range all {
		out = append(out, readPath(v, 0, p))
	}
	return len(all) > 0 && all[0].Proto == fib_types.FIB_API_PATH_NH_PROTO_IP6, out
}
