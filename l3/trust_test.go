// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/vpe"
	"go.fd.io/govpp/binapi/vrrp"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// both runs a test on both VPPs. State is all that the kinds can change.
func both(t *testing.T, test func(t *testing.T, vpp vpptest.Target, state func() string)) {
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t)
		test(t, vpp, vpp.String)
	})
	t.Run("real", func(t *testing.T) {
		proxy := vpptest.NewProxy(t, vpptest.Real(t).Socket())
		test(t, proxy, func() string {
			return proxy.State(append(layer3Dumps(), &vrrp.VrrpVrDump{SwIfIndex: ^interface_types.InterfaceIndex(0)})...) + natState(proxy)
		})
	})
}

// drifted makes an engine's observer note which objects were found other than they
// were left.
func drifted(e *desiredstate.Engine) *[]desiredstate.Key {
	var keys []desiredstate.Key
	e.Observe = func(ev desiredstate.Event) {
		if ev.Type == desiredstate.Drift {
			keys = append(keys, ev.Key)
		}
	}
	return &keys
}

// steady sees that what was made is found as it was made: with the handle that was
// reported, and nothing has drifted.
func steady(t testing.TB, e *desiredstate.Engine, want ...desiredstate.Object) {
	t.Helper()
	keys := drifted(e)
	report, err := e.Ensure(t.Context(), want...)
	require.NoError(t, err)
	for range 2 {
		e.Forget()
		p, err := e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Zero(t, len(want)-p.Count(desiredstate.Keep), "%s", p)
		require.Empty(t, *keys, "have drifted")
	}
	found, err := e.Found(t.Context())
	require.NoError(t, err)
	ids := map[desiredstate.Key]uint32{}
	for _, f := range found {
		ids[f.Key] = f.ID
	}
	for _, o := range want {
		r, ok := report.Of(o.Key())
		require.True(t, ok, o.Key())
		require.Equal(t, ids[o.Key()], r.ID, "handle of %s", o.Key())
	}
}

// natAll is one of everything of NAT.
func natAll(v l3.NATVariant) []desiredstate.Object {
	out := []desiredstate.Object{
		l3.NAT{Sessions: 1000},
		l3.Table{Name: "nat", ID: 55},
		vppnet.Loopback{Name: "leg"},
		vppnet.Loopback{Name: "world"},
		l3.Membership{Interface: "leg", Table: "nat"},
		l3.NATInterface{Interface: "leg", Table: "nat", Inside: true},
		l3.NATInterface{Interface: "world", Outside: true},
		l3.NATAddress{Address: addr("192.0.2.3"), Table: "nat"},
		l3.NATAddress{Address: addr("192.0.2.1"), Table: "nat"},
		l3.NATAddress{Address: addr("192.0.2.2"), Table: "nat"},
		l3.NATMapping{Name: "fip", Local: hostA, External: addr("192.0.2.9"), Table: "nat"},
		l3.NATMapping{Name: "web", Local: hostB, LocalPort: 80, External: addr("192.0.2.1"), ExternalPort: 80, Protocol: l3.TCP, Table: "nat", Pooled: true},
		l3.NATIdentity{Name: "ssh", Address: addr("192.0.2.2"), Protocol: l3.TCP, Port: 22, Table: "nat", Pooled: true},
	}
	if v == l3.EndpointDependent {
		out = append(out, l3.NATIdentity{Name: "self", Address: addr("192.0.2.8"), Table: "nat"})
		out = append(out, l3.NATExit{Table: "nat", To: []string{l3.DefaultTable}}, l3.NATAddress{Address: addr("192.0.2.1"), Table: "nat", Twice: true})
	}
	return out
}

func natRouter(c *vppnet.Conn, v l3.NATVariant) *desiredstate.Engine {
	list := append(natKinds(c, v, natClaim), l3.NATs(c, v), vppnet.LinkStates(c), l3.Addresses(c))
	if v == l3.EndpointDependent {
		list = append(list, l3.NATExits(c))
	}
	e := desiredstate.New(list...)
	e.MaxPrune = 1
	return e
}

// standby is a virtual router and what it needs.
func standby() []desiredstate.Object {
	own := l3.Address{Interface: "door", Prefix: prefix("10.7.0.1/24")}
	return []desiredstate.Object{
		vppnet.Loopback{Name: "door"},
		vppnet.Loopback{Name: "seen"},
		vppnet.LinkState{Interface: "door", Up: true},
		own,
		l3.VirtualRouter{
			Interface: "door", ID: 3, Addresses: addrs("10.7.0.9"), Peers: addrs("10.7.0.2"), Track: []l3.TrackedInterface{{Interface: "seen", Decrement: 10}},
			Interval: interval, After: []desiredstate.Key{own.Key()},
		},
	}
}

