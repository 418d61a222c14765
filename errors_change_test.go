// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/kinds/wireguard"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

const wireguardKey = "EBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLk8="

// change is a step from what is wanted to what else is.
type change struct {
	kinds    func(c *vppnet.Conn) []desiredstate.AnyKind // nil: many
	base     []desiredstate.Object                       // there all the time
	from, to []desiredstate.Object
	says     string // of the refusal
	unsaid   bool   // it is no plan that says so: it takes a VPP to know
	memory   bool   // a real one has no such directory
}

func many(c *vppnet.Conn) []desiredstate.AnyKind {
	return kinds(vppnet.Loopbacks(c), vppnet.LinkStates(c), vppnet.SubInterfaces(c), vppnet.Pipes(c), vppnet.VXLANTunnels(c, l3.Tables(c)),
		vppnet.MemifSockets(c, "/run/vpp"), vppnet.Memifs(c), vppnet.TAPs(c), vhost.Ports(c, "/run/vpp"), bond.Bonds(c), bond.Members(c), wireguard.Interfaces(c), wireguard.Peers(c),
		l3.Tables(c), l3.Memberships(c), l3.Addresses(c), l3.Unnumbereds(c), l3.CrossConnects(c), acl.Sets(c), l3.PolicyRoutes(c, acl.Sets(c)), vppnet.PipeEnds(c), vrrp.Routers(c), nat.Plugins(c, nat.EndpointDependent), nat.Interfaces(c, nat.EndpointDependent), nat64.Interfaces(c, nat64.Sizes{}))
}

func independent(c *vppnet.Conn) []desiredstate.AnyKind {
	v := nat.EndpointIndependent
	return kinds(nat.Plugins(c, v), nat.Addresses(c, v, prefix("198.51.100.0/24")), nat.Mappings(c, v), nat.Identities(c, v))
}

var (
	loop   = vppnet.Loopback{Name: "a"}
	tunnel = wireguard.Interface{Name: "w", PrivateKey: vppnet.NewSecret(wireguardKey), Src: addr("10.0.0.1"), Port: 5}
	group  = func(name, on string, vni uint32) vppnet.VXLANTunnel {
		return vppnet.VXLANTunnel{Name: name, Src: addr("10.0.0.1"), Dst: addr("239.1.1.1"), Group: on, VNI: vni}
	}
	member = bond.Member{Bond: "o", Interface: "a"}
	base   = l3.Address{Interface: "a", Prefix: prefix("10.0.0.1/24")}
	router = vrrp.Router{Interface: "a", ID: 1, Addresses: []netip.Addr{addr("10.0.0.7")}, After: []desiredstate.Key{base.Key()}}
	own    = l3.Address{Interface: "a", Prefix: prefix("10.0.0.7/24")}
	red    = l3.Membership{Interface: "a", Table: "r"}
)

