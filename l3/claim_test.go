// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Interfaces that are disclaimed cost a reading nothing, and get nothing.
func TestDisclaimed(t *testing.T) {
	vpp := vpptest.New(t)
	c := kindrig.Dial(t, vpp.Socket(), "me")
	want := []desiredstate.Object{
		l3.Table{Name: "red", ID: 7},
		vppnet.Loopback{Name: "in"},
		l3.Membership{Interface: "in", Table: "red"},
		l3.Address{Interface: "in", Table: "red", Prefix: prefix("192.0.2.1/24")},
	}
	layer2 := vppnet.DisclaimInterfaces(func(name string) bool { return strings.HasPrefix(name, "vm") })
	asked := func() int {
		e := desiredstate.New(vppnet.Loopbacks(c), l3.Tables(c),
			l3.Memberships(c, layer2), l3.Addresses(c, layer2), l3.RouterAdvertisements(c, layer2))
		_, err := e.Sync(t.Context(), want...)
		require.NoError(t, err)
		vpp.ResetLog()
		e.Forget()
		p, err := e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Empty(t, p.Steps)
		for _, o := range []desiredstate.Object{
			l3.Membership{Interface: "vm0", Table: "red"}, l3.Address{Interface: "vm0", Prefix: prefix("198.51.100.1/24")},
		} {
			_, err = e.Ensure(t.Context(), o)
			require.ErrorIs(t, err, desiredstate.ErrForeign)
		}
		return len(vpp.Sent())
	}
	want = append(want, vppnet.Loopback{Name: "vm0"})
	few := asked()
	for i := range 20 {
		want = append(want, vppnet.Loopback{Name: fmt.Sprintf("vm%d", i+1)})
	}
	require.Equal(t, few, asked())
}
