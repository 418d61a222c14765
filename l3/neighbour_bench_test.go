// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_neighbor"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// BenchmarkNeighbours makes many neighbours of a hundred interfaces, finds them as they are, and
// takes them away. "hand" sends the same, made beforehand, and asks not what VPP would die of.
func BenchmarkNeighbours(b *testing.B) {
	for _, many := range []int{1000, 5000, 20_000} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			b.Run("in memory", func(b *testing.B) { benchNeighbours(b, vpptest.New(b).Socket(), many) })
			b.Run("real", func(b *testing.B) { benchNeighbours(b, vpptest.Real(b).Socket(), many) })
		})
	}
}

func benchNeighbours(b *testing.B, socket string, many int) {
	const ports = 100
	c := kindrig.Dial(b, socket, "me", vppnet.WithReplyTimeout(time.Minute))
	e := kindrig.Engine(vppnet.Loopbacks(c), l3.Neighbours(c))
	var base, all []desiredstate.Object
	for n := range ports {
		base = append(base, vppnet.Loopback{Name: fmt.Sprint("in", n)})
	}
	r, err := e.Sync(b.Context(), base...)
	require.NoError(b, err)
	var adds, dels []api.Message
	for n := range many {
		x := l3.Neighbour{Interface: fmt.Sprint("in", n%ports), IP: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), MAC: kindrig.MAC(byte(n))}
		all = append(all, x)
		in, _ := r.Of(vppnet.InterfaceKey(x.Interface))
		wire := ip_neighbor.IPNeighbor{SwIfIndex: interface_types.InterfaceIndex(in.ID), Flags: ip_neighbor.IP_API_NEIGHBOR_FLAG_STATIC, MacAddress: ethernet_types.MacAddress(x.MAC)}
		wire.IPAddress.Un.SetIP4(x.IP.As4())
		adds = append(adds, &ip_neighbor.IPNeighborAddDel{IsAdd: true, Neighbor: wire})
		dels = append(dels, &ip_neighbor.IPNeighborAddDel{Neighbor: wire})
	}
	b.Run("engine", func(b *testing.B) {
		kindrig.EngineStages(b, e, func() uint64 { return c.Stats().Sent }, base, all)
	})
	h := kindrig.NewHand(b, socket)
	b.Run("hand", func(b *testing.B) {
		kindrig.Stages(b, many, nil,
			func() { h.Ask(b, adds...) },
			func() {
				h.Read(b, &ip_neighbor.IPNeighborDump{SwIfIndex: ^interface_types.InterfaceIndex(0), Af: ip_types.ADDRESS_IP4}, new(ip_neighbor.IPNeighborDetails), many)
			},
			func() { h.Ask(b, dels...) })
	})
}
