// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// order hears in which order a port is put together and taken apart.
type order struct {
	mu    sync.Mutex
	words []string
}

func (o *order) hear(_ uint32, m api.Message) {
	say := func(yes bool, a, b string) string {
		if yes {
			return a
		}
		return b
	}
	var word string
	switch m := m.(type) {
	case *interfaces.SwInterfaceSetFlags:
		word = say(m.Flags != 0, "up", "down")
	case *interfaces.SwInterfaceSetMtu:
		word = "mtu"
	case *l2.SwInterfaceSetL2Bridge:
		word = say(m.Enable, "join", "leave")
	case *l2.BridgeDomainAddDelV2:
		word = say(m.IsAdd, "make", "unmake")
	default:
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.words = append(o.words, word)
}

// heard returns what was heard since the last time.
func (o *order) heard() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := strings.Join(o.words, " ")
	o.words = nil
	return out
}

// wired runs a test on both VPPs, and listens.
func wired(t *testing.T, test func(t *testing.T, c *vppnet.Conn, heard func() string)) {
	everywhere(t, func(t *testing.T, socket string) {
		o := new(order)
		c := dialVPP(t, vpptest.NewTap(t, socket, o.hear))
		test(t, c, o.heard)
		_, err := layer2(c).Sync(t.Context())
		require.NoError(t, err)
	})
}

var (
	lo     = vppnet.Loopback{Name: "lo"}
	inNet  = vppnet.BridgePort{Bridge: "net", Interface: "lo"}
	loUp   = vppnet.LinkState{Interface: "lo", Up: true, After: []desiredstate.Key{inNet.Key()}}
	bridge = func(id uint32) vppnet.BridgeDomain { return vppnet.BridgeDomain{Name: "net", ID: id} }
)

// A bridge port's link goes down before the port leaves, and comes up after it
// is there, whether the engine made them or found them.
func TestLinkIsUpOnlyInItsBridge(t *testing.T) {
	wired(t, func(t *testing.T, c *vppnet.Conn, heard func() string) {
		e := layer2(c)
		sync := func(e *desiredstate.Engine, want ...desiredstate.Object) error {
			_, err := e.Sync(t.Context(), want...)
			return err
		}
		require.NoError(t, sync(e, bridge(7), lo, inNet, loUp))
		require.Equal(t, "make join up", heard())
		for i, e := range []*desiredstate.Engine{e, layer2(c)} {
			require.NoError(t, sync(e, bridge(uint32(8+i)), lo, inNet, loUp))
			require.Equal(t, "down leave unmake make join up", heard())
			e.Forget()
			require.NoError(t, sync(e, bridge(uint32(8+i)), lo, inNet, loUp))
			require.Empty(t, heard())
		}

		// An engine that found them knows their order once they were wanted, even
		// while the link is to change as well.
		e = layer2(c)
		tuned := loUp
		tuned.MTU = 1400
		require.NoError(t, sync(e, bridge(10), lo, inNet, tuned))
		require.Equal(t, "down leave unmake make join mtu up", heard())

		_, err := e.Remove(t.Context(), inNet.Key())
		require.ErrorIs(t, err, desiredstate.ErrInUse)
		require.ErrorContains(t, err, "link/lo")
		require.ErrorIs(t, sync(e, bridge(10), lo, loUp), desiredstate.ErrMissing)
		require.Equal(t, "down mtu leave", heard())
		require.NoError(t, sync(e, bridge(10), lo, inNet, loUp))
		require.Equal(t, "join up", heard())
		require.NoError(t, sync(e))
		require.Equal(t, "down leave unmake", heard())
	})
}

// What a link waits for is not VPP's to know: to change it changes nothing, and
// what it no longer waits for may come and go.
func TestAfterAloneIsNoDifference(t *testing.T) {
	wired(t, func(t *testing.T, c *vppnet.Conn, heard func() string) {
		e := layer2(c)
		free := vppnet.LinkState{Interface: "lo", Up: true}
		ensure := func(want ...desiredstate.Object) {
			t.Helper()
			_, err := e.Ensure(t.Context(), want...)
			require.NoError(t, err)
		}
		for _, read := range []func(){func() {}, e.Forget} {
			ensure(bridge(7), lo, inNet, loUp)
			heard()
			read()
			p, err := e.Plan(t.Context(), bridge(7), lo, inNet, free)
			require.NoError(t, err)
			require.Equal(t, "4 as wanted\n", p.String())
			ensure(free)
			require.Empty(t, heard())
			_, err = e.Remove(t.Context(), inNet.Key())
			require.NoError(t, err)
			require.Equal(t, "leave", heard(), "the link is no longer taken along")

			ensure(inNet)
			require.Equal(t, "join", heard())
			ensure(loUp)
			require.Empty(t, heard())
			read()
			_, err = e.Remove(t.Context(), inNet.Key())
			require.ErrorIs(t, err, desiredstate.ErrInUse)
			_, err = e.Remove(t.Context(), loUp.Key(), inNet.Key(), lo.Key())
			require.NoError(t, err)
			require.Equal(t, "down leave", heard())
		}
	})
}

