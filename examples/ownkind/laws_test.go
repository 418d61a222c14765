// SPDX-License-Identifier: Apache-2.0

package ownkind_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/geneve"
	interfaces "go.fd.io/govpp/binapi/interface"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/examples/ownkind"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func TestLawsInMemory(t *testing.T) {
	vpp := vpptest.New(t, plugin)
	laws(t, vpp, vpp.String)
}

func TestLawsReal(t *testing.T) {
	vpp := vpptest.NewProxy(t, vpptest.Real(t).Socket())
	laws(t, vpp, func() string {
		return vpp.State(&interfaces.SwInterfaceDump{SwIfIndex: none}, &geneve.GeneveTunnelDump{SwIfIndex: none})
	})
}

func laws(t *testing.T, vpp vpptest.Target, state func() string) {
	t.Parallel()
	_, err := ownkind.Tunnels(dial(t, vpp.Socket(), "stranger")).Ensure(t.Context(), tunnel("theirs", 7))
	require.NoError(t, err)
	kindtest.Run(t, kindtest.Suite[ownkind.Tunnel]{Gen: tunnels, Refused: refused, Open: func(t testing.TB) kindtest.World[ownkind.Tunnel] {
		world := func(owner string) kindtest.World[ownkind.Tunnel] {
			c := dial(t, vpp.Socket(), owner, vppnet.WithLostAfter(20*time.Millisecond))
			return kindtest.World[ownkind.Tunnel]{
				Kind: ownkind.Tunnels(c), State: state, Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal,
			}
		}
		w := world("me")
		w.Stranger = func() kindtest.World[ownkind.Tunnel] { return world("namesake") }
		return w
	}})
}

// tunnels draws valid ones, of few names.
var tunnels = rapid.Custom(func(t *rapid.T) ownkind.Tunnel {
	net := rapid.SampledFrom([]string{"192.0.2.", "2001:db8::"}).Draw(t, "net")
	return ownkind.Tunnel{
		Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"),
		Src:  netip.MustParseAddr(net + "1"), Dst: netip.MustParseAddr(net + rapid.SampledFrom([]string{"2", "3"}).Draw(t, "to")),
		VNI: rapid.SampledFrom([]uint32{0, 1, 1<<24 - 1}).Draw(t, "VNI"),
	}
})

// refused draws what the stranger's tunnel leaves no room for.
var refused = rapid.Custom(func(t *rapid.T) ownkind.Tunnel {
	return tunnel(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"), 7)
})
