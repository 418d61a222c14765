// SPDX-License-Identifier: Apache-2.0

package vhost_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/vhost_user"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Ports keep the laws of kinds, on both VPPs.
func TestLaws(t *testing.T) {
	pick := func(t *rapid.T, label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	run := func(t *testing.T, checks int, vpp vpptest.Target, dir string, state func() string) {
		stranger := kindrig.Dial(t, vpp.Socket(), "stranger")
		_, err := vhost.Ports(stranger, dir).Ensure(t.Context(), vhost.Port{Name: "vm1", Socket: dir + "/theirs", Server: true})
		require.NoError(t, err)
		kindtest.Run(t, kindtest.Suite[vhost.Port]{
			Checks: checks,
			Gen: rapid.Custom(func(t *rapid.T) vhost.Port {
				return vhost.Port{
					Name: pick(t, "name", "vm1", "vm2"), Socket: dir + pick(t, "socket", "/a", "/b"),
					Server: rapid.Bool().Draw(t, "server"), GSO: rapid.Bool().Draw(t, "GSO"),
					Packed: rapid.Bool().Draw(t, "packed"), EventIndex: rapid.Bool().Draw(t, "event index"),
					MAC: rapid.SampledFrom([]vppnet.MAC{{}, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}).Draw(t, "MAC"),
				}
			}),
			Open: func(t testing.TB) kindtest.World[vhost.Port] {
				world := func(owner string) kindtest.World[vhost.Port] {
					c := kindrig.Dial(t, vpp.Socket(), owner, vppnet.WithLostAfter(20*time.Millisecond))
					return kindtest.World[vhost.Port]{Kind: vhost.Ports(c, dir), State: state, Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal}
				}
				w := world("me")
				w.Stranger = func() kindtest.World[vhost.Port] { return world("namesake") }
				return w
			},
		})
	}
	for release, checks := range map[string]int{"": 8, "24.10": 1, "26.06": 1} {
		t.Run("in memory "+release, func(t *testing.T) {
			t.Parallel()
			vpp := vpptest.New(t, vpptest.Release(release))
			run(t, checks, vpp, sockets(t), vpp.String)
		})
	}
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		const all = ^interface_types.InterfaceIndex(0)
		vpp := vpptest.NewProxy(t, vpptest.Real(t).Socket())
		run(t, 4, vpp, sockets(t), func() string {
			return vpp.State(&interfaces.SwInterfaceDump{SwIfIndex: all}, &vhost_user.SwInterfaceVhostUserDump{SwIfIndex: all})
		})
	})
}
