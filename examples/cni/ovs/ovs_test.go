// SPDX-License-Identifier: Apache-2.0

package ovs_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/examples/cni/ovs"
	"github.com/vppkit/vppkit/examples/cni/ovs/ovstest"
)

// everywhere runs a test on an OVS in memory and on a real one.
func everywhere(t *testing.T, test func(t *testing.T, o *ovstest.OVS)) {
	t.Run("in memory", func(t *testing.T) { test(t, ovstest.New(t)) })
	t.Run("real", func(t *testing.T) { test(t, ovstest.Real(t)) })
}

func dial(t testing.TB, o *ovstest.OVS, owner string, opts ...ovs.Option) *ovs.Conn {
	c, err := ovs.Dial(t.Context(), o.Socket(), owner, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// sockets is where VMs listen.
func sockets(o *ovstest.OVS) string { return o.Dir() + "/vms" }

func TestLawsOfBridges(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		_, err := ovs.Bridges(dial(t, o, "stranger")).Ensure(t.Context(), ovs.Bridge{Name: "theirs", Datapath: ovs.Netdev})
		require.NoError(t, err)
		kindtest.Run(t, kindtest.Suite[ovs.Bridge]{
			Checks: 4,
			Gen: rapid.Custom(func(t *rapid.T) ovs.Bridge {
				return ovs.Bridge{
					Name:     rapid.SampledFrom([]string{"br1", "br2"}).Draw(t, "name"),
					OVSName:  rapid.SampledFrom([]string{"", "br3"}).Draw(t, "OVS's name"),
					Datapath: ovs.Netdev,
				}
			}),
			Open: func(t testing.TB) kindtest.World[ovs.Bridge] {
				world := func(owner string) kindtest.World[ovs.Bridge] {
					c := dial(t, o, owner)
					return kindtest.World[ovs.Bridge]{Kind: ovs.Bridges(c), State: o.String, Writes: o.Writes, Fault: o.FailWrite, Heal: o.Heal}
				}
				w := world("me")
				w.Stranger = func() kindtest.World[ovs.Bridge] { return world("namesake") }
				return w
			},
		})
	})
}

func TestLawsOfPorts(t *testing.T) {
	everywhere(t, func(t *testing.T, o *ovstest.OVS) {
		their := dial(t, o, "stranger")
		_, err := desiredstate.New(ovs.Bridges(their), ovs.Ports(their, sockets(o))).Ensure(t.Context(),
			ovs.Bridge{Name: "theirs", Datapath: ovs.Netdev}, ovs.Port{Name: "p1", Bridge: "theirs", OVSName: "their1", Type: ovs.Internal})
		require.NoError(t, err)
		types := []string{ovs.Internal}
		if o.DPDK() {
			types = append(types, ovs.VhostUser, ovs.VhostUserClient)
		}
		kindtest.Run(t, kindtest.Suite[ovs.Port]{
			Checks: 4,
			Gen: rapid.Custom(func(t *rapid.T) ovs.Port {
				p := ovs.Port{
					Name:    rapid.SampledFrom([]string{"p1", "p2"}).Draw(t, "name"),
					Bridge:  rapid.SampledFrom([]string{"br1", "br2", "stranger/theirs"}).Draw(t, "bridge"),
					OVSName: rapid.SampledFrom([]string{"", "p3"}).Draw(t, "OVS's name"),
					Type:    rapid.SampledFrom(types).Draw(t, "type"),
					VLAN:    rapid.SampledFrom([]uint16{0, 1, 4094}).Draw(t, "VLAN"),
				}
				if p.Type == ovs.VhostUserClient {
					p.Socket = sockets(o) + rapid.SampledFrom([]string{"/a", "/b"}).Draw(t, "socket")
				}
				return p
			}),
			Open: func(t testing.TB) kindtest.World[ovs.Port] {
				world := func(owner string, prefix string) kindtest.World[ovs.Port] {
					c := dial(t, o, owner)
					return kindtest.World[ovs.Port]{
						Kind: ovs.Ports(c, sockets(o)), More: []desiredstate.AnyKind{ovs.Bridges(c)},
						Base: []desiredstate.Object{
							ovs.Bridge{Name: "br1", OVSName: prefix + "1", Datapath: ovs.Netdev},
							ovs.Bridge{Name: "br2", OVSName: prefix + "2", Datapath: ovs.Netdev},
						},
						State: o.String, Writes: o.Writes, Fault: o.FailWrite, Heal: o.Heal,
					}
				}
				w := world("me", "br")
				w.Stranger = func() kindtest.World[ovs.Port] { return world("namesake", "nbr") }
				return w
			},
		})
	})
}
