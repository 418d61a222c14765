// SPDX-License-Identifier: Apache-2.0

package nat_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	nat_ed "go.fd.io/govpp/binapi/nat44_ed"
	nat_ei "go.fd.io/govpp/binapi/nat44_ei"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Every kind of NAT keeps the laws, in both variants, on both VPPs.

func TestLawsOfPlugins(t *testing.T) {
	natLaws(t, func(v nat.Variant) natLaw[nat.Plugin] {
		return natLaw[nat.Plugin]{
			kind: func(c *vppnet.Conn) *desiredstate.Kind[nat.Plugin] { return nat.Plugins(c, v) },
			base: []desiredstate.Object{l3.Table{Name: "blue", ID: 8}},
			gen: rapid.Custom(func(t *rapid.T) nat.Plugin {
				seconds := func(label string) time.Duration {
					return kindrig.Pick(t, label, 0, time.Second, 1000*time.Second)
				}
				n := nat.Plugin{
					Sessions: kindrig.Pick[uint32](t, "sessions", 0, 1, 5000), Forwarding: kindrig.Pick(t, "forwarding", false, true),
					UDP: seconds("UDP"), TCPEstablished: seconds("established"), TCPTransitory: seconds("transitory"), ICMP: seconds("ICMP"),
					MSS: kindrig.Pick[uint16](t, "MSS", 0, 1, 1400, 65535), Restart: true,
					InsideTable: kindrig.Pick(t, "inside", "", "red", "blue"), OutsideTable: kindrig.Pick(t, "outside", "", "red", "blue"),
				}
				if v == nat.EndpointIndependent {
					n.Users, n.UserSessions = kindrig.Pick[uint32](t, "users", 0, 7), kindrig.Pick[uint32](t, "user sessions", 0, 100)
				}
				return n
			}),
			unowned: true,
		}
	})
}