// refusedChanges have what is there made anew, and cannot be.
func refusedChanges() map[string]change {
	name := strings.Repeat("x", 54) // fits with the owner "node", and with few options
	pool, m := nat.Address{Address: addr("198.51.100.1")}, nat.Mapping{
		Name: "m", Local: addr("10.0.0.5"), External: addr("198.51.100.1"), Protocol: nat.TCP, LocalPort: 5, ExternalPort: 5, Pooled: true,
	}
	twice, lone, passive, master := m, m, member, router
	twice.TwiceNAT, lone.Pooled, passive.Passive, master.Priority = true, false, true, 255
	return map[string]change{
		"a port's options": {
			from: objects(vhost.Port{Name: name, Socket: "/run/vpp/s"}),
			to:   objects(vhost.Port{Name: name, Socket: "/run/vpp/s", GSO: true, Packed: true, EventIndex: true}), says: "fit VPP's tag",
		},
		"a TAP's options": {
			from: objects(vppnet.TAP{Name: name}), to: objects(vppnet.TAP{Name: name, RxQueues: 2, TxQueues: 2}), says: "fit VPP's tag",
		},
		"a memif's options": {
			base: objects(vppnet.MemifSocket{Path: "/run/vpp/x"}), from: objects(vppnet.Memif{Name: name, Socket: "/run/vpp/x", Slave: true}),
			to: objects(vppnet.Memif{Name: name, Socket: "/run/vpp/x", Slave: true, RxQueues: 2, TxQueues: 2}), says: "fit VPP's tag",
		},
		"a bond's options": {
			from: objects(bond.Bond{Name: name + "xxxx", Mode: bond.XOR}), to: objects(bond.Bond{Name: name + "xxxx", Mode: bond.XOR, GSO: true}), says: "fit VPP's tag",
		},
		"users of a NAT that does not count them": {
			from: objects(nat.Plugin{}), to: objects(nat.Plugin{Users: 5, Restart: true}), says: "does not count users",
		},
		"twice-NAT of a NAT without": {
			kinds: independent, base: objects(nat.Plugin{}, pool), from: objects(m), to: objects(twice), says: "has neither twice-NAT",
		},
		"a port of an address outside the pool": {
			kinds: independent, base: objects(nat.Plugin{}, pool), from: objects(m), to: objects(lone), says: "only of an address of the pool",
		},
		"an exempt port outside the pool": {
			kinds: independent, base: objects(nat.Plugin{}, pool), from: objects(nat.Identity{Name: "i", Address: pool.Address, Protocol: nat.TCP, Port: 5, Pooled: true}),
			to: objects(nat.Identity{Name: "i", Address: pool.Address, Protocol: nat.TCP, Port: 6}), says: "only of an address of the pool",
		},
		"an option that the bond's mode does not look at": {
			base: objects(loop, bond.Bond{Name: "o", Mode: bond.XOR}), from: objects(member), to: objects(passive), says: "the bond's mode is xor",
		},
		"a member of what is no bond": {
			base: objects(loop, vppnet.Loopback{Name: "b"}, bond.Bond{Name: "o", Mode: bond.XOR}), from: objects(member), to: objects(bond.Member{Bond: "b", Interface: "a"}), says: "b is no bond",
		},
		"VLANs on WireGuard": {
			base: objects(loop, tunnel), from: objects(vppnet.SubInterface{Name: "s", Parent: "a", Outer: 5}),
			to: objects(vppnet.SubInterface{Name: "s", Parent: "w", Outer: 5}), says: "carries no VLANs",
		},
		"VLANs on WireGuard that is to come": {
			base: objects(loop), from: objects(vppnet.SubInterface{Name: "s", Parent: "a", Outer: 5}),
			to: objects(tunnel, vppnet.SubInterface{Name: "s", Parent: "w", Outer: 5}), says: "carries no VLANs",
		},
		"VLANs on a pipe": {
			base: objects(loop, vppnet.Pipe{Name: "p"}), from: objects(vppnet.SubInterface{Name: "s", Parent: "a", Outer: 5}),
			to: objects(vppnet.SubInterface{Name: "s", Parent: "p", Outer: 5}), says: "is a pipe",
		},
		"a group by two interfaces": {
			base: objects(loop, vppnet.Loopback{Name: "b"}, group("x", "a", 1)), from: objects(group("y", "a", 2)), to: objects(group("y", "b", 2)),
			says: "VPP has only one way to each group", unsaid: true,
		},
		"the owner's priority without the address": {
			base: objects(loop, vppnet.LinkState{Interface: "a", Up: true}, base),
			from: objects(router), to: objects(master), says: "interface a has no 10.0.0.7", unsaid: true,
		},
		"an address of another table than its interface's": {
			base: objects(loop, l3.Table{Name: "r"}, red), from: objects(l3.Address{Interface: "a", Prefix: own.Prefix, Table: "r"}),
			to: objects(own), says: "say there what its Membership says", unsaid: true,
		},
		"a borrower in another table than is said": {
			base: objects(loop, vppnet.Loopback{Name: "b"}, l3.Table{Name: "r"}, red, l3.Membership{Interface: "b", Table: "r"}),
			from: objects(l3.Unnumbered{Interface: "a", Lender: "b", Table: "r"}), to: objects(l3.Unnumbered{Interface: "a", Lender: "b"}),
			says: "say so in Unnumbered.Table", unsaid: true,
		},
		"an interface into a table without one of its families": {
			base: objects(loop, l3.Table{Name: "r"}, l3.Table{Name: "four", NoIPv6: true}), from: objects(red),
			to: objects(l3.Membership{Interface: "a", Table: "four"}), says: "has no ipv6", unsaid: true,
		},
		"an end of what is no pipe": {
			base: objects(loop, vppnet.Pipe{Name: "p"}), from: objects(vppnet.PipeEnd{Name: "e", Pipe: "p"}),
			to: objects(vppnet.PipeEnd{Name: "e", Pipe: "a"}), says: "a is no pipe", unsaid: true,
		},
		"a peer of what is no WireGuard": {
			base: objects(loop, tunnel), from: objects(wireguard.Peer{Interface: "w", PublicKey: wireguard.PublicKey{1}, AllowedIPs: []netip.Prefix{prefix("10.0.0.0/24")}}),
			to: objects(wireguard.Peer{Interface: "a", PublicKey: wireguard.PublicKey{1}, AllowedIPs: []netip.Prefix{prefix("10.0.0.0/24")}}), says: "a is no WireGuard interface", unsaid: true,
		},
		"a cross-connect to no interface": {
			base: objects(loop, vppnet.Loopback{Name: "b"}), from: objects(l3.CrossConnect{Interface: "a", Paths: []l3.Path{{Interface: "b"}}}),
			to: objects(l3.CrossConnect{Interface: "a", Paths: []l3.Path{{Interface: "vpp:local0"}}}), says: "VPP's word for none", unsaid: true,
		},
		"a policy's way to no interface": {
			base: objects(loop, acl.Set{Name: "s"}), from: objects(l3.PolicyRoute{Set: "s", Paths: []l3.Path{{Interface: "a"}}}),
			to: objects(l3.PolicyRoute{Set: "s", Paths: []l3.Path{{Interface: "vpp:local0"}}}), says: "VPP's word for none", unsaid: true,
		},
		"a cross-connect into a table without the family": {
			base: objects(loop, l3.Table{Name: "t", NoIPv6: true}), from: objects(l3.CrossConnect{Interface: "a", IPv6: true, Paths: []l3.Path{{NextHop: addr("2001:db8::1")}}}),
			to: objects(l3.CrossConnect{Interface: "a", IPv6: true, Paths: []l3.Path{{NextHop: addr("2001:db8::1"), Table: "t"}}}), says: "table t has no ipv6",
		},
		"a policy's way into a table without the family": {
			base: objects(acl.Set{Name: "s"}, l3.Table{Name: "t", NoIPv4: true}), from: objects(l3.PolicyRoute{Set: "s", Paths: []l3.Path{{NextHop: addr("10.0.0.1")}}}),
			to: objects(l3.PolicyRoute{Set: "s", Paths: []l3.Path{{NextHop: addr("10.0.0.1"), Table: "t"}}}), says: "table t has no ipv4",
		},
		"a memif of another role than its socket's": {
			base: objects(vppnet.MemifSocket{Path: "/run/vpp/x"}, vppnet.MemifSocket{Path: "/run/vpp/y"}, vppnet.Memif{Name: "n", Socket: "/run/vpp/y"}),
			from: objects(vppnet.Memif{Name: "m", Socket: "/run/vpp/x", Slave: true}), to: objects(vppnet.Memif{Name: "m", Socket: "/run/vpp/y", ID: 5, Slave: true}),
			says: "of the other role", unsaid: true, memory: true,
		},
		"a role in another table than the interface's": {
			base: objects(loop, l3.Table{Name: "r"}, red, nat.Plugin{Sessions: 1000}), from: objects(nat.Interface{Interface: "a", Table: "r", Inside: true}),
			to: objects(nat.Interface{Interface: "a", Inside: true}), says: "table-member/a holds place-in-default-table/a ipv4",
		},
		"a role in a table of the other family": {
			base: objects(loop, l3.Table{Name: "r"}, l3.Membership{Interface: "a", Table: "r", NoIPv4: true}, nat.Plugin{Sessions: 1000}),
			from: objects(nat.Interface{Interface: "a", Outside: true}), to: objects(nat.Interface{Interface: "a", Table: "r", Outside: true}), says: "say there what its Membership says", unsaid: true,
		},
		"a side in a table of the other family": {
			base: objects(loop, l3.Table{Name: "r"}, l3.Membership{Interface: "a", Table: "r", NoIPv6: true}),
			from: objects(nat64.Interface{Interface: "a", Table: "r"}), to: objects(nat64.Interface{Interface: "a", Table: "r", Inside: true}), says: "say there what its Membership says", unsaid: true,
		},
	}
}

