// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/ip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func dial(t *testing.T, vpp *vpptest.VPP, owner string) *vppnet.Conn {
	c, err := vppnet.Dial(t.Context(), vpp.Socket(), owner)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A number proves nothing once the table that had it is another one, or none.
func TestVerifyTables(t *testing.T) {
	vpp := vpptest.New(t)
	c, other := dial(t, vpp, "me"), dial(t, vpp, "other")
	for _, owner := range []*vppnet.Conn{c, other} {
		_, err := Tables(owner).Ensure(t.Context(), map[string]Table{
			"me": {Name: "red", ID: 70}, "other": {Name: "blue", ID: 71, NoIPv4: true},
		}[owner.Owner()])
		require.NoError(t, err)
	}
	k := tables{c: c, vpp: ip.NewServiceClient(c)}
	names := []string{"red", "red", "other/blue", "vpp:71", "vpp:72", "vpp:0", "blue", "other/red"}
	ids := []uint32{70, 71, 71, 71, 72, 0, 71, 70}
	before := len(vpp.Sent())
	same, err := k.verify(t.Context(), names, ids)
	require.NoError(t, err)
	require.Equal(t, []bool{true, false, true, false, false, true, false, false}, same)
	require.LessOrEqual(t, len(vpp.Sent())-before, 2, "one dump and its end")

	_, err = Tables(c).Remove(t.Context(), Table{Name: "red"})
	require.NoError(t, err)
	_, err = Tables(other).Ensure(t.Context(), Table{Name: "theirs", ID: 70})
	require.NoError(t, err)
	same, err = k.verify(t.Context(), []string{"red", "other/theirs"}, []uint32{70, 70})
	require.NoError(t, err)
	require.Equal(t, []bool{false, true}, same)
}

func TestVerifyNAT(t *testing.T) {
	for _, variant := range []NATVariant{EndpointDependent, EndpointIndependent} {
		vpp := vpptest.New(t)
		c := dial(t, vpp, "me")
		a := netip.MustParseAddr
		e := desiredstate.New(Tables(c), NATs(c, variant), NATMappings(c, variant), NATIdentities(c, variant))
		_, err := e.Ensure(t.Context(), NAT{Sessions: 1000}, Table{Name: "red", ID: 7},
			NATMapping{Name: "m", Local: a("10.0.0.1"), External: a("203.0.113.1"), Table: "red"},
			NATIdentity{Name: "i", Address: a("203.0.113.2")})
		require.NoError(t, err)
		vpp.ResetLog()
		same, err := verifyNAT(t.Context(), c, newNAT(c, variant).mappings, []string{"m", "m", "i", "vpp:203.0.113.1"}, []uint32{7, 0, 0, 7})
		require.NoError(t, err)
		require.Equal(t, []bool{true, false, false, false}, same)
		require.LessOrEqual(t, len(vpp.Sent()), 2)
		same, err = verifyNAT(t.Context(), c, newNAT(c, variant).identities, []string{"i", "m"}, []uint32{0, 7})
		require.NoError(t, err)
		require.Equal(t, []bool{true, false}, same)
	}
}