// A link that is down waits for nothing; it goes down before what it was after.
func TestLinkThatIsDownWaitsForNothing(t *testing.T) {
	wired(t, func(t *testing.T, c *vppnet.Conn, heard func() string) {
		e := layer2(c)
		small := loUp
		small.Up, small.MTU = false, 1400
		require.Equal(t, []desiredstate.Key{lo.Key()}, small.Deps())
		_, err := e.Sync(t.Context(), lo, small)
		require.NoError(t, err)
		_, err = e.Sync(t.Context(), lo, loUp)
		require.ErrorIs(t, err, desiredstate.ErrMissing)
		require.Equal(t, "mtu", heard())
		_, err = e.Sync(t.Context(), bridge(7), lo, inNet, loUp)
		require.NoError(t, err)
		require.Equal(t, "make join mtu up", heard())
		_, err = e.Sync(t.Context(), bridge(7), lo, small)
		require.NoError(t, err)
		require.Equal(t, "down mtu leave", heard())
	})
}

// A link survives the failure of what it is after only by not coming up.
func TestLinkStaysDownIfItsBridgeFails(t *testing.T) {
	vpp := vpptest.New(t)
	o := new(order)
	c := dialVPP(t, vpptest.NewTap(t, vpp.Socket(), o.hear))
	e := layer2(c)
	vpp.Inject(vpptest.Fault{Message: "sw_interface_set_l2_bridge", Kind: vpptest.Refuse, Retval: -1})
	_, err := e.Ensure(t.Context(), bridge(7), lo, inNet, loUp)
	require.ErrorIs(t, err, desiredstate.ErrFailed)
	require.Equal(t, "make join", o.heard())
	_, err = e.Ensure(t.Context(), bridge(7), lo, inNet, loUp)
	require.NoError(t, err)
	require.Equal(t, "join up", o.heard())

	vpp.Inject(vpptest.Fault{Message: "sw_interface_set_flags", Kind: vpptest.Refuse, Retval: -1, Times: 3})
	for range 3 {
		_, err = e.Sync(t.Context(), bridge(7), lo)
		require.ErrorIs(t, err, desiredstate.ErrFailed)
		require.Equal(t, "down", o.heard(), "nor does it lose its bridge while it is up")
		e.Forget()
	}
	_, err = e.Sync(t.Context())
	require.NoError(t, err)
	require.Equal(t, "down leave unmake", o.heard())
}

// What hangs on something half made waits, though that is there, and whenever
// anything else makes the engine look again.
func TestNothingIsPutOnWhatIsHalfMade(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface(nic))
	o := new(order)
	e := layer2(dialVPP(t, vpptest.NewTap(t, vpp.Socket(), o.hear)))
	e.RetryMin, e.RetryMax = 20*time.Millisecond, 20*time.Millisecond
	vpp.Inject(vpptest.Fault{Message: "l2_interface_vlan_tag_rewrite", Kind: vpptest.Refuse, Retval: -1, Times: -1})
	s := desiredstate.NewStore()
	sub := vppnet.SubInterface{Name: "sub", Parent: uplink, Outer: 5, Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}}
	inSub := vppnet.BridgePort{Bridge: "net", Interface: "sub"}
	require.NoError(t, s.Put(bridge(7), sub, inSub))
	s.Complete()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx, s, 0) }()
	for range 20 {
		time.Sleep(5 * time.Millisecond)
		e.Forget()
	}
	require.Equal(t, "make", o.heard())
	vpp.Heal()
	require.NoError(t, s.Wait(ctx))
	require.Equal(t, "join", o.heard())
	stop()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestAfterIsPlainData(t *testing.T) {
	text, err := json.Marshal(loUp)
	require.NoError(t, err)
	var again vppnet.LinkState
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, loUp, again)
	for want, after := range map[string]desiredstate.Key{"after itself": loUp.Key(), "without a name": {}} {
		l := loUp
		l.After = []desiredstate.Key{after}
		require.ErrorContains(t, l.Validate(), want)
	}
}
