// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vpptest"
)

func TestVerify(t *testing.T) {
	for _, variant := range []Variant{EndpointDependent, EndpointIndependent} {
		vpp := vpptest.New(t)
		c := kindrig.Dial(t, vpp.Socket(), "me")
		a := netip.MustParseAddr
		e := desiredstate.New(l3.Tables(c), Plugins(c, variant), Mappings(c, variant), Identities(c, variant))
		_, err := e.Ensure(t.Context(), Plugin{Sessions: 1000}, l3.Table{Name: "red", ID: 7},
			Mapping{Name: "m", Local: a("10.0.0.1"), External: a("203.0.113.1"), Table: "red"},
			Identity{Name: "i", Address: a("203.0.113.2")})
		require.NoError(t, err)
		vpp.ResetLog()
		held := func(name string, table uint32) desiredstate.Held {
			return desiredstate.Held{Key: MappingKey(name), ID: table}
		}
		same, err := Mappings(c, variant).Verify(t.Context(), []desiredstate.Held{held("m", 7), held("m", 0), held("i", 0), held("vpp:203.0.113.1", 7)})
		require.NoError(t, err)
		require.Equal(t, []bool{true, false, false, false}, same)
		require.LessOrEqual(t, len(vpp.Sent()), 2)
		same, err = Identities(c, variant).Verify(t.Context(), []desiredstate.Held{held("i", 0), held("m", 7)})
		require.NoError(t, err)
		require.Equal(t, []bool{true, false}, same)
	}
}
