// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/l3"
)

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
