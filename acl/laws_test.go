// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/acl"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Every kind keeps the laws, on both VPPs.

func TestLawsOfSets(t *testing.T) {
	laws(t, acl.Sets, nil, rapid.Custom(func(t *rapid.T) acl.Set {
		return acl.Set{Name: pick(t, "name", "a", "b"), Rules: rapid.SliceOfN(rapid.Custom(drawRule), 0, 5).Draw(t, "rules")}
	}))
}

func TestLawsOfMACIPSets(t *testing.T) {
	laws(t, acl.MACIPSets, nil, rapid.Custom(func(t *rapid.T) acl.MACIPSet {
		return acl.MACIPSet{Name: pick(t, "name", "a", "b"), Rules: rapid.SliceOfN(rapid.Custom(drawMACIPRule), 1, 5).Draw(t, "rules")}
	}).Filter(func(s acl.MACIPSet) bool { return s.Validate() == nil }))
}

// filtered is two interfaces, one of them bridged, with what can be put on them.
// A third, the stranger's, has sets of the stranger's already.
func filtered() []desiredstate.Object {
	return []desiredstate.Object{
		vppnet.BridgeDomain{Name: "net"},
		vppnet.Loopback{Name: "lo"},
		vppnet.Loopback{Name: "port"},
		vppnet.BridgePort{Bridge: "net", Interface: "port"},
		acl.Set{Name: "x", Rules: []acl.Rule{{Action: acl.PermitReflect, Family: acl.IPv4}}},
		acl.Set{Name: "y"},
		acl.Set{Name: "z"},
		acl.MACIPSet{Name: "x", Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv4}}},
		acl.MACIPSet{Name: "y", Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv6}}},
	}
}

func after(iface string) []desiredstate.Key {
	if iface == "port" {
		return []desiredstate.Key{vppnet.BridgePortKey(iface)}
	}
	return nil
}

func TestLawsOfBindings(t *testing.T) {
	laws(t, acl.Bindings, filtered(), rapid.Custom(func(t *rapid.T) acl.Binding {
		sets := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3, rapid.ID)
		b := acl.Binding{Interface: pick(t, "interface", "lo", "port", theirLoopback), Input: sets.Draw(t, "in"), Output: sets.Draw(t, "out")}
		b.After = after(b.Interface)
		return b
	}).Filter(func(b acl.Binding) bool { return b.Validate() == nil }))
}

func TestLawsOfMACIPBindings(t *testing.T) {
	laws(t, acl.MACIPBindings, filtered(), rapid.Custom(func(t *rapid.T) acl.MACIPBinding {
		b := acl.MACIPBinding{Interface: pick(t, "interface", "lo", "port", "stranger/b"), Set: pick(t, "set", "x", "y")}
		b.After = after(b.Interface)
		return b
	}))
}

func TestLawsOfEtherTypes(t *testing.T) {
	kind := func(c *vppnet.Conn) *desiredstate.Kind[acl.EtherTypes] {
		return acl.EtherTypeLists(c, vppnet.ClaimInterfaces(func(name string) bool { return name == "stranger/b" && c.Owner() == "me" }))
	}
	laws(t, kind, filtered(), rapid.Custom(func(t *rapid.T) acl.EtherTypes {
		types := rapid.SliceOfNDistinct(rapid.SampledFrom([]uint16{0x806, 0x88cc, 0x8847, 0xffff}), 0, 3, rapid.ID)
		return acl.EtherTypes{Interface: pick(t, "interface", "lo", "port", "stranger/b"), Input: types.Draw(t, "in"), Output: types.Draw(t, "out")}
	}).Filter(func(e acl.EtherTypes) bool { return e.Validate() == nil }))
}

// drawRule draws a valid rule.
func drawRule(t *rapid.T) acl.Rule {
	r := acl.Rule{Action: pick(t, "action", acl.Deny, acl.Permit, acl.PermitReflect), Family: pick(t, "family", acl.IPv4, acl.IPv6)}
	r.Src, r.Dst = drawPrefix(t, r.Family), drawPrefix(t, r.Family)
	icmp := acl.ICMP
	if r.Family == acl.IPv6 {
		icmp = acl.ICMPv6
	}
	switch r.Protocol = pick(t, "protocol", 0, icmp, acl.TCP, acl.UDP, 132); r.Protocol {
	case acl.TCP:
		r.FlagsMask = acl.TCPFlags(rapid.Byte().Draw(t, "mask"))
		r.Flags = acl.TCPFlags(rapid.Byte().Draw(t, "flags")) & r.FlagsMask
		fallthrough
	case acl.UDP:
		r.SrcPorts, r.DstPorts = drawRange(t, 65535), drawRange(t, 65535)
	case icmp:
		r.ICMPCodes = drawRange(t, 255)
		if r.Action != acl.PermitReflect {
			r.ICMPTypes = drawRange(t, 255)
		}
	}
	return r
}

