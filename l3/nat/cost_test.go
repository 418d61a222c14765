// SPDX-License-Identifier: Apache-2.0

package nat_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What VPP only tells of all at once is not asked for each object that changes.
func TestLooksAreShared(t *testing.T) {
	const many = 200
	vpp := vpptest.New(t)
	c := kindrig.Dial(t, vpp.Socket(), "me")
	var legs []desiredstate.Object
	for i := range many {
		name := fmt.Sprintf("leg%d", i)
		legs = append(legs, vppnet.Loopback{Name: name}, nat.Interface{Interface: name, Inside: true},
			nat.Mapping{Name: name, Local: netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), External: netip.AddrFrom4([4]byte{198, 18, 1, byte(i)})})
	}
	e := natEngine(c, nat.EndpointDependent)
	count := func(message string) (n int) {
		for _, m := range vpp.Sent() {
			if strings.HasPrefix(m, message) {
				n++
			}
		}
		return n
	}
	_, err := e.Sync(t.Context(), append(legs, nat.Plugin{Sessions: 1000})...)
	require.NoError(t, err)
	_, err = e.Sync(t.Context(), nat.Plugin{Sessions: 1000})
	require.NoError(t, err)
	require.Less(t, count("nat44_interface_dump"), many/2)
	require.Less(t, count("nat44_user_dump"), many/2)
}
