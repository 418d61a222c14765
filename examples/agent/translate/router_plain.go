// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
)

// maxExempt is how many addresses of a router can be exempt from NAT: VPP exempts them one by
// one.
const maxExempt = 4096

// exempt lets a router's hosts be reached as who they are, though there is NAT in its external
// network, of others or of its own floating IPs: VPP drops what it finds no mapping for, so
// each address has one to itself. Hosts with floating IPs have another.
func (g *routing) exempt(r *router) {
	source, table, inside := "router/"+r.id, routerTable(r.id), routerTable(r.id)
	if r.translates() {
		inside = natTable(r.id)
	}
	floats := map[netip.Addr]bool{}
	for _, f := range r.floats {
		floats[f.Fixed] = true
	}
	done := map[netip.Addr]bool{}
	behind := func(key string, p netip.Prefix) {
		if p = p.Masked(); !p.Addr().Is4() {
			return
		}
		if most := maxExempt - len(done); p.Bits() < 20 || 1<<(32-p.Bits()) > most {
			g.lacks(key, fmt.Errorf("enable_snat is false beside NAT, for which each of the %d addresses of %s needs an exemption, and a router can have %d more of %d: nothing comes back from there", 1<<(32-p.Bits()), p, max(most, 0), maxExempt))
			return
		}
		var objs []desiredstate.Object
		for a := p.Addr(); p.Contains(a); a = a.Next() {
			if !floats[a] && !done[a] {
				objs = append(objs, nat.Identity{Name: "id-" + r.id + "-" + a.String(), Address: a, Table: inside},
					l3.Route{Table: outside(r.exit.Net), Prefix: alone(a), Paths: []l3.Path{{Table: table}}}) // or VPP takes it for its own
			}
			done[a] = true
		}
		g.want(source, objs, key)
	}
	for _, net := range slices.Sorted(maps.Keys(r.legs)) {
		for _, p := range r.legs[net].ports {
			for _, a := range p.Addrs {
				behind(p.Name(), a)
			}
		}
	}
	for _, e := range r.exit.Routes {
		if paths, out, _ := r.ways(e); len(paths) > 0 && !out {
			behind(r.exit.Name(), e.To)
		}
	}
}
