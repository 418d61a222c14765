// SPDX-License-Identifier: Apache-2.0

package l3_test

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
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Every kind of NAT keeps the laws, in both variants, on both VPPs.

func TestLawsOfNATs(t *testing.T) {
	natLaws(t, func(v l3.NATVariant) natLaw[l3.NAT] {
		return natLaw[l3.NAT]{
			kind: func(c *vppnet.Conn) *desiredstate.Kind[l3.NAT] { return l3.NATs(c, v) },
			gen: rapid.Custom(func(t *rapid.T) l3.NAT {
				seconds := func(label string) time.Duration {
					return pick(t, label, 0, time.Second, 1000*time.Second)
				}
				n := l3.NAT{
					Sessions: pick[uint32](t, "sessions", 0, 1, 5000), Forwarding: pick(t, "forwarding", false, true),
					UDP: seconds("UDP"), TCPEstablished: seconds("established"), TCPTransitory: seconds("transitory"), ICMP: seconds("ICMP"),
					MSS: pick[uint16](t, "MSS", 0, 1, 1400, 65535), Restart: true,
				}
				if v == l3.EndpointIndependent {
					n.Users, n.UserSessions = pick[uint32](t, "users", 0, 7), pick[uint32](t, "user sessions", 0, 100)
				}
				return n
			}),
			unowned: true,
		}
	})
}

func TestLawsOfNATInterfaces(t *testing.T) {
	natLaws(t, func(v l3.NATVariant) natLaw[l3.NATInterface] {
		return natLaw[l3.NATInterface]{
			kind: func(c *vppnet.Conn) *desiredstate.Kind[l3.NATInterface] { return l3.NATInterfaces(c, v) },
			base: []desiredstate.Object{vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"}, l3.Membership{Interface: "b", Table: "red"}},
			gen: rapid.Custom(func(t *rapid.T) l3.NATInterface {
				n := pick(t, "role", l3.NATInterface{Inside: true}, l3.NATInterface{Outside: true}, l3.NATInterface{Inside: true, Outside: true}, l3.NATInterface{Output: true})
				if n.Interface = pick(t, "interface", "a", "b"); n.Interface == "b" {
					n.Table = "red"
				}
				return n
			}),
		}
	})
}

func TestLawsOfNATAddresses(t *testing.T) {
	natLaws(t, func(v l3.NATVariant) natLaw[l3.NATAddress] {
		return natLaw[l3.NATAddress]{
			kind: func(c *vppnet.Conn) *desiredstate.Kind[l3.NATAddress] { return l3.NATAddresses(c, v, natClaim) },
			gen: rapid.Custom(func(t *rapid.T) l3.NATAddress {
				n := l3.NATAddress{
					Address:  netip.MustParseAddr(pick(t, "address", "198.51.100.1", "198.51.100.2")),
					AnyTable: pick(t, "any table", false, true),
					Twice:    v == l3.EndpointDependent && pick(t, "twice", false, true),
				}
				if !n.AnyTable {
					n.Table = pick(t, "table", "", "red")
				}
				return n
			}),
		}
	})
}

func TestLawsOfNATMappings(t *testing.T) {
	natLaws(t, func(v l3.NATVariant) natLaw[l3.NATMapping] {
		return natLaw[l3.NATMapping]{
			kind: func(c *vppnet.Conn) *desiredstate.Kind[l3.NATMapping] { return l3.NATMappings(c, v) },
			base: []desiredstate.Object{l3.NATAddress{Address: netip.MustParseAddr("198.51.100.7")}},
			gen: rapid.Custom(func(t *rapid.T) l3.NATMapping {
				m := l3.NATMapping{
					Name: pick(t, "name", "a", "b"), Table: pick(t, "table", "", "red"), Local: netip.MustParseAddr(pick(t, "local", "10.0.0.1", "10.0.0.2")),
					External: netip.MustParseAddr(pick(t, "external", "198.51.100.7", "198.51.100.8")),
					Protocol: pick(t, "protocol", l3.NoProtocol, l3.TCP, l3.UDP, l3.ICMP),
				}
				m.Pooled = m.External.String() == "198.51.100.7"
				if v == l3.EndpointIndependent && !m.Pooled {
					m.Protocol = l3.NoProtocol
				}
				if m.Protocol != l3.NoProtocol {
					m.LocalPort, m.ExternalPort = pick[uint16](t, "local port", 1, 65535), pick[uint16](t, "external port", 1, 80, 65535)
				}
				if v == l3.EndpointIndependent {
					return m
				}
				m.OneWay = pick(t, "one way", false, true)
				if m.Protocol != l3.NoProtocol {
					m.TwiceNAT = pick(t, "twice", false, true)
					m.SelfTwiceNAT = !m.TwiceNAT && pick(t, "self twice", false, true)
				}
				return m
			}),
		}
	})
}

func TestLawsOfNATIdentities(t *testing.T) {
	natLaws(t, func(v l3.NATVariant) natLaw[l3.NATIdentity] {
		return natLaw[l3.NATIdentity]{
			kind: func(c *vppnet.Conn) *desiredstate.Kind[l3.NATIdentity] { return l3.NATIdentities(c, v) },
			base: []desiredstate.Object{l3.NATAddress{Address: netip.MustParseAddr("198.51.100.7")}},
			gen: rapid.Custom(func(t *rapid.T) l3.NATIdentity {
				n := l3.NATIdentity{
					Name: pick(t, "name", "a", "b"), Table: pick(t, "table", "", "red"), Address: netip.MustParseAddr(pick(t, "address", "198.51.100.7", "198.51.100.8")),
					Protocol: pick(t, "protocol", l3.NoProtocol, l3.TCP, l3.UDP, l3.ICMP),
				}
				n.Pooled = n.Address.String() == "198.51.100.7"
				if v == l3.EndpointIndependent && !n.Pooled {
					n.Protocol = l3.NoProtocol
				}
				if n.Protocol != l3.NoProtocol {
					n.Port = pick[uint16](t, "port", 1, 80, 65535)
				}
				return n
			}),
		}
	})
}

func TestLawsOfNATExits(t *testing.T) {
	natLawsOf(t, []l3.NATVariant{l3.EndpointDependent}, func(l3.NATVariant) natLaw[l3.NATExit] {
		return natLaw[l3.NATExit]{
			kind: l3.NATExits,
			base: []desiredstate.Object{l3.Table{Name: "blue", ID: 8}, l3.Table{Name: "world", ID: 9}},
			gen: rapid.Custom(func(t *rapid.T) l3.NATExit {
				return l3.NATExit{Table: pick(t, "table", "red", "blue"), To: pick(t, "exits", nil, []string{"world"}, []string{"world", l3.DefaultTable}, []string{l3.DefaultTable, "world"})}
			}),
		}
	})
}

var natVariants = []l3.NATVariant{l3.EndpointDependent, l3.EndpointIndependent}

// natClaim is ours; the stranger's pool is beside it.
var natClaim = netip.MustParsePrefix("198.51.100.0/28")

// natKinds are those of NAT, and what they need.
func natKinds(c *vppnet.Conn, v l3.NATVariant, claim netip.Prefix) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		vppnet.Loopbacks(c), l3.Tables(c), l3.Memberships(c), l3.NATInterfaces(c, v), l3.NATAddresses(c, v, claim), l3.NATMappings(c, v), l3.NATIdentities(c, v),
	}
}

