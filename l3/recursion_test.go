// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// recursive reads routes of table red: "20.0.0.0/8 10.9.0.1 10.9.0.3@blue" has two paths, to next hops in red and in blue;
// "local" is a path too.
func recursive(t testing.TB, text string) (all []desiredstate.Object) {
	for _, line := range strings.Split(text, ";") {
		words := strings.Fields(line)
		r := l3.Route{Table: "red", Prefix: netip.MustParsePrefix(words[0])}
		for _, w := range words[1:] {
			addr, table, elsewhere := strings.Cut(w, "@")
			switch {
			case w == "local":
				r.Paths = append(r.Paths, l3.Path{Local: true})
			case elsewhere:
				r.Paths = append(r.Paths, l3.Path{Table: table, NextHop: netip.MustParseAddr(addr)})
			default:
				r.Paths = append(r.Paths, l3.Path{NextHop: netip.MustParseAddr(w)})
			}
		}
		require.NoError(t, r.Validate())
		all = append(all, r)
	}
	return all
}

func tablesForRecursion() []desiredstate.Object {
	return []desiredstate.Object{l3.Table{Name: "red", ID: 7}, l3.Table{Name: "blue", ID: 8}}
}

// VPP uses entries that it has freed when a route changes on which others rest, or which rests on itself: each of these was a VPP's end.
func TestRoutesThatLeanOnEachOther(t *testing.T) {
	for name, steps := range map[string][]string{
		"on itself, changed":            {"10.9.0.0/16 30.0.0.1 10.9.0.2", "10.9.0.0/16 20.0.0.1 10.9.0.1 10.9.0.3"},
		"on itself, twice said":         {"10.0.0.0/8 10.9.0.2 10.9.0.1", "10.0.0.0/8 10.9.0.3 10.9.0.4", "10.0.0.0/8 10.9.0.5"},
		"on itself under others, ended": {"10.9.0.0/16 10.9.0.2 30.0.0.1 10.9.0.3; 20.0.0.0/8 10.9.0.1", "20.0.0.0/8 10.9.0.1"},
		"on itself under others, local": {"10.9.0.0/16 10.9.0.2 30.0.0.1 10.9.0.3; 20.0.0.0/8 10.9.0.1", "10.9.0.0/16 local; 20.0.0.0/8 10.9.0.1"},
		"the default route":             {"0.0.0.0/0 10.9.0.2 10.9.0.1", "0.0.0.0/0 10.9.0.3 10.9.0.4", "0.0.0.0/0 local", "0.0.0.0/0 10.9.0.4"},
		"a next hop's own route":        {"20.0.0.0/8 10.9.0.1; 10.9.0.0/16 30.0.0.1", "20.0.0.0/8 10.9.0.1; 10.9.0.0/16 30.0.0.1; 10.9.0.1/32 30.0.0.1 10.1.0.1"},
		"a next hop's own route ends":   {"10.9.0.1/32 10.1.0.1; 10.9.0.0/16 10.1.0.1 10.9.0.1", "10.9.0.0/16 10.1.0.1 10.9.0.1"},
		"by way of another table":       {"10.9.0.0/16 10.9.0.1 10.9.0.1@blue 10.9.0.2; 20.0.0.0/8 10.9.0.3", "10.9.0.0/16 10.9.0.1@blue; 20.0.0.0/8 10.9.0.3"},
		"IPv6":                          {"2001:db8::/32 2001:db8::1 2001:db8::2; 2001:db9::/32 2001:db8::3", "2001:db8::/32 2001:db8::4 2001:db8::5; 2001:db9::/32 2001:db8::3"},
		"IPv6, a next hop's own":        {"2001:db9::/32 2001:db8::1; 2001:db8::/32 2001:dba::1", "2001:db8::1/128 2001:dba::1 2001:dba::2; 2001:db9::/32 2001:db8::1; 2001:db8::/32 2001:dba::1"},
	} {
		t.Run(name, func(t *testing.T) {
			kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
				c := kindrig.Dial(t, vpp.Socket(), "me")
				e := kindrig.Engine(l3.Tables(c), l3.Routes(c))
				for _, step := range append(steps, steps[0]) {
					want := append(tablesForRecursion(), recursive(t, step)...)
					_, err := e.Sync(t.Context(), want...)
					require.NoError(t, err)
					kindrig.Steady(t, e, want...)
				}
				_, err := e.Sync(t.Context(), tablesForRecursion()...)
				require.NoError(t, err)
				require.NotContains(t, state(), "/16")
				_, err = e.Sync(t.Context())
				require.NoError(t, err)
			})
		})
	}
}

