// SPDX-License-Identifier: Apache-2.0

package dhcp_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/dhcp"
	"go.fd.io/govpp/binapi/feature"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/dhcp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// The kind keeps the laws, on both VPPs.
func TestLawsOfClients(t *testing.T) {
	base := []desiredstate.Object{vppnet.Loopback{Name: "lo"}, vppnet.Loopback{Name: "up"}, vppnet.SubInterface{Name: "sub", Parent: "up", Outer: 100}}
	gen := rapid.Custom(func(t *rapid.T) dhcp.Client {
		return dhcp.Client{
			Interface: kindrig.Pick(t, "interface", "lo", "sub"), Hostname: kindrig.Pick(t, "host", "", "vpp", strings.Repeat("x", 63)),
			ID: kindrig.Pick(t, "ID", "", "\x01é", strings.Repeat("y", 63)), Broadcast: kindrig.Pick(t, "broadcast", false, true), DSCP: kindrig.Pick[uint8](t, "DSCP", 0, 46, 63),
		}
	})
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		kindtest.Run(t, kindtest.Suite[dhcp.Client]{Gen: gen, Checks: checks, Open: kindrig.Owners(vpp, state, base, clients, kinds)})
	}
	kindrig.OnEachVPP(t, 8, stranger, func(vpp *vpptest.Proxy) string {
		return vpp.State(&interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}, &binding.DHCPClientDump{})
	}, run)
}

func clients(c *vppnet.Conn) *desiredstate.Kind[dhcp.Client] { return dhcp.Clients(c) }

func kinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{clients(c), vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.LinkStates(c)}
}

// stranger makes what is not ours.
func stranger(t *testing.T, socket string) {
	_, err := kindrig.Engine(kinds(kindrig.Dial(t, socket, "stranger"))...).Ensure(t.Context(), vppnet.Loopback{Name: "lo"}, dhcp.Client{Interface: "lo", Hostname: "theirs"})
	require.NoError(t, err)
}

func TestRefused(t *testing.T) {
	for why, c := range map[string]dhcp.Client{
		"interface: name is empty": {},
		"hostname has 64 bytes":    {Interface: "a", Hostname: strings.Repeat("x", 64)},
		"ID has a zero byte":       {Interface: "a", ID: "\x00"},
		"DSCP 64, want at most 63": {Interface: "a", DSCP: 64},
	} {
		require.ErrorContains(t, c.Validate(), why)
	}
	c := kindrig.Dial(t, vpptest.New(t, vpptest.WithInterface("nic")).Socket(), "me")
	_, err := dhcp.Clients(c).Ensure(t.Context(), dhcp.Client{Interface: vppnet.Foreign("nic")})
	require.ErrorIs(t, err, desiredstate.ErrForeign)
}

// VPP dies of a client whose interface has no MAC, once that is up, so it is not asked for one.
func TestNothingAsksWithoutAMAC(t *testing.T) {
	run := func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		e := kindrig.Engine(vppnet.VXLANTunnels(c), vppnet.LinkStates(c), dhcp.Clients(c))
		r, err := e.Ensure(t.Context(),
			vppnet.VXLANTunnel{Name: "packets", VNI: 5, Payload: vppnet.Packets4, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2")},
			vppnet.LinkState{Interface: "packets", Up: true}, dhcp.Client{Interface: "packets"})
		require.ErrorIs(t, err, desiredstate.ErrInvalid)
		require.ErrorContains(t, err, "has no MAC")
		require.Equal(t, 2, r.Changed())
		_, err = e.Found(t.Context())
		require.NoError(t, err)
	}
	t.Run("in memory", func(t *testing.T) { run(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { run(t, vpptest.Real(t).Socket()) })
}

// VPP keeps the client of an interface that went, and takes it for one of what gets its index. That one hears no answer, so it
// is made anew.
func TestLeftByAnInterface(t *testing.T) {
	run := func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		e := kindrig.Engine(vppnet.Loopbacks(c), dhcp.Clients(c))
		want := []desiredstate.Object{vppnet.Loopback{Name: "wan"}, dhcp.Client{Interface: "wan"}}
		for range 2 {
			r, err := e.Ensure(t.Context(), want...)
			require.NoError(t, err)
			require.Equal(t, 2, r.Changed())
			heard, err := feature.NewServiceClient(c).FeatureIsEnabled(t.Context(), &feature.FeatureIsEnabled{
				ArcName: "ip4-unicast", FeatureName: "ip4-dhcp-client-detect", SwIfIndex: interface_types.InterfaceIndex(r[0].ID),
			})
			require.NoError(t, err)
			require.True(t, heard.IsEnabled)
			_, err = interfaces.NewServiceClient(c).DeleteLoopback(t.Context(), &interfaces.DeleteLoopback{SwIfIndex: interface_types.InterfaceIndex(r[0].ID)})
			require.NoError(t, err, "by hand")
			e.Forget()
		}
	}
	t.Run("in memory", func(t *testing.T) { run(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { run(t, vpptest.Real(t).Socket()) })
}

// The wide area asks for its address, and nobody has answered yet.
func Example() {
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	ctx := context.Background()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "edge1")
	if err != nil {
		panic(err)
	}
	defer c.Close()

	engine := desiredstate.New(vppnet.Loopbacks(c), dhcp.Clients(c))
	wan := dhcp.Client{Interface: "wan", Hostname: "edge1"}
	report, err := engine.Ensure(ctx, vppnet.Loopback{Name: "wan"}, wan)
	fmt.Println(report.Changed(), err)
	result, _ := report.Of(wan.Key())
	leases, err := dhcp.Leases(ctx, c)
	fmt.Println(leases[result.ID].Bound, err)

	// Output:
	// 2 <nil>
	// false <nil>
}
