// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_neighbor"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// VPP dies when the route to a neighbour changes that is one on a deleted interface, too. What
// would change it is refused, until an interface has the index again.
func TestNeighboursOfTheGoneAreNotMoved(t *testing.T) {
	here, other := l3.Neighbour{Interface: "here", IP: addr("10.0.0.9"), MAC: kindrig.MAC(1)}, l3.Neighbour{Interface: "gone", IP: addr("10.0.0.9"), MAC: kindrig.MAC(2)}
	base := []desiredstate.Object{vppnet.Loopback{Name: "here"}, vppnet.Loopback{Name: "gone"}, l3.Table{Name: "red", ID: 7}, other}
	member := l3.Membership{Interface: "here", Table: "red", NoIPv6: true}
	for name, test := range map[string]struct {
		before []desiredstate.Object
		after  func(e *desiredstate.Engine) error
		there  []desiredstate.Object // once it is harmless
	}{
		"one that comes":        {nil, func(e *desiredstate.Engine) error { return ensure(t, e, here) }, []desiredstate.Object{here}},
		"one that goes":         {[]desiredstate.Object{here}, func(e *desiredstate.Engine) error { _, err := e.Remove(t.Context(), here.Key()); return err }, nil},
		"one that comes along":  {[]desiredstate.Object{here}, func(e *desiredstate.Engine) error { return ensure(t, e, member) }, []desiredstate.Object{here, member}},
		"one that leaves along": {[]desiredstate.Object{member, here}, func(e *desiredstate.Engine) error { _, err := e.Remove(t.Context(), member.Key()); return err }, []desiredstate.Object{here}},
	} {
		t.Run(name, func(t *testing.T) {
			kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
				c, hand := kindrig.Dial(t, vpp.Socket(), "me"), kindrig.Dial(t, vpp.Socket(), "hand")
				e := kindrig.Engine(vppnet.Loopbacks(c), l3.Tables(c), l3.Memberships(c), l3.Neighbours(c))
				kindrig.Steady(t, e, append(base, test.before...)...)
				index, err := e.ID(vppnet.InterfaceKey("gone"))
				require.NoError(t, err)
				hand.Uses(&interfaces.DeleteLoopback{})
				_, err = interfaces.NewServiceClient(hand).DeleteLoopback(t.Context(), &interfaces.DeleteLoopback{SwIfIndex: interface_types.InterfaceIndex(index)})
				require.NoError(t, err)

				err = test.after(e)
				if leavesNeighbours(t, hand, index) {
					require.ErrorIs(t, err, desiredstate.ErrInUse)
					require.ErrorContains(t, err, fmt.Sprintf("10.0.0.9 is a static neighbour of interface %d, too, which is gone", index))
					e.Forget()
					require.NoError(t, ensure(t, e, vppnet.Loopback{Name: "gone"}))
					err = test.after(e)
				}
				require.NoError(t, err)
				e.Forget() // the new one has a neighbour already
				want := append([]desiredstate.Object{vppnet.Loopback{Name: "here"}, vppnet.Loopback{Name: "gone"}, l3.Table{Name: "red", ID: 7}}, test.there...)
				_, err = e.Sync(t.Context(), want...)
				require.NoError(t, err)
				kindrig.Steady(t, e, want...)
			})
		})
	}
}

// leavesNeighbours says whether VPP keeps the neighbours of an interface that has gone: 26.06 lets
// go of them, those before do not, and nor does the one in memory.
func leavesNeighbours(t *testing.T, c *vppnet.Conn, index uint32) (left bool) {
	c.Uses(&ip_neighbor.IPNeighborDump{})
	for _, af := range []ip_types.AddressFamily{ip_types.ADDRESS_IP4, ip_types.ADDRESS_IP6} {
		all, err := vppnet.Collect(ip_neighbor.NewServiceClient(c).IPNeighborDump(t.Context(), &ip_neighbor.IPNeighborDump{SwIfIndex: ^interface_types.InterfaceIndex(0), Af: af}))
		require.NoError(t, err)
		left = left || slices.ContainsFunc(all, func(d *ip_neighbor.IPNeighborDetails) bool { return uint32(d.Neighbor.SwIfIndex) == index })
	}
	require.True(t, left || !strings.HasPrefix(c.VPP().Version, "25."), "%s lets go of them", c.VPP().Version)
	return left
}

// It is in the way of nobody in a table.
func TestNeighboursOfTheGoneElsewhereDoNotMatter(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c, hand := kindrig.Dial(t, vpp.Socket(), "me"), kindrig.Dial(t, vpp.Socket(), "hand")
		e := kindrig.Engine(vppnet.Loopbacks(c), l3.Tables(c), l3.Memberships(c), l3.Neighbours(c))
		kindrig.Steady(t, e, vppnet.Loopback{Name: "here"}, vppnet.Loopback{Name: "gone"}, l3.Table{Name: "red", ID: 7},
			l3.Neighbour{Interface: "gone", IP: addr("10.0.0.9"), MAC: kindrig.MAC(2)})
		index, err := e.ID(vppnet.InterfaceKey("gone"))
		require.NoError(t, err)
		hand.Uses(&interfaces.DeleteLoopback{})
		_, err = interfaces.NewServiceClient(hand).DeleteLoopback(t.Context(), &interfaces.DeleteLoopback{SwIfIndex: interface_types.InterfaceIndex(index)})
		require.NoError(t, err)
		e.Forget()
		member := []desiredstate.Object{vppnet.Loopback{Name: "here"}, l3.Table{Name: "red", ID: 7}, l3.Membership{Interface: "here", Table: "red"}}
		_, err = e.Sync(t.Context(), member...)
		require.NoError(t, err)
		kindrig.Steady(t, e, append(member, l3.Neighbour{Interface: "here", IP: addr("10.0.0.9"), MAC: kindrig.MAC(1)})...)
		kindrig.Steady(t, e, member...)
	})
}

