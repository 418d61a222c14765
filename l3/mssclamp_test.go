// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"context"
	"fmt"
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

func TestLawsOfMSSClamps(t *testing.T) {
	kind := func(c *vppnet.Conn) *desiredstate.Kind[l3.MSSClamp] { return l3.MSSClamps(c, claimsOf(c)...) }
	clamp := func(t *rapid.T, family string) l3.Clamp {
		c := l3.Clamp{MSS: kindrig.Pick[uint16](t, family, 0, 1, 1360, 65534)}
		if c.MSS != 0 {
			c.Direction = kindrig.Pick(t, "direction", l3.ClampBoth, l3.ClampIn, l3.ClampOut)
		}
		return c
	}
	laws(t, kind, router(), rapid.Custom(func(t *rapid.T) l3.MSSClamp {
		m := l3.MSSClamp{Interface: kindrig.Pick(t, "interface", "lo", "in", theirLoopback), IPv4: clamp(t, "IPv4"), IPv6: clamp(t, "IPv6")}
		if m.IPv4 == (l3.Clamp{}) && m.IPv6 == (l3.Clamp{}) {
			m.IPv4.MSS = 1460
		}
		return m
	}))
}

// VPP lists a clamp for the next interface with the index, and does not obey it.
func TestMSSClampThatOutlivesItsInterface(t *testing.T) {
	test := func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		want := []desiredstate.Object{vppnet.Loopback{Name: "a"}, l3.MSSClamp{Interface: "a", IPv4: l3.Clamp{MSS: 1460, Direction: l3.ClampIn}}}
		engine := func() *desiredstate.Engine { return desiredstate.New(vppnet.Loopbacks(c), l3.MSSClamps(c)) }
		r, err := engine().Ensure(t.Context(), want...)
		require.NoError(t, err)
		a, _ := r.Of(vppnet.InterfaceKey("a"))
		c.Uses(&interfaces.DeleteLoopback{})
		_, err = interfaces.NewServiceClient(c).DeleteLoopback(t.Context(), &interfaces.DeleteLoopback{SwIfIndex: interface_types.InterfaceIndex(a.ID)})
		require.NoError(t, err)
		_, err = engine().Ensure(t.Context(), want[0])
		require.NoError(t, err)
		p, err := engine().Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Contains(t, p.String(), "broken: it is listed, and has no effect")
		_, err = engine().Ensure(t.Context(), want...)
		require.NoError(t, err)
		p, err = engine().Plan(t.Context(), want...)
		require.NoError(t, err)
		require.True(t, p.Empty(), p)
	}
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { test(t, vpptest.Real(t).Socket()) })
}

func TestValidateMSSClamp(t *testing.T) {
	for want, m := range map[string]l3.MSSClamp{
		"neither IPv4 nor IPv6": {Interface: "a"},
		"MSS 0":                 {Interface: "a", IPv4: l3.Clamp{Direction: l3.ClampIn}},
		"MSS 65535":             {Interface: "a", IPv6: l3.Clamp{MSS: 65535}},
		"direction 9":           {Interface: "a", IPv6: l3.Clamp{MSS: 1, Direction: 9}},
		"name is empty":         {IPv4: l3.Clamp{MSS: 1}},
	} {
		require.ErrorContains(t, m.Validate(), want)
	}
}

// Behind an interface packets of 1400 bytes are the largest.
func ExampleMSSClamps() {
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
	engine := desiredstate.New(vppnet.Loopbacks(c), l3.MSSClamps(c))
	plan, err := engine.Plan(ctx,
		vppnet.Loopback{Name: "tunnel"},
		l3.MSSClamp{Interface: "tunnel", IPv4: l3.Clamp{MSS: 1400 - 40}, IPv6: l3.Clamp{MSS: 1400 - 60}},
	)
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	_, err = engine.Apply(ctx, plan)
	fmt.Println("error:", err)

	// Output:
	// + interface/tunnel (loopback)
	// + mss-clamp/tunnel
	// 2 to create
	// error: <nil>
}
