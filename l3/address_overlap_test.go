// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Of an address that VPP refuses, the error names the subnet of the same table that is in its way, and whose it is. Those that are
// refused together share the search for that: it does not take as much for each as there are interfaces.
func TestRefusedAddressesShareTheSearch(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		const many = 100
		c, they := kindrig.Dial(t, vpp.Socket(), "me"), kindrig.Dial(t, vpp.Socket(), "they")
		e, theirs := kindrig.Engine(vppnet.Loopbacks(c), l3.Addresses(c)), kindrig.Engine(vppnet.Loopbacks(they), l3.Tables(they), l3.Memberships(they), l3.Addresses(they))
		in := func(n int, bits int) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), 0, 1}), bits)
		}
		base, others := []desiredstate.Object{vppnet.Loopback{Name: "lo"}}, []desiredstate.Object{l3.Table{Name: "red"}}
		var refused []desiredstate.Object
		for n := range many {
			name := fmt.Sprint("b", n)
			others = append(others, vppnet.Loopback{Name: name}, l3.Address{Interface: name, Prefix: in(n, 24)})
			refused = append(refused, l3.Address{Interface: "lo", Prefix: in(n, 16)})
			name += "-red" // has the same in another table
			others = append(others, vppnet.Loopback{Name: name}, l3.Membership{Interface: name, Table: "red"}, l3.Address{Interface: name, Table: "red", Prefix: in(n, 20)})
		}
		kindrig.Steady(t, theirs, others...)
		kindrig.Steady(t, e, base...)
		before := c.Stats().Sent
		r, err := e.Ensure(t.Context(), refused...)
		require.Error(t, err)
		require.Less(t, c.Stats().Sent-before, uint64(many*many))
		for n := range many {
			d, ok := r.Of(refused[n].Key())
			require.True(t, ok)
			require.ErrorContains(t, d.Err, fmt.Sprintf("overlaps 10.%d.0.1/24 of they/b%d in its table", n, n))
		}
	})
}