const interval = 40e9 // so that nobody becomes master meanwhile

func virtualEngine(c *vppnet.Conn) *desiredstate.Engine {
	e := desiredstate.New(append(routed(c), l3.VirtualRouters(c))...)
	e.MaxPrune = 1
	return e
}

// What is made has the handle by which it is found, and right after that nothing has
// drifted.
func TestNothingDriftsByItself(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := dialVPP(t, vpp.Socket(), "me")
		for _, table := range []string{"", "red"} {
			steady(t, engine(c), all(table)...)
			_, err := engine(c).Sync(t.Context())
			require.NoError(t, err)
		}
		for _, v := range natVariants {
			c := dialVPP(t, vpp.Socket(), "me") // a connection knows one variant
			steady(t, natRouter(c, v), natAll(v)...)
			_, err := natRouter(c, v).Sync(t.Context())
			require.NoError(t, err)
		}
		steady(t, virtualEngine(c), standby()...)
		_, err := virtualEngine(c).Sync(t.Context())
		require.NoError(t, err)
	})
}

// Whatever message was the last that VPP heard of us, whoever comes next and wants
// nothing of it leaves nothing.
func TestNothingIsLeft(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target, state func() string) {
		c := dialVPP(t, vpp.Socket(), "me")
		abandoned := func(c *vppnet.Conn, engine func(*vppnet.Conn) *desiredstate.Engine, want ...desiredstate.Object) {
			before := ""
			for nth := 0; ; nth++ { // the first round lets VPP keep what it keeps for ever
				e := engine(c)
				e.Parallel = 1 // as if it died, nothing comes after what is refused
				sent := vpp.Writes()
				if nth > 0 {
					vpp.FailWrite(nth, false)
				}
				ctx, die := context.WithCancel(t.Context())
				e.Observe = func(ev desiredstate.Event) {
					if ev.Type == desiredstate.Failed {
						die()
					}
				}
				_, err := e.Ensure(ctx, want...)
				die()
				struck := vpp.Writes()-sent >= nth
				vpp.Heal()
				next := engine(c)
				for range 3 {
					if _, err = next.Sync(t.Context()); err == nil {
						break
					}
				}
				require.NoError(t, err, "after message %d", nth)
				if nth == 0 {
					before = state()
					continue
				}
				require.Equal(t, before, state(), "killed before message %d", nth)
				if !struck {
					return
				}
			}
		}
		abandoned(c, engine, all("red")...)
		for _, v := range natVariants {
			abandoned(dialVPP(t, vpp.Socket(), "me"), func(c *vppnet.Conn) *desiredstate.Engine { return natRouter(c, v) }, natAll(v)...)
		}
		abandoned(c, virtualEngine, standby()...)
	})
}

// On a VPP that does not tell which table a proxy ARP range is in, nothing but such
// ranges is refused, before anything is sent.
func TestProxyARPOfAnOlderVPP(t *testing.T) {
	vpp := vpptest.New(t)
	range1 := l3.ProxyARPRange{Table: "red", Low: addr("10.0.0.1"), High: addr("10.0.0.9")}
	newer := dialVPP(t, vpp.Socket(), "me")
	kinds := func(c *vppnet.Conn) *desiredstate.Engine {
		return desiredstate.New(vppnet.Loopbacks(c), l3.Tables(c), l3.ProxyARPRanges(c, l3.ClaimTables(func(name string) bool { return name == l3.DefaultTable })))
	}
	_, err := kinds(newer).Ensure(t.Context(), l3.Table{Name: "red"}, range1)
	require.NoError(t, err)
	vpptest.Handle(vpp, func(*vpptest.Call, *vpe.ShowVersion) *vpe.ShowVersionReply {
		return &vpe.ShowVersionReply{Program: "vpe", Version: "25.06-release"}
	})
	e := kinds(dialVPP(t, vpp.Socket(), "me"))
	_, err = e.Ensure(t.Context(), vppnet.Loopback{Name: "unrelated"}, l3.ProxyARPRange{Low: addr("10.0.0.1"), High: addr("10.0.0.2")})
	require.NoError(t, err)
	e.Forget()
	before := vpp.Writes()
	_, err = e.Ensure(t.Context(), range1)
	require.ErrorIs(t, err, desiredstate.ErrInvalid)
	require.ErrorContains(t, err, "use VPP 25.10 or later")
	require.Equal(t, before, vpp.Writes())
	e.Forget()
	_, err = e.Ensure(t.Context(), vppnet.Loopback{Name: "another"})
	require.NoError(t, err)
}

