// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// all has an object of each kind.
func all() []desiredstate.Object {
	return []desiredstate.Object{
		vppnet.Loopback{Name: "lo"},
		vppnet.Loopback{Name: "bvi", BVI: true, Instance: 3, MAC: vppnet.MAC{2, 1, 1, 1, 1, 1}},
		vppnet.HostInterface{Name: "host", Device: "eth0"},
		vppnet.HostInterface{Name: "host1", Device: "eth1", MAC: vppnet.MAC{2, 1, 1, 1, 1, 2}},
		vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 100, Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}},
		vppnet.LinkState{Interface: "lo", Up: true, MTU: 1400},
		vppnet.LinkState{Interface: "sub", Parent: "lo", Up: true, MTU: 1300},
		vppnet.BridgeDomain{Name: "net", ID: 5, MACAge: 60e9},
		vppnet.BridgePort{Bridge: "net", Interface: "sub"},
		vppnet.BridgePort{Bridge: "net", Interface: "bvi", BVI: true},
		vppnet.FIBEntry{Bridge: "net", Interface: "sub", MAC: vppnet.MAC{2, 1, 1, 1, 1, 9}},
	}
}

// Whoever dies between two messages has lost nothing, and leaves nothing.
func TestDeathBetweenMessages(t *testing.T) {
	want := all()
	for _, kind := range []vpptest.FaultKind{vpptest.CutBefore, vpptest.CutAfter} {
		for nth := 1; ; nth++ {
			vpp := vpptest.New(t)
			empty := vpp.String()
			c := dialVPP(t, vpp.Socket())
			vpp.Inject(vpptest.Fault{Kind: kind, Nth: nth})
			e := layer2(c)
			e.Parallel = 1
			_, err := e.Sync(t.Context(), want...)
			if err == nil {
				require.Greater(t, nth, 20)
				break
			}
			c = dialVPP(t, vpp.Socket())
			converge(t, c, want...)
			require.Equal(t, 6, strings.Count("\n"+vpp.String(), "\ninterface "), vpp.String())

			vpp.Inject(vpptest.Fault{Kind: kind, Nth: nth})
			_, _ = layer2(c).Sync(t.Context())
			vpp.Heal()
			converge(t, dialVPP(t, vpp.Socket()))
			require.Equal(t, empty, vpp.String())
		}
	}
}

// An answer that is lost is no reason to make a thing twice.
func TestLostReplies(t *testing.T) {
	lost := 0
	for nth := range 40 {
		vpp := vpptest.New(t)
		empty := vpp.String()
		c, err := vppnet.Dial(t.Context(), vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
		require.NoError(t, err)
		vpp.Inject(vpptest.Fault{Kind: vpptest.Drop, Nth: nth + 1})
		e := layer2(c)
		e.Parallel = 1
		_, first := e.Sync(t.Context(), all()...)
		vpp.Heal()
		_, err = e.Sync(t.Context(), all()...)
		require.NoError(t, err, nth)
		converge(t, c, all()...)
		require.Equal(t, 6, strings.Count("\n"+vpp.String(), "\ninterface "), vpp.String())
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
		require.Equal(t, empty, vpp.String())
		require.NoError(t, c.Close())
		if first != nil {
			lost++
		}
	}
	require.Greater(t, lost, 15)
}

// A tag that VPP refuses undoes what was made.
func TestRefusedTagIsUndone(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface(nic))
	before := vpp.String()
	c := dialVPP(t, vpp.Socket())
	for _, o := range []desiredstate.Object{
		vppnet.Loopback{Name: "lo"},
		vppnet.Loopback{Name: "bvi", BVI: true},
		vppnet.HostInterface{Name: "host", Device: "eth0"},
		vppnet.SubInterface{Name: "sub", Parent: uplink, Outer: 100},
	} {
		vpp.Inject(vpptest.Fault{Message: "sw_interface_tag_add_del", Kind: vpptest.Refuse, Retval: int32(api.UNSPECIFIED)})
		_, err := layer2(c).Ensure(t.Context(), o)
		require.ErrorIs(t, err, api.UNSPECIFIED, o.Key())
		require.Equal(t, before, vpp.String(), o.Key())
	}
}

// Whatever is wanted after a crash, nothing of ours is left.
func TestDeathThenNobodyWantsIt(t *testing.T) {
	want := slices.DeleteFunc(all(), func(o desiredstate.Object) bool { // what can bear no mark
		h, ok := o.(vppnet.HostInterface)
		return ok && !h.MAC.IsZero()
	})
	want = append(want, vppnet.SubInterface{Name: "inner", Parent: "lo", Outer: 100, Inner: 7}, vppnet.SubInterface{Name: "ad", Parent: "lo", Outer: 100, Dot1ad: true})
	for _, kind := range []vpptest.FaultKind{vpptest.CutBefore, vpptest.CutAfter} {
		for nth := 1; ; nth++ {
			vpp := vpptest.New(t)
			empty := vpp.String()
			e := layer2(dialVPP(t, vpp.Socket()))
			vpp.Inject(vpptest.Fault{Kind: kind, Nth: nth})
			e.Parallel = 1
			_, err := e.Sync(t.Context(), want...)
			vpp.Heal()
			converge(t, dialVPP(t, vpp.Socket()))
			require.Equal(t, empty, vpp.String(), "%v %d", kind, nth)
			if err == nil {
				require.Greater(t, nth, 20)
				break
			}
		}
	}
}
