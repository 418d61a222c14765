// SPDX-License-Identifier: Apache-2.0

package nat_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// natAll is one of everything of NAT.
func natAll(v nat.Variant) []desiredstate.Object {
	out := []desiredstate.Object{
		nat.Plugin{Sessions: 1000},
		l3.Table{Name: "nat", ID: 55},
		vppnet.Loopback{Name: "leg"},
		vppnet.Loopback{Name: "world"},
		l3.Membership{Interface: "leg", Table: "nat"},
		nat.Interface{Interface: "leg", Table: "nat", Inside: true},
		nat.Interface{Interface: "world", Outside: true},
		nat.Address{Address: netip.MustParseAddr("192.0.2.3"), Table: "nat"},
		nat.Address{Address: netip.MustParseAddr("192.0.2.1"), Table: "nat"},
		nat.Address{Address: netip.MustParseAddr("192.0.2.2"), Table: "nat"},
		nat.Mapping{Name: "fip", Local: hostA, External: netip.MustParseAddr("192.0.2.9"), Table: "nat"},
		nat.Mapping{Name: "web", Local: hostB, LocalPort: 80, External: netip.MustParseAddr("192.0.2.1"), ExternalPort: 80, Protocol: nat.TCP, Table: "nat", Pooled: true},
		nat.Identity{Name: "ssh", Address: netip.MustParseAddr("192.0.2.2"), Protocol: nat.TCP, Port: 22, Table: "nat", Pooled: true},
	}
	if v == nat.EndpointDependent {
		out = append(out, nat.Identity{Name: "self", Address: netip.MustParseAddr("192.0.2.8"), Table: "nat"})
		out = append(out, nat.Exit{Table: "nat", To: []string{l3.DefaultTable}}, nat.Address{Address: netip.MustParseAddr("192.0.2.1"), Table: "nat", Twice: true})
	}
	return out
}

func natRouter(c *vppnet.Conn, v nat.Variant) *desiredstate.Engine {
	list := append(natKinds(c, v, natClaim), nat.Plugins(c, v), vppnet.LinkStates(c), l3.Addresses(c))
	if v == nat.EndpointDependent {
		list = append(list, nat.Exits(c))
	}
	return kindrig.Engine(list...)
}

// What is made has the handle by which it is found, and right after that nothing has
// drifted.
func TestNothingDriftsByItself(t *testing.T) {
	kindrig.Both(t, natState, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		for _, v := range natVariants {
			c := kindrig.Dial(t, vpp.Socket(), "me") // a connection knows one variant
			kindrig.Steady(t, natRouter(c, v), natAll(v)...)
			_, err := natRouter(c, v).Sync(t.Context())
			require.NoError(t, err)
		}
	})
}

func TestNothingIsLeft(t *testing.T) {
	kindrig.Both(t, natState, func(t *testing.T, vpp vpptest.Target, state func() string) {
		for _, v := range natVariants {
			c := kindrig.Dial(t, vpp.Socket(), "me")
			kindrig.Abandoned(t, vpp, state, func() *desiredstate.Engine { return natRouter(c, v) }, natAll(v)...)
		}
	})
}

// NAT that somebody else has is not ours to turn off, with or without settings of ours.
func TestNATThatOthersUse(t *testing.T) {
	kindrig.Both(t, natState, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		for _, v := range natVariants {
			t.Run(v.String(), func(t *testing.T) {
				strangers := natStrangers(t, vpp.Socket(), v)
				c := kindrig.Dial(t, vpp.Socket(), "me")
				idle := func(want ...desiredstate.Object) {
					t.Helper()
					vpp.ResetLog()
					before := vpp.Writes()
					for range 2 {
						p, err := natRouter(c, v).Plan(t.Context(), want...)
						require.NoError(t, err)
						require.Empty(t, p.Steps, "%s", p)
						_, err = natRouter(c, v).Sync(t.Context(), want...)
						require.NoError(t, err)
					}
					require.Equal(t, before, vpp.Writes())
				}
				idle()

				// Ours comes, and goes, and NAT stays on, whoever looks.
				ours := natAll(v)
				e := natRouter(c, v)
				_, err := e.Sync(t.Context(), ours...)
				require.NoError(t, err)
				idle(ours...)
				for range 2 { // by the engine that made it, and by another
					_, err = e.Sync(t.Context())
					require.NoError(t, err)
					e.Forget()
					p, err := e.Plan(t.Context())
					require.NoError(t, err)
					require.Empty(t, p.Steps)
					idle()
					_, err = e.Sync(t.Context(), ours...)
					require.NoError(t, err)
					e = natRouter(c, v)
				}
				_, err = e.Sync(t.Context(), nat.Plugin{Sessions: 1000, MSS: 1400})
				require.NoError(t, err, "our settings alone")
				e.Forget()
				p, err := e.Plan(t.Context(), nat.Plugin{Sessions: 1000, MSS: 1400})
				require.NoError(t, err)
				require.Empty(t, p.Steps)
				_, err = e.Sync(t.Context(), nat.Plugin{Sessions: 1000})
				require.NoError(t, err)
				_, err = e.Sync(t.Context())
				require.NoError(t, err)
				idle()
				_, err = natRouter(c, v).Ensure(t.Context(), nat.Plugin{Sessions: 2000})
				require.ErrorIs(t, err, desiredstate.ErrForeign)
				require.ErrorContains(t, err, "fixed while it is on")

				// It was the strangers' all along.
				_, err = strangers.Sync(t.Context())
				require.NoError(t, err)
				p, err = natRouter(kindrig.Dial(t, vpp.Socket(), "third"), v).Plan(t.Context())
				require.NoError(t, err)
				require.Empty(t, p.Steps, "it is off")
			})
		}
	})
}
