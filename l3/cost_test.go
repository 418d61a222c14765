// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What VPP only tells of all at once is not asked for each object that changes.
func TestLooksAreShared(t *testing.T) {
	const many = 200
	vpp := vpptest.New(t)
	c := dialVPP(t, vpp.Socket(), "me")
	var legs []desiredstate.Object
	for i := range many {
		name := fmt.Sprintf("leg%d", i)
		legs = append(legs, vppnet.Loopback{Name: name}, l3.NATInterface{Interface: name, Inside: true},
			l3.NATMapping{Name: name, Local: netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), External: netip.AddrFrom4([4]byte{198, 18, 1, byte(i)})})
	}
	e := natEngine(c, l3.EndpointDependent)
	count := func(message string) (n int) {
		for _, m := range vpp.Sent() {
			if strings.HasPrefix(m, message) {
				n++
			}
		}
		return n
	}
	_, err := e.Sync(t.Context(), append(legs, l3.NAT{Sessions: 1000})...)
	require.NoError(t, err)
	_, err = e.Sync(t.Context(), l3.NAT{Sessions: 1000})
	require.NoError(t, err)
	require.Less(t, count("nat44_interface_dump"), many/2)
	require.Less(t, count("nat44_user_dump"), many/2)
}

// A route's paths are compared as sets, whatever there are.
func TestPathsAreOnce(t *testing.T) {
	r := l3.Route{Prefix: prefix("20.0.0.1/32")}
	for i := range 255 {
		r.Paths = append(r.Paths, l3.Path{Interface: "up", NextHop: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), Weight: uint8(i)})
	}
	r.Paths[254].NextHop = netip.AddrFrom4([4]byte{10, 0, 1, 1})
	require.NoError(t, r.Validate())
	r.Paths[254].NextHop, r.Paths[254].Weight = r.Paths[0].NextHop, 9
	require.ErrorContains(t, r.Validate(), "path 254 is there already")
	// A host is its own next hop.
	require.ErrorContains(t, l3.Route{Prefix: r.Prefix, Paths: []l3.Path{{Interface: "up"}, {Interface: "up", NextHop: r.Prefix.Addr()}}}.Validate(), "there already")
}
