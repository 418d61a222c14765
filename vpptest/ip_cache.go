// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	"go.fd.io/govpp/binapi/ip_neighbor"
	"go.fd.io/govpp/binapi/ip_types"
)

// neighbourCache is how neighbours of a family are kept. Nobody ages here.
type neighbourCache struct {
	most, age uint32
	recycle   bool
}

var defaultCache = neighbourCache{most: 50000}

func (s *ips) setCache(_ *Call, q *ip_neighbor.IPNeighborConfig) *ip_neighbor.IPNeighborConfigReply {
	r := new(ip_neighbor.IPNeighborConfigReply)
	if q.Af > ip_types.ADDRESS_IP6 {
		r.Retval = invalidAddressFamily
	} else {
		s.caches[q.Af] = neighbourCache{q.MaxNumber, q.MaxAge, q.Recycle}
	}
	return r
}

func (s *ips) cache(_ *Call, q *ip_neighbor.IPNeighborConfigGet) *ip_neighbor.IPNeighborConfigGetReply {
	if q.Af > ip_types.ADDRESS_IP6 {
		return &ip_neighbor.IPNeighborConfigGetReply{Retval: invalidAddressFamily, MaxNumber: none, MaxAge: none}
	}
	c := s.caches[q.Af]
	return &ip_neighbor.IPNeighborConfigGetReply{Af: q.Af, MaxNumber: c.most, MaxAge: c.age, Recycle: c.recycle}
}

// full says whether there can be no more neighbours of a family.
func (s *ips) full(is6 bool) bool {
	most, n := s.caches[family(is6)].most, uint32(0)
	for key := range s.neighbours {
		if key.ip.Is6() == is6 {
			n++
		}
	}
	return most != 0 && n >= most
}

// learnt says whether any neighbour of a family is not static.
func (s *ips) learnt(is6 bool) bool {
	for key, n := range s.neighbours {
		if key.ip.Is6() == is6 && n.flags&staticNeighbour == 0 {
			return true
		}
	}
	return false
}

func (s *ips) dumpCaches(d *dump) {
	for i, c := range s.caches {
		if c != defaultCache {
			d.line(fmt.Sprintf("neighbours of %s are %d at most, believed for %d s", []string{"IPv4", "IPv6"}[i], c.most, c.age), when(c.recycle, "recycled"))
		}
	}
}