// natLaw is what is tested of a kind of a variant.
type natLaw[S desiredstate.Object] struct {
	kind    func(*vppnet.Conn) *desiredstate.Kind[S]
	base    []desiredstate.Object
	gen     *rapid.Generator[S]
	unowned bool // the kind is that of NAT itself, so no stranger has turned it on
}

func natLaws[S desiredstate.Object](t *testing.T, law func(l3.NATVariant) natLaw[S]) {
	natLawsOf(t, natVariants, law)
}

func natLawsOf[S desiredstate.Object](t *testing.T, variants []l3.NATVariant, law func(l3.NATVariant) natLaw[S]) {
	t.Parallel()
	for _, v := range variants {
		l := law(v)
		run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
			if !l.unowned {
				natStrangers(t, vpp.Socket(), v)
			}
			check(t, kindtest.Suite[S]{Gen: l.gen, Checks: checks, Open: func(t testing.TB) kindtest.World[S] {
				c := dialVPP(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
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

// natState is without what VPP forgets to clear: the cursor of what is empty, and
// the settings of a NAT that is off, which it makes anew when it is turned on.
func natState(vpp *vpptest.Proxy) string {
	text := vpp.State(natDumps...)
	off := !strings.Contains(text, `"sessions"`)
	var out strings.Builder
	for line := range strings.Lines(text) {
		settings := strings.Contains(line, "_show_running_config_reply") || strings.Contains(line, "_mss_clamping_reply")
		if !strings.Contains(line, "_output_interface_get_reply") && !(off && settings) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// natStrangers turns NAT on, and makes one of each that is not ours.
func natStrangers(t *testing.T, socket string, v l3.NATVariant) *desiredstate.Engine {
	c := dialVPP(t, socket, "stranger")
	claim := netip.MustParsePrefix("203.0.113.0/24")
	addr := netip.MustParseAddr
	e := desiredstate.New(append(natKinds(c, v, claim), l3.NATs(c, v))...)
	e.MaxPrune = 1
	_, err := e.Ensure(t.Context(),
		l3.NAT{Sessions: 1000},
		vppnet.Loopback{Name: "a"},
		l3.Table{Name: "theirs", ID: 99}, // with ours in one table, its routes would go with ours: see NATInterfaces
		l3.Membership{Interface: "a", Table: "theirs"},
		l3.NATInterface{Interface: "a", Table: "theirs", Inside: true, Outside: true},
		l3.NATAddress{Address: addr("203.0.113.1"), AnyTable: true},
		l3.NATMapping{Name: "a", Local: addr("10.9.0.1"), External: addr("203.0.113.9")},
		l3.NATMapping{Name: "b", Local: addr("10.9.0.1"), External: addr("203.0.113.1"), Protocol: l3.TCP, LocalPort: 1, ExternalPort: 1, Pooled: true},
		l3.NATIdentity{Name: "a", Address: addr("203.0.113.8")},
	)
	require.NoError(t, err)
	return e
}
