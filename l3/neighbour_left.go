// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_neighbor"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Before VPP 26.06 a static neighbour outlives its interface, and so does its path of the route to it, which
// moves to the default table. Until somebody has the interface's index again, VPP dies when another path
// of that route comes or goes: that of a neighbour with the same address, on another interface.

// leftNeighbours looks for such neighbours.
type leftNeighbours struct {
	c          *vppnet.Conn
	seen       *shared.Round[*neighboursSeen]
	last       *atomic.Pointer[neighboursSeen]
	interfaces *vppnet.Sweep
}

// neighboursSeen is what VPP has of neighbours.
type neighboursSeen struct {
	static map[netip.Addr][]uint32 // on which interfaces
	on     map[uint32][]netip.Addr // an interface, all

	until time.Time    // when it is too old to be used once more
	uses  atomic.Int64 // how often it may be, until then
}

func newLeftNeighbours(c *vppnet.Conn) leftNeighbours {
	last := new(atomic.Pointer[neighboursSeen])
	return leftNeighbours{
		c, shared.NewRound(func(ctx context.Context) (*neighboursSeen, error) {
			began := time.Now()
			n, err := seeNeighbours(ctx, c)
			if err == nil {
				n.until = time.Now().Add(min(10*time.Since(began), time.Second))
				last.Store(n)
			}
			return n, err
		}),
		last,
		vppnet.NewSweep(func(id uint32) api.Message {
			return &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(id)}
		}),
	}
}

// messages are those that this takes.
func (l leftNeighbours) messages() []api.Message {
	return []api.Message{&ip_neighbor.IPNeighborDump{}, &interfaces.SwInterfaceDump{}, &interfaces.SwInterfaceGetTable{}, &memclnt.ControlPing{}}
}

func seeNeighbours(ctx context.Context, c *vppnet.Conn) (*neighboursSeen, error) {
	n := &neighboursSeen{static: map[netip.Addr][]uint32{}, on: map[uint32][]netip.Addr{}}
	answers, err := vppnet.Ask(ctx, c,
		&ip_neighbor.IPNeighborDump{SwIfIndex: interface_types.InterfaceIndex(place.None)}, &ip_neighbor.IPNeighborDump{SwIfIndex: interface_types.InterfaceIndex(place.None), Af: ip_types.ADDRESS_IP6})
	if err != nil {
		return n, err
	}
	all, err := vppnet.As[*ip_neighbor.IPNeighborDetails](answers)
	if len(all) > fewNeighbours {
		n.uses.Store(int64(len(all)))
	}
	for _, d := range all {
		a, index := inet.Read(d.Neighbor.IPAddress), uint32(d.Neighbor.SwIfIndex)
		if a.IsLinkLocalUnicast() && a.Is6() {
			continue // its route is in a table of the interface alone
		}
		n.on[index] = append(n.on[index], a)
		if d.Neighbor.Flags&ip_neighbor.IP_API_NEIGHBOR_FLAG_STATIC != 0 {
			n.static[a] = append(n.static[a], index)
		}
	}
	return n, err
}

// fewNeighbours are read for all that change together, whatever comes after: that costs little.
const fewNeighbours = 64

// A leftNeighbour is a static neighbour whose interface is gone.
type leftNeighbour struct {
	addr  netip.Addr
	index uint32
}

// still reports why an interface must get or lose no neighbour of an address: VPP would die.
//
// A reading of many serves as many changes that come after it, for ten times as long as it took, and a second at most: else
// most of the time that it takes to make 20,000 goes into reading them. Whether interfaces are there
// is asked each time, so it tells too little only where somebody made a neighbour and deleted its
// interface meanwhile.
func (l leftNeighbours) still(ctx context.Context, id uint32, a netip.Addr) error {
	n := l.last.Load()
	if n == nil || !time.Now().Before(n.until) || n.uses.Add(-1) < 0 {
		var err error
		if n, err = l.seen.Join(ctx); err != nil {
			return err
		}
	}
	return l.refuse(ctx, n, id, func(*neighboursSeen) []netip.Addr { return []netip.Addr{a} })
}

// stays reports why an interface must not move to a table: VPP would die.
func (l leftNeighbours) stays(ctx context.Context, id uint32, is6 bool, to uint32) error {
	n, err := l.seen.Join(ctx)
	if err != nil {
		return err
	}
	return l.refuse(ctx, n, id, func(n *neighboursSeen) []netip.Addr {
		return slices.DeleteFunc(slices.Clone(n.on[id]), func(a netip.Addr) bool { return a.Is6() != is6 })
	}, to)
}

// refuse reports what is in the way by a reading and by the next one, too: a neighbour that is read, and
// removed along with its interface before that is asked for, looks like one that was left.
func (l leftNeighbours) refuse(ctx context.Context, n *neighboursSeen, id uint32, moving func(*neighboursSeen) []netip.Addr, tables ...uint32) error {
	var was leftNeighbour
	for {
		is, err := l.check(ctx, n, id, moving(n), tables)
		if err != nil || is == (leftNeighbour{}) {
			return err
		}
		if is == was {
			return fmt.Errorf("%w: %v is a static neighbour of interface %d, too, which is gone, and VPP would die of a change of the %s route to it; make an interface, which gets that index, or restart VPP",
				desiredstate.ErrInUse, is.addr, is.index, inet.Family(is.addr.Is6()))
		}
		was = is
		if n, err = l.seen.Join(ctx); err != nil {
			return err
		}
	}
}

// check asks for the table that the interface is in, beside those that it comes to, if others that
// have a static neighbour of one of its addresses are gone, and returns the first such one. It asks for
// all of these at once: tenants may all have the same addresses.
func (l leftNeighbours) check(ctx context.Context, n *neighboursSeen, id uint32, addrs []netip.Addr, tables []uint32) (leftNeighbour, error) {
	var others []uint32
	for _, a := range addrs {
		others = append(others, n.static[a]...)
	}
	others = slices.DeleteFunc(others, func(other uint32) bool { return other == id })
	if len(others) == 0 {
		return leftNeighbour{}, nil
	}
	found, err := vppnet.Swept[*interfaces.SwInterfaceDetails](l.interfaces.Ask(ctx, l.c, others...))
	if err != nil {
		return leftNeighbour{}, err
	}
	there := map[uint32]bool{id: true}
	for _, d := range found {
		there[uint32(d.SwIfIndex)] = true
	}
	for _, a := range addrs {
		gone := slices.IndexFunc(n.static[a], func(other uint32) bool { return !there[other] })
		if gone < 0 {
			continue
		}
		in, err := place.TableAt(ctx, interfaces.NewServiceClient(l.c), id, a.Is6())
		if err != nil {
			return leftNeighbour{}, err
		}
		if in == 0 || slices.Contains(tables, 0) {
			return leftNeighbour{a, n.static[a][gone]}, nil
		}
	}
	return leftNeighbour{}, nil
}