func oneAddress(text string) []ip_types.Address {
	a, _ := ip_types.ParseAddress(text)
	return []ip_types.Address{a}
}

// What somebody else made in a way that no spec can say, or on interfaces that are
// none, stops no reading.
func TestOddThingsStopNoReading(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c, other := dialVPP(t, vpp.Socket(), "me"), dialVPP(t, vpp.Socket(), "other")
		other.Uses(&vrrp.VrrpVrAddDel{}, &vrrp.VrrpVrSetPeers{})
		r := vrrp.NewServiceClient(other)
		_, err := r.VrrpVrAddDel(t.Context(), &vrrp.VrrpVrAddDel{IsAdd: 1, VrID: 9, Priority: 100, Interval: 4000, Flags: vrrp.VRRP_API_VR_UNICAST, Addrs: oneAddress("10.0.0.9")})
		require.NoError(t, err)
		_, err = r.VrrpVrSetPeers(t.Context(), &vrrp.VrrpVrSetPeers{VrID: 9, Addrs: oneAddress("10.0.0.8")})
		require.NoError(t, err)
		e := virtualEngine(c)
		_, err = e.Sync(t.Context(), standby()...)
		require.NoError(t, err)
		p, err := virtualEngine(c).Plan(t.Context(), standby()...)
		require.NoError(t, err)
		require.Empty(t, p.Steps)
	})
}

// NAT that somebody else has is not ours to turn off, with or without settings of ours.
func TestNATThatOthersUse(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		for _, v := range natVariants {
			t.Run(v.String(), func(t *testing.T) {
				strangers := natStrangers(t, vpp.Socket(), v)
				c := dialVPP(t, vpp.Socket(), "me")
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
				_, err = e.Sync(t.Context(), l3.NAT{Sessions: 1000, MSS: 1400})
				require.NoError(t, err, "our settings alone")
				e.Forget()
				p, err := e.Plan(t.Context(), l3.NAT{Sessions: 1000, MSS: 1400})
				require.NoError(t, err)
				require.Empty(t, p.Steps)
				_, err = e.Sync(t.Context(), l3.NAT{Sessions: 1000})
				require.NoError(t, err)
				_, err = e.Sync(t.Context())
				require.NoError(t, err)
				idle()
				_, err = natRouter(c, v).Ensure(t.Context(), l3.NAT{Sessions: 2000})
				require.ErrorIs(t, err, desiredstate.ErrForeign)
				require.ErrorContains(t, err, "fixed while it is on")

				// It was the strangers' all along.
				_, err = strangers.Sync(t.Context())
				require.NoError(t, err)
				p, err = natRouter(dialVPP(t, vpp.Socket(), "third"), v).Plan(t.Context())
				require.NoError(t, err)
				require.Empty(t, p.Steps, "it is off")
			})
		}
	})
}