func TestLawsOfInterfaces(t *testing.T) {
	natLaws(t, func(v nat.Variant) natLaw[nat.Interface] {
		return natLaw[nat.Interface]{
			kind: func(c *vppnet.Conn) *desiredstate.Kind[nat.Interface] { return nat.Interfaces(c, v) },
			base: []desiredstate.Object{vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"}, l3.Membership{Interface: "b", Table: "red"}},
			gen: rapid.Custom(func(t *rapid.T) nat.Interface {
				n := kindrig.Pick(t, "role", nat.Interface{Inside: true}, nat.Interface{Outside: true}, nat.Interface{Inside: true, Outside: true}, nat.Interface{Output: true})
				if n.Interface = kindrig.Pick(t, "interface", "a", "b"); n.Interface == "b" {
					n.Table = "red"
				}
				return n
			}),
		}
	})
}

func TestLawsOfAddresses(t *testing.T) {
	natLaws(t, func(v nat.Variant) natLaw[nat.Address] {
		return natLaw[nat.Address]{
			kind: func(c *vppnet.Conn) *desiredstate.Kind[nat.Address] { return nat.Addresses(c, v, natClaim) },
			gen: rapid.Custom(func(t *rapid.T) nat.Address {
				n := nat.Address{
					Address:  netip.MustParseAddr(kindrig.Pick(t, "address", "198.51.100.1", "198.51.100.2")),
					AnyTable: kindrig.Pick(t, "any table", false, true),
					Twice:    v == nat.EndpointDependent && kindrig.Pick(t, "twice", false, true),
				}
				if !n.AnyTable {
					n.Table = kindrig.Pick(t, "table", "", "red")
				}
				return n
			}),
		}
	})
}

func TestLawsOfMappings(t *testing.T) {
	natLaws(t, func(v nat.Variant) natLaw[nat.Mapping] {
		return natLaw[nat.Mapping]{
			kind: func(c *vppnet.Conn) *desiredstate.Kind[nat.Mapping] { return nat.Mappings(c, v) },
			base: []desiredstate.Object{nat.Address{Address: netip.MustParseAddr("198.51.100.7")}},
			gen: rapid.Custom(func(t *rapid.T) nat.Mapping {
				m := nat.Mapping{
					Name: kindrig.Pick(t, "name", "a", "b"), Table: kindrig.Pick(t, "table", "", "red"), Local: netip.MustParseAddr(kindrig.Pick(t, "local", "10.0.0.1", "10.0.0.2")),
					External: netip.MustParseAddr(kindrig.Pick(t, "external", "198.51.100.7", "198.51.100.8")),
					Protocol: kindrig.Pick(t, "protocol", nat.NoProtocol, nat.TCP, nat.UDP, nat.ICMP),
				}
				m.Pooled = m.External.String() == "198.51.100.7"
				if v == nat.EndpointIndependent && !m.Pooled {
					m.Protocol = nat.NoProtocol
				}
				if m.Protocol != nat.NoProtocol {
					m.LocalPort, m.ExternalPort = kindrig.Pick[uint16](t, "local port", 1, 65535), kindrig.Pick[uint16](t, "external port", 1, 80, 65535)
				}
				if v == nat.EndpointIndependent {
					return m
				}
				m.OneWay = kindrig.Pick(t, "one way", false, true)
				if m.Protocol != nat.NoProtocol {
					m.TwiceNAT = kindrig.Pick(t, "twice", false, true)
					m.SelfTwiceNAT = !m.TwiceNAT && kindrig.Pick(t, "self twice", false, true)
				}
				return m
			}),
		}
	})
}

func TestLawsOfIdentities(t *testing.T) {
	natLaws(t, func(v nat.Variant) natLaw[nat.Identity] {
		return natLaw[nat.Identity]{
			kind: func(c *vppnet.Conn) *desiredstate.Kind[nat.Identity] { return nat.Identities(c, v) },
			base: []desiredstate.Object{nat.Address{Address: netip.MustParseAddr("198.51.100.7")}},
			gen: rapid.Custom(func(t *rapid.T) nat.Identity {
				n := nat.Identity{
					Name: kindrig.Pick(t, "name", "a", "b"), Table: kindrig.Pick(t, "table", "", "red"), Address: netip.MustParseAddr(kindrig.Pick(t, "address", "198.51.100.7", "198.51.100.8")),
					Protocol: kindrig.Pick(t, "protocol", nat.NoProtocol, nat.TCP, nat.UDP, nat.ICMP),
				}
				n.Pooled = n.Address.String() == "198.51.100.7"
				if v == nat.EndpointIndependent && !n.Pooled {
					n.Protocol = nat.NoProtocol
				}
				if n.Protocol != nat.NoProtocol {
					n.Port = kindrig.Pick[uint16](t, "port", 1, 80, 65535)
				}
				return n
			}),
		}
	})
}

func TestLawsOfExits(t *testing.T) {
	natLawsOf(t, []nat.Variant{nat.EndpointDependent}, func(nat.Variant) natLaw[nat.Exit] {
		return natLaw[nat.Exit]{
			kind: nat.Exits,
			base: []desiredstate.Object{l3.Table{Name: "blue", ID: 8}, l3.Table{Name: "world", ID: 9}},
			gen: rapid.Custom(func(t *rapid.T) nat.Exit {
				return nat.Exit{Table: kindrig.Pick(t, "table", "red", "blue"), To: kindrig.Pick(t, "exits", nil, []string{"world"}, []string{l3.DefaultTable}, []string{"world", l3.DefaultTable}, []string{l3.DefaultTable, "world"})}
			}),
		}
	})
}

var natVariants = []nat.Variant{nat.EndpointDependent, nat.EndpointIndependent}

// natClaim is ours; the stranger's pool is beside it.
var natClaim = netip.MustParsePrefix("198.51.100.0/28")

// natKinds are those of NAT, and what they need.
func natKinds(c *vppnet.Conn, v nat.Variant, claim netip.Prefix) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		vppnet.Loopbacks(c), l3.Tables(c), l3.Memberships(c), nat.Interfaces(c, v), nat.Addresses(c, v, claim), nat.Mappings(c, v), nat.Identities(c, v),
	}
}

// natLaw is what is tested of a kind of a variant.
type natLaw[S desiredstate.Object] struct {
	kind    func(*vppnet.Conn) *desiredstate.Kind[S]
	base    []desiredstate.Object
	gen     *rapid.Generator[S]
	unowned bool // the kind is that of NAT itself, so no stranger has turned it on
}

func natLaws[S desiredstate.Object](t *testing.T, law func(nat.Variant) natLaw[S]) {
	natLawsOf(t, natVariants, law)
}

