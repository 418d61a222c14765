// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func TestLawsOfCrossConnects(t *testing.T) {
	kind := func(c *vppnet.Conn) *desiredstate.Kind[l3.CrossConnect] { return l3.CrossConnects(c, claimsOf(c)...) }
	laws(t, kind, router(), rapid.Custom(func(t *rapid.T) l3.CrossConnect {
		x := l3.CrossConnect{Interface: kindrig.Pick(t, "interface", "lo", "in", theirLoopback), IPv6: kindrig.Pick(t, "IPv6", false, true)}
		hop := func(n int) netip.Addr {
			if x.IPv6 {
				return netip.MustParseAddr(fmt.Sprintf("2001:db8:9::%d", n))
			}
			return netip.MustParseAddr(fmt.Sprintf("10.9.0.%d", n))
		}
		for n := range kindrig.Pick(t, "paths", 1, 2, 3) {
			p := []l3.Path{{Interface: "up", NextHop: hop(n + 1)}, {Interface: "up"}, {NextHop: hop(n + 1)}, {NextHop: hop(n + 1), Table: "red"}}[kindrig.Pick(t, "path", 0, 1, 2, 3)]
			p.Weight, p.Preference = kindrig.Pick[uint8](t, "weight", 0, 1, 3), uint8(n)
			x.Paths = append(x.Paths, p)
		}
		return x
	}))
}

// VPP lists a cross-connect for the next interface with the index, and does not obey it.
func TestCrossConnectThatOutlivesItsInterface(t *testing.T) {
	test := func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		x := l3.CrossConnect{Interface: "a", Paths: []l3.Path{{Interface: "b", NextHop: netip.MustParseAddr("10.0.0.2")}}}
		want := []desiredstate.Object{vppnet.Loopback{Name: "b"}, vppnet.Loopback{Name: "a"}, x}
		engine := func() *desiredstate.Engine {
			e := desiredstate.New(vppnet.Loopbacks(c), l3.CrossConnects(c))
			e.MaxPrune = 1
			return e
		}
		r, err := engine().Sync(t.Context(), want...)
		require.NoError(t, err)
		a, _ := r.Of(vppnet.InterfaceKey("a"))
		c.Uses(&interfaces.DeleteLoopback{})
		_, err = interfaces.NewServiceClient(c).DeleteLoopback(t.Context(), &interfaces.DeleteLoopback{SwIfIndex: interface_types.InterfaceIndex(a.ID)})
		require.NoError(t, err)
		_, err = engine().Ensure(t.Context(), want[1])
		require.NoError(t, err)
		p, err := engine().Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Equal(t, "± l3-cross-connect/a ipv4\n      broken: it is listed, and has no effect -> (none)\n1 to replace, 2 as wanted\n", p.String())
		_, err = engine().Sync(t.Context(), want...)
		require.NoError(t, err)
		p, err = engine().Plan(t.Context(), want...)
		require.NoError(t, err)
		require.True(t, p.Empty(), p)
		_, err = engine().Sync(t.Context())
		require.NoError(t, err)
	}
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { test(t, vpptest.Real(t).Socket()) })
}

func TestValidateCrossConnect(t *testing.T) {
	hop := netip.MustParseAddr("10.0.0.2")
	for _, tc := range []struct {
		x   l3.CrossConnect
		err string
	}{
		{l3.CrossConnect{Interface: "a", Paths: []l3.Path{{Interface: "b"}, {NextHop: hop}, {NextHop: hop, Table: "red"}}}, ""},
		{l3.CrossConnect{Paths: []l3.Path{{Interface: "b"}}}, "name is empty"},
		{l3.CrossConnect{Interface: "a"}, "0 paths"},
		{l3.CrossConnect{Interface: "a", Paths: []l3.Path{{Local: true}}}, "does not end in VPP"},
		{l3.CrossConnect{Interface: "a", Paths: []l3.Path{{Table: "red"}}}, "looked up in a table"},
		{l3.CrossConnect{Interface: "a", Paths: []l3.Path{{}}}, "a path leads to"},
		{l3.CrossConnect{Interface: "a", IPv6: true, Paths: []l3.Path{{NextHop: hop}}}, "no IPv4 next hop"},
		{l3.CrossConnect{Interface: "a", Paths: []l3.Path{{Interface: "b", NextHop: netip.MustParseAddr("2001:db8::1")}}}, "of the other family"},
		{l3.CrossConnect{Interface: "a", Paths: []l3.Path{{NextHop: hop}, {NextHop: hop, Weight: 3}}}, "is there already"},
	} {
		if err := tc.x.Validate(); tc.err == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, tc.err)
		}
	}
}

// All that a customer's port sends goes to a firewall, whatever its table says.
func ExampleCrossConnects() {
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	ctx := context.Background()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "node1")
	if err != nil {
		panic(err)
	}
	defer c.Close()
	engine := desiredstate.New(vppnet.Loopbacks(c), l3.CrossConnects(c))
	plan, err := engine.Plan(ctx,
		vppnet.Loopback{Name: "customer"},
		vppnet.Loopback{Name: "firewall"},
		l3.CrossConnect{Interface: "customer", Paths: []l3.Path{{Interface: "firewall", NextHop: netip.MustParseAddr("192.0.2.9")}}},
	)
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	_, err = engine.Apply(ctx, plan)
	fmt.Println("error:", err)

	// Output:
	// + interface/customer (loopback)
	// + interface/firewall (loopback)
	// + l3-cross-connect/customer ipv4
	// 3 to create
	// error: <nil>
}