// Two objects that say different things of one are told so: one of them is there, the
// other is refused, and neither is written again and again.
func TestTwoValidSpecsNeverFight(t *testing.T) {
	own := l3.Address{Interface: "door", Prefix: prefix("10.7.0.1/24")}
	base := []desiredstate.Object{
		vppnet.Loopback{Name: "door"}, vppnet.Loopback{Name: "other"}, vppnet.LinkState{Interface: "door", Up: true}, own, l3.Table{Name: "red"}, l3.NAT{Sessions: 1000},
	}
	router := func(id uint8, address string, accept bool) l3.VirtualRouter {
		return l3.VirtualRouter{Interface: "door", ID: id, Addresses: addrs(address), Accept: accept, Interval: interval, After: []desiredstate.Key{own.Key()}}
	}
	pairs := map[string]struct {
		a, b    desiredstate.Object
		refused bool // one of them; else both can be there
	}{
		"an address, and a virtual router that lends it": {l3.Address{Interface: "door", Prefix: prefix("10.7.0.9/24")}, router(1, "10.7.0.9", true), true},
		"two virtual routers that lend one address":      {router(1, "10.7.0.9", true), router(2, "10.7.0.9", true), true},
		"an address, and addresses of another":           {l3.Address{Interface: "other", Prefix: prefix("10.8.0.1/24")}, l3.Unnumbered{Interface: "other", Lender: "door"}, true},
		"one address on two interfaces":                  {l3.Address{Interface: "other", Prefix: prefix("10.8.0.1/24")}, l3.Address{Interface: "door", Prefix: prefix("10.8.0.1/25")}, true},
		"a neighbour, and a route to it": {
			l3.Neighbour{Interface: "door", IP: addr("10.7.0.5"), MAC: mac(5)},
			l3.Route{Table: "red", Prefix: prefix("10.7.0.5/32"), Paths: []l3.Path{{Interface: "door", NextHop: addr("10.7.0.6")}}},
			false,
		},
		"a mapping, and an exemption of its host": {
			l3.NATMapping{Name: "m", Local: hostA, External: addr("198.51.100.9")}, l3.NATIdentity{Name: "i", Address: hostA}, true,
		},
		"a mapping, and an exemption of its address": {
			l3.NATMapping{Name: "m", Local: hostA, External: addr("198.51.100.9")}, l3.NATIdentity{Name: "i", Address: addr("198.51.100.9")}, true,
		},
		"two mappings of one address": {
			l3.NATMapping{Name: "m", Local: hostA, External: addr("198.51.100.9")}, l3.NATMapping{Name: "n", Local: hostB, External: addr("198.51.100.9")}, true,
		},
		"a mapping of an address, and one of its port": {
			l3.NATMapping{Name: "m", Local: hostA, External: addr("198.51.100.9")},
			l3.NATMapping{Name: "n", Local: hostB, External: addr("198.51.100.9"), Protocol: l3.TCP, LocalPort: 80, ExternalPort: 80, Pooled: false},
			false,
		},
		"two ranges that overlap": {
			l3.ProxyARPRange{Table: "red", Low: addr("10.0.0.1"), High: addr("10.0.0.9")}, l3.ProxyARPRange{Table: "red", Low: addr("10.0.0.5"), High: addr("10.0.0.20")}, false,
		},
		"two tables of one number": {l3.Table{Name: "x", ID: 9}, l3.Table{Name: "y", ID: 9}, true},
	}
	both(t, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := dialVPP(t, vpp.Socket(), "me")
		make := func() *desiredstate.Engine {
			v := l3.EndpointDependent
			e := desiredstate.New(append(kinds(c), l3.VirtualRouters(c), l3.NATs(c, v), l3.NATAddresses(c, v, natClaim), l3.NATMappings(c, v), l3.NATIdentities(c, v))...)
			e.MaxPrune = 1
			return e
		}
		for name, p := range pairs {
			for _, pair := range [][]desiredstate.Object{{p.a, p.b}, {p.b, p.a}} {
				t.Run(name, func(t *testing.T) {
					_, err := make().Sync(t.Context(), base...)
					require.NoError(t, err)
					e := make()
					_, err = e.Ensure(t.Context(), pair[0])
					require.NoError(t, err)
					all := append(append([]desiredstate.Object(nil), base...), pair...)
					_, err = e.Ensure(t.Context(), pair...)
					require.Equal(t, p.refused, err != nil, "%v", err)
					_, _ = make().Sync(t.Context(), all...)
					before := vpp.Writes()
					for range 2 {
						_, err = make().Sync(t.Context(), all...)
						require.Equal(t, p.refused, err != nil, "%v", err)
					}
					require.Equal(t, before, vpp.Writes(), "%v", vpp.Sent())
				})
			}
		}
	})
}

// VPP dies of the first adjacency on an overlay's own interface, so nothing is said of one,
// claimed or not.
func TestOverlaysOwnInterfacesAreLeftAlone(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface("lisp_gpe0"))
	c := dialVPP(t, vpp.Socket(), "me")
	name := vppnet.Foreign("lisp_gpe0")
	e := desiredstate.New(l3.Addresses(c, vppnet.ClaimInterfaces(func(string) bool { return true })), l3.Tables(c), l3.Routes(c), l3.Neighbours(c))
	_, err := e.Ensure(t.Context(), l3.Table{Name: "red", ID: 7})
	require.NoError(t, err)
	before := vpp.Writes()
	for _, o := range []desiredstate.Object{
		l3.Address{Interface: name, Prefix: netip.MustParsePrefix("10.0.0.1/24")},
		l3.Neighbour{Interface: name, IP: netip.MustParseAddr("10.0.0.2"), MAC: mac(1)},
		l3.Route{Table: "red", Prefix: netip.MustParsePrefix("10.1.0.0/24"), Paths: []l3.Path{{Interface: name, NextHop: netip.MustParseAddr("10.0.0.2")}}},
	} {
		_, err := e.Ensure(t.Context(), o)
		require.ErrorIs(t, err, desiredstate.ErrForeign, "%T", o)
	}
	require.Equal(t, before, vpp.Writes())
}
