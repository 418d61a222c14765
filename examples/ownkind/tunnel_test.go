// SPDX-License-Identifier: Apache-2.0

package ownkind_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/geneve"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/ownkind"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func Example() {
	vpp, err := vpptest.Start(plugin) // or the real one
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

	engine := desiredstate.New(ownkind.Tunnels(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c))
	plan, err := engine.Plan(ctx,
		vppnet.BridgePort{Bridge: "blue", Interface: "to-node2"},
		vppnet.BridgeDomain{Name: "blue"},
		ownkind.Tunnel{Name: "to-node2", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), VNI: 100},
	)
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	_, err = engine.Apply(ctx, plan)
	fmt.Println("error:", err)

	// Output:
	// + bridge-domain/blue
	// + bridge-port/to-node2
	// + interface/to-node2 (geneve-tunnel)
	// 3 to create
	// error: <nil>
}

func TestValidate(t *testing.T) {
	good := ownkind.Tunnel{Name: "a", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), VNI: 1<<24 - 1}
	require.NoError(t, good.Validate())
	for name, spoil := range map[string]func(*ownkind.Tunnel){
		"no name":      func(t *ownkind.Tunnel) { t.Name = "" },
		"no source":    func(t *ownkind.Tunnel) { t.Src = netip.Addr{} },
		"any source":   func(t *ownkind.Tunnel) { t.Src = netip.IPv4Unspecified() },
		"to itself":    func(t *ownkind.Tunnel) { t.Dst = t.Src },
		"two families": func(t *ownkind.Tunnel) { t.Dst = netip.MustParseAddr("2001:db8::1") },
		"multicast":    func(t *ownkind.Tunnel) { t.Dst = netip.MustParseAddr("224.0.0.1") },
		"mapped":       func(t *ownkind.Tunnel) { t.Dst = netip.MustParseAddr("::ffff:192.0.2.2") },
		"zone":         func(t *ownkind.Tunnel) { t.Dst = netip.MustParseAddr("fe80::1%eth0") },
		"VNI":          func(t *ownkind.Tunnel) { t.VNI = 1 << 24 },
	} {
		bad := good
		spoil(&bad)
		require.Error(t, bad.Validate(), name)
	}
}

// A kind of the library works on ours.
func TestBridged(t *testing.T) { everywhere(t, bridged) }

func bridged(t *testing.T, socket string) {
	c := dial(t, socket, "me")
	all := []desiredstate.Object{
		vppnet.BridgePort{Bridge: "blue", Interface: "a", SplitHorizonGroup: 1},
		vppnet.LinkState{Interface: "a", Up: true},
		vppnet.BridgeDomain{Name: "blue"},
		tunnel("a", 100),
	}
	engine := func() *desiredstate.Engine {
		return desiredstate.New(ownkind.Tunnels(c), vppnet.LinkStates(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c))
	}
	_, err := engine().Sync(t.Context(), all...)
	require.NoError(t, err)
	all[3] = tunnel("a", 200) // takes the port along
	_, err = engine().Sync(t.Context(), all...)
	require.NoError(t, err)
	p, err := engine().Plan(t.Context(), all...)
	require.NoError(t, err)
	require.True(t, p.Empty(), p)
	e := engine()
	e.MaxPrune = 1
	_, err = e.Sync(t.Context())
	require.NoError(t, err)
}

// Somebody else's tunnel stays theirs, tagged or not.
func TestForeign(t *testing.T) { everywhere(t, foreign) }

func foreign(t *testing.T, socket string) {
	mine, theirs := ownkind.Tunnels(dial(t, socket, "me")), ownkind.Tunnels(dial(t, socket, "stranger"))
	_, err := theirs.Ensure(t.Context(), tunnel("b", 300))
	require.NoError(t, err)
	_, err = mine.Ensure(t.Context(), tunnel("a", 300))
	require.ErrorIs(t, err, desiredstate.ErrForeign)
	_, err = theirs.Remove(t.Context(), tunnel("b", 300))
	require.NoError(t, err)
	// One without a tag, in a bridge domain, is in use.
	c := dial(t, socket, "stranger")
	c.Uses(&geneve.GeneveAddDelTunnel2{}, &l2.SwInterfaceSetL2Bridge{})
	r, err := geneve.NewServiceClient(c).GeneveAddDelTunnel2(t.Context(), message(true))
	require.NoError(t, err)
	_, err = vppnet.BridgeDomains(c).Ensure(t.Context(), vppnet.BridgeDomain{Name: "b", ID: 99})
	require.NoError(t, err)
	_, err = l2.NewServiceClient(c).SwInterfaceSetL2Bridge(t.Context(), &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: r.SwIfIndex, BdID: 99, Enable: true})
	require.NoError(t, err)
	mine.Forget()
	_, err = mine.Ensure(t.Context(), tunnel("a", 300))
	require.ErrorIs(t, err, desiredstate.ErrForeign)
	_, err = geneve.NewServiceClient(c).GeneveAddDelTunnel2(t.Context(), message(false))
	require.NoError(t, err)
	_, err = vppnet.BridgeDomains(c).Remove(t.Context(), vppnet.BridgeDomain{Name: "b"})
	require.NoError(t, err)
	mine.Forget()
	_, err = mine.Ensure(t.Context(), tunnel("a", 300))
	require.NoError(t, err)
	_, err = mine.Remove(t.Context(), tunnel("a", 300))
	require.NoError(t, err)
}

// message is somebody's own for tunnel("", 300).
func message(add bool) *geneve.GeneveAddDelTunnel2 {
	return &geneve.GeneveAddDelTunnel2{
		IsAdd: add, Vni: 300, McastSwIfIndex: none, DecapNextIndex: 1,
		LocalAddress: ip_types.NewAddress([]byte{192, 0, 2, 1}), RemoteAddress: ip_types.NewAddress([]byte{192, 0, 2, 2}),
	}
}

func tunnel(name string, vni uint32) ownkind.Tunnel {
	return ownkind.Tunnel{Name: name, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), VNI: vni}
}

func dial(t testing.TB, socket, owner string, opts ...vppnet.Option) *vppnet.Conn {
	c, err := vppnet.Dial(t.Context(), socket, owner, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func everywhere(t *testing.T, test func(t *testing.T, socket string)) {
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t, plugin).Socket()) })
	t.Run("real", func(t *testing.T) { test(t, vpptest.Real(t).Socket()) })
}