// eachVPP tests in memory and, what depends on VPP's word, on a real one too.
func eachVPP(t *testing.T, real bool, test func(t *testing.T, vpp vpptest.Target)) {
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t, vpptest.WithDirectory("/run/vpp"))) })
	if real {
		t.Run("real", func(t *testing.T) { test(t, vpptest.NewProxy(t, vpptest.Real(t).Socket())) })
	}
}

// changeBed is an engine that has brought about what a change begins with.
func changeBed(t *testing.T, vpp vpptest.Target, x change) *desiredstate.Engine {
	t.Helper()
	if x.kinds == nil {
		x.kinds = many
	}
	e := kindrig.Engine(x.kinds(kindrig.Dial(t, vpp.Socket(), "node"))...)
	_, err := e.Sync(t.Context(), append(x.base, x.from...)...)
	require.NoError(t, err)
	return e
}

// What cannot be made does not cost what is there, nor what hangs on it.
func TestRefusedChangeLeavesWhatIsThere(t *testing.T) {
	for name, x := range refusedChanges() {
		refusedChange := func(t *testing.T, vpp vpptest.Target) {
			e := changeBed(t, vpp, x)
			last := x.to[len(x.to)-1]
			require.NoError(t, last.Validate(), "what is not valid by itself is no case of this test")
			p, err := e.Plan(t.Context(), append(x.base, x.to...)...)
			require.NoError(t, err)
			require.Equal(t, x.unsaid, p.Count(desiredstate.Block) == 0, p)
			before := vpp.Writes()
			if len(x.to) == 1 {
				_, err = e.Ensure(t.Context(), last)
				require.ErrorContains(t, err, x.says)
				require.Equal(t, before, vpp.Writes(), "nothing was sent")
			}
			_, err = e.Sync(t.Context(), append(x.base, x.to...)...)
			require.ErrorContains(t, err, x.says)
			e.Forget()
			p, err = e.Plan(t.Context(), append(x.base, x.from[len(x.from)-1])...)
			require.NoError(t, err)
			require.Zero(t, p.Count(desiredstate.Create), "%v", p)
		}
		t.Run(name, func(t *testing.T) { eachVPP(t, x.unsaid && !x.memory, refusedChange) })
	}
}