// Whatever they are like, VPP lives, and has them.
func TestRoutesLeanOnAnything(t *testing.T) {
	run := func(t *testing.T, vpp vpptest.Target, rounds int) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		rapid.Check(t, func(rt *rapid.T) {
			e := kindrig.Engine(l3.Tables(c), l3.Routes(c))
			for range rounds {
				want := tablesForRecursion()
				for _, table := range []string{"red", "blue"} {
					for _, prefix := range []string{"0.0.0.0/0", "10.0.0.0/8", "10.9.0.0/16", "20.0.0.0/8", "10.9.0.1/32", "20.0.0.1/32"} {
						r := l3.Route{Table: table, Prefix: netip.MustParsePrefix(prefix)}
						for range rapid.IntRange(-2, 3).Draw(rt, "paths") {
							p := l3.Path{NextHop: netip.MustParseAddr(kindrig.Pick(rt, "hop", "10.9.0.1", "10.9.0.2", "10.9.0.3", "20.0.0.1", "30.0.0.1", "10.1.0.1"))}
							if elsewhere := kindrig.Pick(rt, "table", "red", "blue"); elsewhere != table {
								p.Table = elsewhere
							}
							next := r
							next.Paths = append(next.Paths, p)
							if next.Validate() == nil {
								r = next
							}
						}
						if len(r.Paths) > 0 || rapid.Bool().Draw(rt, "a drop") {
							want = append(want, r)
						}
					}
				}
				_, err := e.Sync(t.Context(), want...)
				require.NoError(rt, err)
				e.Forget()
				plan, err := e.Plan(t.Context(), want...)
				require.NoError(rt, err)
				require.Empty(rt, plan.Steps)
			}
		})
	}
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) { run(t, vpp, 4) })
}

// What somebody has said on VPP's CLI is below what we say, and in its way.
func TestARouteOverThatOfTheCLI(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		c, they := kindrig.Dial(t, vpp.Socket(), "me"), kindrig.Dial(t, vpp.Socket(), "they")
		they.Uses(&ip.IPRouteAddDelV2{})
		e := kindrig.Engine(l3.Tables(c), l3.Routes(c))
		kindrig.Steady(t, e, tablesForRecursion()...)
		cliPrefix, err := ip_types.ParsePrefix("10.9.0.0/16")
		require.NoError(t, err)
		hop := fib_types.FibPath{SwIfIndex: ^uint32(0), Weight: 1, TableID: 7}
		hop.Nh.Address.SetIP4(ip_types.IP4Address{30, 0, 0, 1})
		cli := &ip.IPRouteAddDelV2{IsAdd: true, Route: ip.IPRouteV2{TableID: 7, Src: 9, Prefix: cliPrefix, Paths: []fib_types.FibPath{hop}}}
		_, err = ip.NewServiceClient(they).IPRouteAddDelV2(t.Context(), cli)
		require.NoError(t, err)
		before := state()

		kindrig.Steady(t, e, append(tablesForRecursion(), recursive(t, "10.9.0.0/16 30.0.0.1 10.1.0.1")...)...)
		kindrig.Steady(t, e, append(tablesForRecursion(), recursive(t, "10.9.0.0/16 30.0.0.1 10.9.0.1 10.9.0.2")...)...)
		_, err = e.Sync(t.Context(), tablesForRecursion()...)
		require.NoError(t, err)
		require.Equal(t, before, state())
	})
}

// A gateway that no subnet has, with its MAC said by hand, is covered by the default route by it.
func TestAGatewayOffItsSubnet(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		e := engine(c)
		base := append(
			tablesForRecursion(), vppnet.Loopback{Name: "in"}, l3.Membership{Interface: "in", Table: "red"}, vppnet.LinkState{Interface: "in", Up: true},
			l3.Neighbour{Interface: "in", IP: netip.MustParseAddr("10.9.0.2"), MAC: kindrig.MAC(1)})
		for _, route := range []string{"0.0.0.0/0 10.9.0.2", "0.0.0.0/0 10.9.0.3"} {
			kindrig.Steady(t, e, append(base, recursive(t, route)...)...)
			_, err := e.Sync(t.Context(), base...)
			require.NoError(t, err)
			kindrig.Steady(t, e, base...)
		}
	})
}

