// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What is advertised is the address's, and the link's MTU the link's, whichever comes first
// and whatever they say.
func TestTheMTUThatIsAdvertisedIsNotTheLinks(t *testing.T) {
	address := func(n int, i string, mtu uint32) desiredstate.Object {
		return l3.Address{Interface: i, Prefix: prefix(fmt.Sprintf("2001:db8:%d::1/64", n)), LinkMTU: mtu}
	}
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		before := state()
		e := engine(kindrig.Dial(t, vpp.Socket(), "me"))
		link := vppnet.LinkState{Interface: "later", Up: true, MTU: 1500}
		kindrig.Steady(t, e, vppnet.Loopback{Name: "later"}, link)
		want := []desiredstate.Object{
			vppnet.Loopback{Name: "later"},
			link,
			address(1, "later", 1400),
			address(2, "later", 1300),
			vppnet.Loopback{Name: "alone"},
			address(3, "alone", 1400),
			vppnet.Loopback{Name: "up"},
			vppnet.LinkState{Interface: "up", Up: true},
			address(4, "up", 1400),
		}
		kindrig.Steady(t, e, want...)
		_, err := e.Sync(t.Context())
		require.NoError(t, err)
		require.Equal(t, before, state())
	})
}

// A link that gets its MTU at any moment of that keeps it.
func TestALinkKeepsItsMTUBesideNewAddresses(t *testing.T) {
	vpp := vpptest.New(t)
	e := engine(kindrig.Dial(t, vpp.Socket(), "me"))
	var loops, want []desiredstate.Object
	for i := range 200 {
		name := fmt.Sprintf("lo%d", i)
		loops = append(loops, vppnet.Loopback{Name: name})
		want = append(want, vppnet.LinkState{Interface: name, MTU: 1400},
			l3.Address{Interface: name, Prefix: prefix(fmt.Sprintf("2001:db8:%x::1/64", i)), LinkMTU: 1400})
	}
	kindrig.Steady(t, e, loops...)
	kindrig.Steady(t, e, append(loops, want...)...)
}
