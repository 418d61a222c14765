// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.fd.io/govpp/binapi/ip_neighbor"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// NeighbourCache says how VPP keeps what it has learnt of the neighbours of one family, on all
// interfaces. There is one for IPv4 and one for IPv6. The zero value is VPP's default, which is none
// to want: what was learnt is believed for ever, so a machine that comes with another MAC, and
// does not say so, is not found any more.
type NeighbourCache struct {
	IPv6 bool

	// Age is how long a neighbour is believed, in whole seconds. After it VPP asks, up to
	// three times, a second apart; who answers stays, by the MAC that he answers with.
	// 0: for ever.
	Age time.Duration

	Max     uint32 // neighbours; static ones count. 0: 50000
	Recycle bool   // when there are Max, the oldest makes way for a new one; else there is no new one
}

const (
	neighbourCacheSpace = "neighbour-cache"
	defaultNeighbours   = 50000
)

// NeighbourCacheKey is the key of a family's NeighbourCache.
func NeighbourCacheKey(is6 bool) desiredstate.Key {
	name := "IPv4"
	if is6 {
		name = "IPv6"
	}
	return desiredstate.Key{Space: neighbourCacheSpace, Name: name}
}

// Key is NeighbourCacheKey(n.IPv6).
func (n NeighbourCache) Key() desiredstate.Key { return NeighbourCacheKey(n.IPv6) }

// Deps is empty.
func (n NeighbourCache) Deps() []desiredstate.Key { return nil }

// Validate wants an age of whole seconds, and something that is not VPP's default.
func (n NeighbourCache) Validate() error {
	if filled(n) == filled(NeighbourCache{IPv6: n.IPv6}) {
		return errors.New("it is as VPP has it by itself: leave it out")
	}
	if n.Age < 0 || n.Age%time.Second != 0 || n.Age/time.Second > math.MaxUint32 {
		return fmt.Errorf("age %v: want whole seconds, up to %d", n.Age, uint32(math.MaxUint32))
	}
	return nil
}

// NeighbourCaches manages both (ip_neighbor_config), which change in place. VPP always has
// them, and nothing says whose they are: an engine that is given this kind owns them, and
// one that is not wanted is VPP's default again. What was learnt stays.
func NeighbourCaches(c *vppnet.Conn) *desiredstate.Kind[NeighbourCache] {
	vpp := ip_neighbor.NewServiceClient(c)
	family := func(is6 bool) ip_types.AddressFamily {
		if is6 {
			return ip_types.ADDRESS_IP6
		}
		return ip_types.ADDRESS_IP4
	}
	set := func(ctx context.Context, n NeighbourCache) error {
		_, err := vpp.IPNeighborConfig(ctx, &ip_neighbor.IPNeighborConfig{
			Af: family(n.IPv6), MaxNumber: filled(n).Max, MaxAge: uint32(n.Age / time.Second), Recycle: n.Recycle,
		})
		return err
	}
	return &desiredstate.Kind[NeighbourCache]{
		Target:   c.Target(),
		Name:     neighbourCacheSpace,
		Messages: c.Uses(&ip_neighbor.IPNeighborConfig{}, &ip_neighbor.IPNeighborConfigGet{}),
		Dump: func(ctx context.Context, _ *desiredstate.View) (out []desiredstate.Actual[NeighbourCache], err error) {
			for _, is6 := range []bool{false, true} {
				d, err := vpp.IPNeighborConfigGet(ctx, &ip_neighbor.IPNeighborConfigGet{Af: family(is6)})
				if err != nil {
					return nil, err
				}
				n := NeighbourCache{IPv6: is6, Age: time.Duration(d.MaxAge) * time.Second, Max: d.MaxNumber, Recycle: d.Recycle}
				if n != filled(NeighbourCache{IPv6: is6}) {
					out = append(out, desiredstate.Actual[NeighbourCache]{Spec: n})
				}
			}
			return out, nil
		},
		Create: func(ctx context.Context, _ *desiredstate.View, n NeighbourCache) (uint32, error) {
			return 0, set(ctx, n)
		},
		Update: func(ctx context.Context, _ *desiredstate.View, _ desiredstate.Actual[NeighbourCache], want NeighbourCache) error {
			return set(ctx, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[NeighbourCache]) error {
			return set(ctx, NeighbourCache{IPv6: have.Spec.IPv6})
		},
		Fill: func(_ desiredstate.Actual[NeighbourCache], want NeighbourCache) NeighbourCache { return filled(want) },
	}
}

// filled is n with VPP's own figure where it has none.
func filled(n NeighbourCache) NeighbourCache {
	if n.Max == 0 {
		n.Max = defaultNeighbours
	}
	return n
}