// VPP executes what nobody waits for any more: what is taken back then is a whole route, to be ended as one.
func TestARecursiveRouteThatNobodyWaitedFor(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		for nth := 1; nth <= 4; nth++ {
			c := kindrig.Dial(t, vpp.Socket(), "me")
			e := kindrig.Engine(l3.Tables(c), l3.Routes(c))
			base := append(tablesForRecursion(), recursive(t, "10.9.0.0/16 10.1.0.1 10.9.0.1")...)
			kindrig.Steady(t, e, base...)
			want := append(base, recursive(t, "10.9.0.1/32 10.1.0.1")...)
			vpp.Inject(vpptest.Fault{Writes: true, Nth: nth, Kind: vpptest.Drop})
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			_, _ = e.Ensure(ctx, want...)
			cancel()
			vpp.Heal()
			_, err := e.Sync(t.Context(), want...)
			require.NoError(t, err)
			kindrig.Steady(t, e, want...)
			_, err = e.Sync(t.Context())
			require.NoError(t, err)
			require.NoError(t, c.Close())
		}
	})
}

// Whoever dies between the writes of a change leaves nothing behind for good, in a table of ours, and in one of which
// a part is claimed.
func TestAPinDoesNotStay(t *testing.T) {
	for table, forGood := range map[string]bool{"red": false, "": false, "blue": true} {
		t.Run("table "+table, func(t *testing.T) {
			kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
				claim := func(table string, prefix netip.Prefix) bool { return table == "" && prefix.Bits() == 8 }
				routes := func(hops ...string) []desiredstate.Object {
					r := l3.Route{Table: table, Prefix: netip.MustParsePrefix("10.0.0.0/8")}
					other := l3.Route{Table: table, Prefix: netip.MustParsePrefix("20.0.0.0/8"), Paths: []l3.Path{{NextHop: netip.MustParseAddr("10.9.0.9")}}}
					for _, h := range hops {
						r.Paths = append(r.Paths, l3.Path{NextHop: netip.MustParseAddr(h)})
					}
					return append(tablesForRecursion(), r, other)
				}
				they := kindrig.Dial(t, vpp.Socket(), "they")
				they.Uses(&ip.IPRouteV2Dump{})
				pins := func() (n int) {
					for _, id := range []uint32{0, 7, 8} {
						all, err := vppnet.Collect(ip.NewServiceClient(they).IPRouteV2Dump(t.Context(), &ip.IPRouteV2Dump{Src: 8, Table: ip.IPTable{TableID: id}}))
						require.NoError(t, err)
						for _, d := range all {
							if d.Route.Prefix.Len == 32 {
								n++
							}
						}
					}
					return n
				}
				seen := false
				for nth := 1; nth <= 5; nth++ {
					c := kindrig.Dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
					e := kindrig.Engine(l3.Tables(c), l3.Routes(c, claim))
					kindrig.Steady(t, e, routes("10.9.0.1", "10.9.0.2")...)
					vpp.Inject(vpptest.Fault{Writes: true, Nth: nth, Times: -1, Kind: vpptest.CutBefore})
					_, err := e.Sync(t.Context(), routes("10.9.0.3", "10.9.0.4")...)
					if nth <= 3 {
						require.Error(t, err)
					}
					require.NoError(t, c.Close())
					seen = seen || pins() > 0
					vpp.Heal()

					c = kindrig.Dial(t, vpp.Socket(), "me")
					e = kindrig.Engine(l3.Tables(c), l3.Routes(c, claim))
					if forGood {
						e.Prune = desiredstate.PruneNone
						_, err = e.Sync(t.Context(), routes("10.9.0.5")...)
						require.NoError(t, err)
						_, err = e.Sync(t.Context(), routes("10.9.0.1", "10.9.0.2")...)
						e.Prune = desiredstate.PruneAll
					} else {
						_, err = e.Sync(t.Context(), routes("10.9.0.3", "10.9.0.4")...)
					}
					require.NoError(t, err)
					require.Zero(t, pins())
					_, err = e.Sync(t.Context())
					require.NoError(t, err)
					require.NoError(t, c.Close())
				}
				require.True(t, seen, "no pin was left by any failure")
			})
		})
	}
}