func natLawsOf[S desiredstate.Object](t *testing.T, variants []nat.Variant, law func(nat.Variant) natLaw[S]) {
	t.Parallel()
	for _, v := range variants {
		l := law(v)
		run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
			if !l.unowned {
				natStrangers(t, vpp.Socket(), v)
			}
			kindrig.Laws(t, kindtest.Suite[S]{Gen: l.gen, Checks: checks, Open: func(t testing.TB) kindtest.World[S] {
				c := kindrig.Dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
				w := kindtest.World[S]{Kind: l.kind(c), Base: append([]desiredstate.Object{l3.Table{Name: "red", ID: 7}}, l.base...), State: state, Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal}
				for _, m := range natKinds(c, v, natClaim) {
					if m.KindName() != w.Kind.Name {
						w.More = append(w.More, m)
					}
				}
				return w
			}})
		}
		for release, checks := range map[string]int{"": 4, "24.10": 1, "26.06": 1} {
			t.Run(v.String()+" in memory "+release, func(t *testing.T) {
				t.Parallel()
				vpp := vpptest.New(t, vpptest.Release(release))
				run(t, checks, vpp, vpp.String)
			})
		}
		t.Run(v.String()+" real", func(t *testing.T) {
			t.Parallel()
			vpp := vpptest.NewProxy(t, vpptest.Real(t).Socket())
			run(t, 4, vpp, func() string { return natState(vpp) })
		})
	}
}

// natDumps show all that the kinds can change.
var natDumps = []api.Message{
	&interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)},
	&ip.IPTableDump{},
	&nat_ed.Nat44ShowRunningConfig{}, &nat_ed.NatGetMssClamping{}, &nat_ed.Nat44InterfaceDump{}, &nat_ed.Nat44EdOutputInterfaceGet{},
	&nat_ed.Nat44AddressDump{}, &nat_ed.Nat44StaticMappingDump{}, &nat_ed.Nat44IdentityMappingDump{},
	&nat_ed.Nat44EdVrfTablesV2Dump{},
	&nat_ei.Nat44EiShowRunningConfig{}, &nat_ei.Nat44EiGetMssClamping{}, &nat_ei.Nat44EiInterfaceDump{}, &nat_ei.Nat44EiOutputInterfaceGet{},
	&nat_ei.Nat44EiAddressDump{}, &nat_ei.Nat44EiStaticMappingDump{}, &nat_ei.Nat44EiIdentityMappingDump{},
}

// natState is without what VPP forgets to clear: the settings of a NAT that is off, which it
// makes anew when it is turned on.
func natState(vpp *vpptest.Proxy) string {
	text := vpp.State(natDumps...)
	off := !strings.Contains(text, `"sessions"`)
	var out strings.Builder
	for line := range strings.Lines(text) {
		settings := strings.Contains(line, "_show_running_config_reply") || strings.Contains(line, "_mss_clamping_reply")
		if !(off && settings) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// natStrangers turns NAT on, and makes one of each that is not ours.
func natStrangers(t *testing.T, socket string, v nat.Variant) *desiredstate.Engine {
	c := kindrig.Dial(t, socket, "stranger")
	claim := netip.MustParsePrefix("203.0.113.0/24")
	addr := netip.MustParseAddr
	e := desiredstate.New(append(natKinds(c, v, claim), nat.Plugins(c, v))...)
	e.MaxPrune = 1
	_, err := e.Ensure(t.Context(),
		nat.Plugin{Sessions: 1000},
		vppnet.Loopback{Name: "a"},
		l3.Table{Name: "theirs", ID: 99}, // with ours in one table, its routes would go with ours: see Interfaces
		l3.Membership{Interface: "a", Table: "theirs"},
		nat.Interface{Interface: "a", Table: "theirs", Inside: true, Outside: true},
		nat.Address{Address: addr("203.0.113.1"), AnyTable: true},
		nat.Mapping{Name: "a", Local: addr("10.9.0.1"), External: addr("203.0.113.9")},
		nat.Mapping{Name: "b", Local: addr("10.9.0.1"), External: addr("203.0.113.1"), Protocol: nat.TCP, LocalPort: 1, ExternalPort: 1, Pooled: true},
		nat.Identity{Name: "a", Address: addr("203.0.113.8")},
	)
	require.NoError(t, err)
	return e
}