// What only looks as if it would be refused, because it comes together with what it needs, is done.
func TestChangesThatComeTogether(t *testing.T) {
	passive, master := member, router
	passive.Passive, master.Priority, master.After = true, 255, []desiredstate.Key{base.Key(), own.Key()}
	unnamed := master
	unnamed.After = router.After
	for name, x := range map[string]change{
		"a bond's mode, and a member's option": {
			base: objects(loop), from: objects(bond.Bond{Name: "o", Mode: bond.XOR}, member), to: objects(bond.Bond{Name: "o", Mode: bond.LACP}, passive),
		},
		"all tunnels of a group": {
			base: objects(loop, vppnet.Loopback{Name: "b"}), from: objects(group("x", "a", 1), group("y", "a", 2)), to: objects(group("x", "b", 1), group("y", "b", 2)),
		},
		"a borrower and its interfaces, out of a table": {
			base: objects(loop, vppnet.Loopback{Name: "b"}, l3.Table{Name: "r"}), from: objects(red, l3.Membership{Interface: "b", Table: "r"}, l3.Unnumbered{Interface: "a", Lender: "b", Table: "r"}),
			to: objects(l3.Unnumbered{Interface: "a", Lender: "b"}),
		},
		"an interface, and what its table lacks": {
			base: objects(loop, l3.Table{Name: "r"}), from: objects(red, l3.Table{Name: "s", NoIPv6: true}), to: objects(l3.Table{Name: "s"}, l3.Membership{Interface: "a", Table: "s"}),
		},
		"what was WireGuard, and VLANs": {
			base: objects(loop), from: objects(tunnel, vppnet.SubInterface{Name: "s", Parent: "a", Outer: 5}),
			to: objects(vppnet.Loopback{Name: "w"}, vppnet.SubInterface{Name: "s", Parent: "w", Outer: 5}),
		},
		"an address and its interface, out of a table": {
			base: objects(loop, l3.Table{Name: "r"}), from: objects(red, l3.Address{Interface: "a", Prefix: own.Prefix, Table: "r"}), to: objects(own),
		},
		"an address and its interface, into a table": {
			base: objects(loop, l3.Table{Name: "r"}), from: objects(own), to: objects(red, l3.Address{Interface: "a", Prefix: own.Prefix, Table: "r"}),
		},
		"the owner's priority, and the address": {
			base: objects(loop, vppnet.LinkState{Interface: "a", Up: true}, base),
			from: objects(router), to: objects(own, master),
		},
		"the owner's priority, and the address, which it does not name": {
			base: objects(loop, vppnet.LinkState{Interface: "a", Up: true}, base),
			from: objects(router), to: objects(own, unnamed),
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachVPP(t, true, func(t *testing.T, vpp vpptest.Target) {
				e := changeBed(t, vpp, x)
				want := append(x.base, x.to...)
				_, err := e.Sync(t.Context(), want...)
				require.NoError(t, err)
				kindrig.Steady(t, e, want...)
			})
		})
	}
}

