// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// What somebody else made, and uses, is ours once we say so, after a look at what differs.
func TestAdoptOnPurpose(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		theirs := o.loopback(vppnet.MAC{2, 9, 9, 9, 9, 9}, 7)
		o.up(theirs, true)
		e := layer2(c)
		from := vppnet.InterfaceKey(vppnet.Foreign("loop7"))
		a, err := e.Adoption(t.Context(), vppnet.Loopback{Name: "mine", Instance: 7, MAC: mac(1)}, from)
		require.NoError(t, err)
		require.Equal(t, "interface/vpp:loop7 becomes interface/mine\n      MAC: 02:09:09:09:09:09 -> 02:00:00:00:00:01\n", a.String())
		require.NotContains(t, o.list(), "me/", "a look")
		r, err := e.Adopt(t.Context(), a)
		require.NoError(t, err)
		require.Equal(t, uint32(theirs), r[0].ID)
		require.Contains(t, o.list(), "loop7 [me/mine]")
		converge(t, c, vppnet.Loopback{Name: "mine", Instance: 7, MAC: mac(1)}, vppnet.LinkState{Interface: "mine", Up: true})

		_, err = e.Adoption(t.Context(), vppnet.Loopback{Name: "other"}, vppnet.InterfaceKey("mine"))
		require.ErrorIs(t, err, desiredstate.ErrConflict, "it is ours")
		_, err = e.Adoption(t.Context(), vppnet.Loopback{Name: "other"}, vppnet.InterfaceKey("vpp:loop9"))
		require.ErrorIs(t, err, desiredstate.ErrMissing)
		theirs = o.loopback(vppnet.MAC{2, 9, 9, 9, 9, 9}, 8)
		e.Forget()
		_, err = e.Adoption(t.Context(), vppnet.Loopback{Name: "other", BVI: true}, vppnet.InterfaceKey("vpp:loop8"))
		require.ErrorIs(t, err, desiredstate.ErrConflict, "it would have to be replaced")
		_, err = e.Adoption(t.Context(), vppnet.BridgeDomain{Name: "net"}, vppnet.BridgeKey("vpp:1"))
		require.ErrorIs(t, err, desiredstate.ErrUnavailable, "VPP cannot rename a bridge domain")

		a, err = e.Adoption(t.Context(), vppnet.Loopback{Name: "late"}, vppnet.InterfaceKey("vpp:loop8"))
		require.NoError(t, err)
		_, err = o.SwInterfaceTagAddDel(t.Context(), &interfaces.SwInterfaceTagAddDel{IsAdd: true, SwIfIndex: theirs, Tag: "operator/mgmt"})
		require.NoError(t, err)
		_, err = e.Adopt(t.Context(), a)
		require.ErrorIs(t, err, desiredstate.ErrChanged, "somebody was faster")
		require.Contains(t, o.list(), "operator/mgmt")
		converge(t, c)
		o.remove(theirs)
	})
}

// What is on somebody's interface, and wanted before that is adopted beside a Run, is found as it is wanted; the
// interface waits for its own store.
func TestAdoptBesideARun(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		mine := vppnet.Loopback{Name: "mine", Instance: 7, MAC: vppnet.MAC{2, 9, 9, 9, 9, 9}}
		o.up(o.loopback(mine.MAC, 7), true)
		e, s := layer2(c), desiredstate.NewStore()
		e.Observe = func(ev desiredstate.Event) {
			if ev.Type == desiredstate.Started && ev.Key.Name != "net" {
				t.Error(ev.Action, ev.Key)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, s, time.Millisecond) }()
		up := vppnet.LinkState{Interface: "mine", Up: true}
		require.NoError(t, s.Put(vppnet.BridgeDomain{Name: "net"}, up))
		s.Complete()
		require.NoError(t, s.Wait(ctx, vppnet.BridgeKey("net")))
		a, err := e.Adoption(ctx, mine, vppnet.InterfaceKey(vppnet.Foreign("loop7")))
		require.NoError(t, err)
		_, err = e.Adopt(ctx, a)
		require.NoError(t, err)
		require.NoError(t, s.Wait(ctx))
		time.Sleep(50 * time.Millisecond) // some looks, of which none is to find anything
		require.Contains(t, o.list(), "loop7 [me/mine]")
		require.NoError(t, s.Put(mine))
		require.NoError(t, s.Wait(ctx))
		cancel()
		<-done
		e.Observe = nil
		converge(t, c)
	})
}
