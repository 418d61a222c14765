// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// One owner puts filters on another's interface, by the name that the other gave it.
func TestAnotherOwnersInterfaceByItsTag(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		theirs, ours := dial(t, vpp.Socket(), "if"), dial(t, vpp.Socket(), "fw")
		ensure(t, engine(theirs), vppnet.Loopback{Name: "wan"}, vppnet.Loopback{Name: "lan"})
		ensure(t, engine(ours), acl.Set{Name: "s"}, acl.Binding{Interface: "if/lan", Input: []string{"s"}})
		_, err := engine(ours).Ensure(t.Context(), acl.Binding{Interface: "vpp:loop1", Input: []string{"s"}})
		require.ErrorIs(t, err, desiredstate.ErrMissing, "it has one name")
	})
}

// Two VPPs in one process have nothing to do with each other: one that does not answer
// delays nobody at the other.
func TestNothingIsProcessGlobal(t *testing.T) {
	deaf, good := vpptest.New(t), vpptest.New(t)
	objects := []desiredstate.Object{
		vppnet.Loopback{Name: "lo"},
		acl.Set{Name: "s"},
		acl.MACIPSet{Name: "m", Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv4}}},
		acl.Binding{Interface: "lo", Input: []string{"s"}},
		acl.MACIPBinding{Interface: "lo", Set: "m"},
		acl.EtherTypes{Interface: "lo", Input: []uint16{0x806}},
	}
	stuck, moving := engine(dial(t, deaf.Socket(), "me")), engine(dial(t, good.Socket(), "me"))
	ensure(t, stuck, objects...)
	for _, message := range []string{"acl_interface_set_etype_whitelist", "acl_interface_set_acl_list", "acl_add_replace", "macip_acl_interface_add_del"} {
		deaf.Inject(vpptest.Fault{Message: message, Kind: vpptest.Stall})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = stuck.Ensure(ctx, acl.Set{Name: "s", Rules: []acl.Rule{{Family: acl.IPv6}}}, acl.Set{Name: "more"},
				acl.Binding{Interface: "lo", Input: []string{"s", "more"}}, acl.EtherTypes{Interface: "lo", Input: []uint16{0x88cc}})
		}()
		time.Sleep(10 * time.Millisecond)
		short, stop := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := moving.Ensure(short, objects...)
		require.NoError(t, err, message)
		_, err = moving.Remove(short, acl.EtherTypesKey("lo"), acl.BindingKey("lo"), acl.MACIPBindingKey("lo"))
		require.NoError(t, err, message)
		stop()
		cancel()
		<-done
		deaf.Heal()
	}
}