// A name that is valid, and does not fit with this owner or these options, is refused by the plan: by
// each kind whose objects bear one in VPP.
func TestNamesThatDoNotFit(t *testing.T) {
	n := strings.Repeat("x", 57)
	vpp := vpptest.New(t, vpptest.WithDirectory("/run/vpp"), vpptest.WithHostDevice("dev"))
	c := kindrig.Dial(t, vpp.Socket(), strings.Repeat("o", 31))
	v := nat.EndpointDependent
	e := kindrig.Engine(append(many(c), vppnet.BridgeDomains(c), vppnet.GRETunnels(c), vppnet.HostInterfaces(c), acl.MACIPSets(c),
		nat.Mappings(c, v), nat.Identities(c, v), gpe.Overlays(c), gpe.LocatorSets(c), qos.Policers(c), classify.Tables(c))...)
	for _, o := range objects(
		vppnet.Loopback{Name: n}, vppnet.BridgeDomain{Name: n}, vppnet.SubInterface{Name: n, Parent: "lo", Outer: 5},
		vppnet.VXLANTunnel{Name: n, Src: addr("10.0.0.1"), Dst: addr("10.0.0.2")}, vppnet.GRETunnel{Name: n, Src: addr("10.0.0.1"), Dst: addr("10.0.0.2")},
		vppnet.Pipe{Name: n}, vppnet.PipeEnd{Name: n, Pipe: "lo"}, vppnet.HostInterface{Name: n, Device: "dev"},
		vppnet.Memif{Name: n[:29], Socket: "/run/vpp/m", Slave: true, RxQueues: 3}, vppnet.TAP{Name: n[:29], RxQueues: 3}, vhost.Port{Name: n[:30], Socket: "/run/vpp/s", GSO: true},
		bond.Bond{Name: n[:30], Mode: bond.XOR, GSO: true}, wireguard.Interface{Name: n, PrivateKey: vppnet.NewSecret(wireguardKey), Src: addr("10.0.0.1"), Port: 5},
		l3.Table{Name: n}, acl.Set{Name: n}, acl.MACIPSet{Name: n, Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv4}}},
		nat.Mapping{Name: n, Local: addr("10.0.0.1"), External: addr("10.0.0.2")}, nat.Identity{Name: n, Address: addr("10.0.0.1")},
		gpe.LocatorSet{Name: n, Locators: []gpe.Locator{{Interface: "lo"}}}, qos.Policer{Name: n, Rate: 1000, Burst: 1000, Conform: qos.Transmit}, classify.Table{Name: n},
	) {
		require.NoError(t, o.Validate(), "%T", o)
		p, err := e.PlanEnsure(t.Context(), o)
		require.NoError(t, err)
		require.Len(t, p.Steps, 1)
		require.Equal(t, desiredstate.Block, p.Steps[0].Action, "%T: %v", o, p)
		require.ErrorIs(t, p.Steps[0].Err, desiredstate.ErrInvalid)
		require.ErrorContains(t, p.Steps[0].Err, "fit VPP's tag", "%T", o)
	}
}