func drawMACIPRule(t *rapid.T) acl.MACIPRule {
	r := acl.MACIPRule{Action: pick(t, "action", acl.Deny, acl.Permit), Family: pick(t, "family", acl.IPv4, acl.IPv6)}
	r.Src = drawPrefix(t, r.Family)
	r.Mask = pick(t, "mask", vppnet.MAC{}, vppnet.MAC{0xff, 0xff, 0xff}, vppnet.MAC{1}, vppnet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	if r.MAC = pick(t, "MAC", vppnet.MAC{}, mac(1), mac(2)); !r.Mask.IsZero() {
		for i := range r.MAC {
			r.MAC[i] &= r.Mask[i]
		}
	}
	return r
}

func drawPrefix(t *rapid.T, f acl.Family) netip.Prefix {
	var addr netip.Addr
	if f == acl.IPv4 {
		addr = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")))
	} else {
		addr = netip.AddrFrom16([16]byte(append([]byte{0x20}, rapid.SliceOfN(rapid.Byte(), 15, 15).Draw(t, "address")...)))
	}
	if rapid.Bool().Draw(t, "any") {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(addr, rapid.IntRange(0, addr.BitLen()).Draw(t, "bits")).Masked()
}

func drawRange(t *rapid.T, most uint16) acl.Range {
	first := rapid.Uint16Range(0, most).Draw(t, "first")
	return pick(t, "range", acl.Range{}, acl.Only(first), acl.Only(0), acl.Between(first, most), acl.Between(0, first))
}

func pick[T any](t *rapid.T, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(t, label)
}

func mac(n byte) vppnet.MAC { return vppnet.MAC{2, 0, 0, 0, 0, n} }

// laws runs them for one kind.
func laws[S desiredstate.Object](t *testing.T, kind func(*vppnet.Conn) *desiredstate.Kind[S], base []desiredstate.Object, gen *rapid.Generator[S]) {
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		kindtest.Run(t, kindtest.Suite[S]{Gen: gen, Checks: checks, Open: kindrig.Owners(vpp, state, base, kind, kinds)})
	}
	kindrig.OnEachVPP(t, 4, strangers, func(vpp *vpptest.Proxy) string { return vpp.State(dumps...) }, run)
}

// kinds are those of the package, and what they need.
func kinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		vppnet.Loopbacks(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.LinkStates(c),
		acl.Sets(c), acl.MACIPSets(c), acl.Bindings(c), acl.MACIPBindings(c), acl.EtherTypeLists(c),
	}
}

func dial(t testing.TB, socket, owner string, opts ...vppnet.Option) *vppnet.Conn {
	t.Helper()
	return kindrig.Dial(t, socket, owner, opts...)
}

const everywhere = ^interface_types.InterfaceIndex(0)

// dumps show all that the kinds can change.
var dumps = []api.Message{
	&interfaces.SwInterfaceDump{SwIfIndex: everywhere}, &l2.BridgeDomainDump{BdID: ^uint32(0), SwIfIndex: everywhere},
	&binding.ACLDump{ACLIndex: ^uint32(0)}, &binding.ACLInterfaceListDump{SwIfIndex: everywhere},
	&binding.MacipACLDump{ACLIndex: ^uint32(0)}, &binding.MacipACLInterfaceListDump{SwIfIndex: everywhere},
	&binding.ACLInterfaceEtypeWhitelistDump{SwIfIndex: everywhere},
}

// theirLoopback has sets of its owner's.
const theirLoopback = "stranger/a"

// strangers makes what is not ours: loop0, which is filtered, and loop1.
func strangers(t *testing.T, socket string) {
	e := desiredstate.New(kinds(dial(t, socket, "stranger"))...)
	for _, o := range []desiredstate.Object{ // in order, so that the first is loop0
		vppnet.Loopback{Name: "a"},
		vppnet.Loopback{Name: "b"},
		acl.Set{Name: "x", Rules: []acl.Rule{{Family: acl.IPv6}}},
		acl.Set{Name: "y"},
		acl.Binding{Interface: "a", Input: []string{"y", "x"}, Output: []string{"x"}},
		acl.MACIPSet{Name: "x", Rules: []acl.MACIPRule{{Action: acl.Permit, Family: acl.IPv4, MAC: mac(9)}}},
		acl.MACIPBinding{Interface: "a", Set: "x"},
		acl.EtherTypes{Interface: "a", Output: []uint16{0x806}},
	} {
		_, err := e.Ensure(t.Context(), o)
		require.NoError(t, err)
	}
}
