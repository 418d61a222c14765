// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A number proves nothing once the table that had it is another one, or none.
func TestVerifyTables(t *testing.T) {
	vpp := vpptest.New(t)
	c, other := kindrig.Dial(t, vpp.Socket(), "me"), kindrig.Dial(t, vpp.Socket(), "other")
	for _, owner := range []*vppnet.Conn{c, other} {
		_, err := Tables(owner).Ensure(t.Context(), map[string]Table{
			"me": {Name: "red", ID: 70}, "other": {Name: "blue", ID: 71, NoIPv4: true},
		}[owner.Owner()])
		require.NoError(t, err)
	}
	k := Tables(c)
	names := []string{"red", "red", "other/blue", "vpp:71", "vpp:72", "vpp:0", "blue", "other/red"}
	ids := []uint32{70, 71, 71, 71, 72, 0, 71, 70}
	before := len(vpp.Sent())
	same, err := k.Verify(t.Context(), heldAs(TableKey, names, ids))
	require.NoError(t, err)
	require.Equal(t, []bool{true, false, true, false, false, true, false, false}, same)
	require.LessOrEqual(t, len(vpp.Sent())-before, 3, "two dumps and their end")

	_, err = Tables(c).Remove(t.Context(), Table{Name: "red"})
	require.NoError(t, err)
	_, err = Tables(other).Ensure(t.Context(), Table{Name: "theirs", ID: 70})
	require.NoError(t, err)
	same, err = k.Verify(t.Context(), heldAs(TableKey, []string{"red", "other/theirs"}, []uint32{70, 70}))
	require.NoError(t, err)
	require.Equal(t, []bool{false, true}, same)
}

// heldAs pairs names of a space with handles.
func heldAs(key func(string) desiredstate.Key, names []string, ids []uint32) []desiredstate.Held {
	out := make([]desiredstate.Held, len(names))
	for i, name := range names {
		out[i] = desiredstate.Held{Key: key(name), ID: ids[i]}
	}
	return out
}