// One that is removed along with its interface is not taken for left, whenever that happens.
func TestNeighboursThatGoMeanwhileAreNotTakenForLeft(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		hand := kindrig.Dial(t, vpp.Socket(), "hand")
		hand.Uses(&ip_neighbor.IPNeighborAddDel{}, &interfaces.DeleteLoopback{})
		var index atomic.Int64 // of the interface that goes when it is asked for
		c := kindrig.Dial(t, vpptest.NewTap(t, vpp.Socket(), func(_ uint32, m api.Message) {
			ask, ok := m.(*interfaces.SwInterfaceDump)
			if !ok || int64(ask.SwIfIndex) != index.Load() {
				return
			}
			index.Store(-1)
			_, err := ip_neighbor.NewServiceClient(hand).IPNeighborAddDel(t.Context(), &ip_neighbor.IPNeighborAddDel{Neighbor: ip_neighbor.IPNeighbor{
				SwIfIndex: ask.SwIfIndex, Flags: ip_neighbor.IP_API_NEIGHBOR_FLAG_STATIC, IPAddress: inet.Address(addr("10.0.0.9")),
			}})
			assert.NoError(t, err)
			_, err = interfaces.NewServiceClient(hand).DeleteLoopback(t.Context(), &interfaces.DeleteLoopback{SwIfIndex: ask.SwIfIndex})
			assert.NoError(t, err)
		}), "me")
		e := kindrig.Engine(vppnet.Loopbacks(c), l3.Tables(c), l3.Memberships(c), l3.Neighbours(c))
		here := l3.Neighbour{Interface: "here", IP: addr("10.0.0.9"), MAC: kindrig.MAC(1)}
		loopbacks := []desiredstate.Object{vppnet.Loopback{Name: "here"}, vppnet.Loopback{Name: "other"}}
		for name, change := range map[string]func() error{
			"it comes": func() error { return ensure(t, e, here) },
			"it moves": func() error {
				return ensure(t, e, l3.Table{Name: "red", ID: 7}, l3.Membership{Interface: "here", Table: "red"})
			},
			"it goes": func() error { _, err := e.Remove(t.Context(), here.Key()); return err },
		} {
			all := append(slices.Clone(loopbacks), l3.Neighbour{Interface: "other", IP: addr("10.0.0.9"), MAC: kindrig.MAC(2)})
			if name != "it comes" {
				all = append(all, here)
			}
			kindrig.Steady(t, e, all...)
			id, err := e.ID(vppnet.InterfaceKey("other"))
			require.NoError(t, err)
			index.Store(int64(id))
			require.NoError(t, change(), name)
			require.EqualValues(t, -1, index.Load(), "%s: nobody asked for it", name)
			e.Forget()
			_, err = e.Sync(t.Context())
			require.NoError(t, err, name)
		}
	})
}

// manyNeighbours are so many that one reading of them serves several changes.
func manyNeighbours(n int) (out []desiredstate.Object) {
	for i := range n {
		out = append(out, l3.Neighbour{Interface: "here", IP: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), MAC: kindrig.MAC(1)})
	}
	return out
}

// One that has gone before its interface did is not taken for left, where it was seen before.
func TestNeighbourMovesToAnotherInterfaceAmongMany(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		e := kindrig.Engine(vppnet.Loopbacks(c), l3.Neighbours(c))
		at := func(on string) l3.Neighbour {
			return l3.Neighbour{Interface: on, IP: addr("10.0.0.9"), MAC: kindrig.MAC(2)}
		}
		all := manyNeighbours(2700)
		require.NoError(t, ensure(t, e, append(all[:500:500], vppnet.Loopback{Name: "here"})...))
		for _, more := range [][]desiredstate.Object{all[500:1200], all[1200:]} {
			require.NoError(t, ensure(t, e, vppnet.Loopback{Name: "other"}, at("other")))
			require.NoError(t, ensure(t, e, more...)) // so many that all are read anew
			_, err := e.Remove(t.Context(), vppnet.InterfaceKey("other"), at("other").Key())
			require.NoError(t, err)
			require.NoError(t, ensure(t, e, at("here")))
			_, err = e.Remove(t.Context(), at("here").Key())
			require.NoError(t, err)
		}
	})
}

// Of many, each change does not read all.
func TestNeighboursAreNotAllReadForEach(t *testing.T) {
	c := kindrig.Dial(t, vpptest.New(t).Socket(), "me")
	e := kindrig.Engine(vppnet.Loopbacks(c), l3.Neighbours(c))
	all := manyNeighbours(1050)
	require.NoError(t, ensure(t, e, append(all[:1000:1000], vppnet.Loopback{Name: "here"})...))
	e.Parallel = 1
	before := c.Stats().Sent
	require.NoError(t, ensure(t, e, all[1000:]...))
	require.Less(t, c.Stats().Sent-before, uint64(50*(1+3)/2), "50 that are made, where each reading is of three messages")
}

func ensure(t *testing.T, e *desiredstate.Engine, objects ...desiredstate.Object) error {
	_, err := e.Ensure(t.Context(), objects...)
	return err
}
