// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

var (
	drawUUID = rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("%08x-38b1-4ac2-a1a1-%012x", rapid.Uint32().Draw(t, "high"), rapid.Uint32().Draw(t, "low"))
	})
	drawMAC = rapid.Custom(func(t *rapid.T) vppnet.MAC {
		return vppnet.MAC{0xfa, 0x16, 0x3e, rapid.Byte().Draw(t, "a"), rapid.Byte().Draw(t, "b"), rapid.Byte().Draw(t, "c")}
	})
	draw4    = addrIn("10.0.0.0")
	draw6    = addrIn("2001:db8::")
	drawAddr = rapid.OneOf(draw4, draw6)
	drawNet  = rapid.Custom(func(t *rapid.T) translate.Net {
		n := translate.Net{Physnet: rapid.SampledFrom([]string{"physnet1", "physnet2"}).Draw(t, "physnet"), Type: "flat"}
		switch rapid.IntRange(0, 2).Draw(t, "type") {
		case 1:
			n.Type, n.Segment = "vlan", rapid.Uint32Range(1, 4094).Draw(t, "vlan")
		case 2:
			n = translate.Net{Type: "gpe", Segment: rapid.Uint32Range(1, 1<<24-1).Draw(t, "vni")}
		}
		return n
	})
	drawPrefix = rapid.Custom(func(t *rapid.T) netip.Prefix {
		a := drawAddr.Draw(t, "address")
		return netip.PrefixFrom(a, rapid.IntRange(1, a.BitLen()).Draw(t, "bits")).Masked()
	})
	drawPair = rapid.Custom(func(t *rapid.T) acl.AddressPair {
		p := acl.AddressPair{Prefix: drawPrefix.Draw(t, "prefix")}
		switch rapid.IntRange(0, 2).Draw(t, "sort") {
		case 1:
			p.AnyMAC = true
		case 2:
			p.MAC = drawMAC.Draw(t, "mac")
		}
		return p
	})
	drawPort = rapid.Custom(func(t *rapid.T) translate.Port {
		p := translate.Port{UUID: drawUUID.Draw(t, "uuid"), MAC: drawMAC.Draw(t, "mac").String(), Net: drawNet.Draw(t, "net")}
		if p.TAP = rapid.Bool().Draw(t, "tap"); !p.TAP && rapid.Bool().Draw(t, "filtered") {
			p.Filtered = true
			p.Groups = rapid.SliceOfNDistinct(drawUUID, 0, 3, rapid.ID).Draw(t, "groups")
			p.Pairs = rapid.SliceOfN(drawPair, 0, 3).Draw(t, "pairs")
		}
		if p.Filtered || p.Type == "gpe" {
			p.Addrs = rapid.SliceOfNDistinct(drawAddr, 0, 3, rapid.ID).Draw(t, "addresses")
		}
		return p
	})
	drawRule = rapid.Custom(func(t *rapid.T) acl.GroupRule {
		r := acl.GroupRule{Family: rapid.SampledFrom([]acl.Family{acl.IPv4, acl.IPv6}).Draw(t, "family")}
		span := func(most uint16) acl.Range {
			a, b := rapid.Uint16Range(0, most).Draw(t, "a"), rapid.Uint16Range(0, most).Draw(t, "b")
			return acl.Between(min(a, b), max(a, b))
		}
		switch rapid.IntRange(0, 4).Draw(t, "protocol") {
		case 1:
			r.Protocol, r.Ports = rapid.SampledFrom([]acl.Protocol{acl.TCP, acl.UDP}).Draw(t, "l4"), span(65535)
		case 2:
			if r.Protocol = acl.ICMP; r.Family == acl.IPv6 {
				r.Protocol = acl.ICMPv6
			}
			if kind := rapid.Uint16Range(0, 256).Draw(t, "type"); kind < 256 {
				r.ICMPTypes = acl.Between(kind, kind)
				if code := rapid.Uint16Range(0, 256).Draw(t, "code"); code < 256 {
					r.ICMPCodes = acl.Between(code, code)
				}
			}
		case 3:
			r.Protocol = 112
		}
		switch a := draw4.Draw(t, "remote"); {
		case rapid.Bool().Draw(t, "group"):
			r.RemoteGroup = drawUUID.Draw(t, "remote group")
		case r.Family == acl.IPv6:
			r.Remote = netip.PrefixFrom(draw6.Draw(t, "remote"), rapid.IntRange(0, 128).Draw(t, "bits")).Masked()
		default:
			r.Remote = netip.PrefixFrom(a, rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
		}
		return r
	})
)

func addrIn(prefix string) *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		b := netip.MustParseAddr(prefix).AsSlice()
		b[len(b)-1], b[len(b)-2] = rapid.ByteRange(1, 250).Draw(t, "low"), rapid.Byte().Draw(t, "high")
		a, _ := netip.AddrFromSlice(b)
		return a
	})
}

// said is what of a router's port others see.
func said(t require.TestingT, p translate.RouterPort) string {
	b, err := json.Marshal(p)
	require.NoError(t, err)
	return string(b)
}

// told is what of a port somebody can say.
func told(p translate.Port) translate.Port {
	q := translate.Port{
		UUID: p.UUID, MAC: p.MAC, Net: toldNet(p.Net), Filtered: p.Filtered, TAP: p.TAP, VLAN: p.VLAN, Lacks: p.Lacks,
	}
	if len(p.Groups) > 0 {
		q.Groups = p.Groups
	}
	if len(p.Addrs) > 0 {
		q.Addrs = p.Addrs
	}
	if len(p.Pairs) > 0 {
		q.Pairs = p.Pairs
	}
	return q
}

func toldNet(n translate.Net) translate.Net {
	return translate.Net{Physnet: n.Physnet, Type: n.Type, Segment: n.Segment}
}

// What is written is read as what it was made of, and checks.
func TestWrittenIsRead(t *testing.T) {
	site := translate.Anywhere("compute-1")
	t.Run("ports", rapid.MakeCheck(func(t *rapid.T) {
		p := drawPort.Draw(t, "port")
		require.NoError(t, translate.Check(site.Ports()+p.UUID, p.Value()), p.Value())
		got, err := site.Port(p.UUID, []byte(p.Value()))
		require.NoError(t, err)
		require.Equal(t, told(p), told(got))
	}))
	t.Run("trunks", rapid.MakeCheck(func(t *rapid.T) {
		trunk := translate.Trunk{Parent: drawUUID.Draw(t, "parent")}
		vlan := rapid.Uint16Range(1, 100).Draw(t, "vlan")
		for _, p := range rapid.SliceOfNDistinct(drawPort, 0, 4, func(p translate.Port) string { return p.UUID }).Draw(t, "subports") {
			if p.TAP || p.UUID == trunk.Parent {
				continue
			}
			vlan++
			p.VLAN = vlan
			trunk.Subports = append(trunk.Subports, p)
		}
		require.NoError(t, translate.Check(site.Trunks()+trunk.Parent, trunk.Value()), trunk.Value())
		got, err := site.Trunk(trunk.Parent, []byte(trunk.Value()))
		require.NoError(t, err)
		require.Len(t, got.Subports, len(trunk.Subports))
		for i, p := range trunk.Subports {
			require.Equal(t, told(p), told(got.Subports[i]))
		}
	}))
	t.Run("routers", rapid.MakeCheck(func(t *rapid.T) {
		p := translate.RouterPort{
			Router: drawUUID.Draw(t, "router"), Port: drawUUID.Draw(t, "port"),
			VRF: rapid.Uint32Range(1, 1<<31-1).Draw(t, "vrf"), Net: drawNet.Draw(t, "net"), MAC: drawMAC.Draw(t, "mac"),
			MTU: rapid.SampledFrom([]uint32{0, 1280, 1500, 9000}).Draw(t, "mtu"), External: rapid.Bool().Draw(t, "external"),
		}
		own := func(a netip.Addr) { p.Addrs = append(p.Addrs, netip.PrefixFrom(a, a.BitLen()-8)) }
		switch first := draw4.Draw(t, "address"); {
		case !p.External:
			own(drawAddr.Draw(t, "address"))
		default:
			own(first)
			p.SNAT = rapid.Bool().Draw(t, "snat")
			if next := draw4.Draw(t, "next"); next != first {
				p.Next = []netip.Addr{next}
			}
			if by := draw4.Draw(t, "by"); rapid.Bool().Draw(t, "routed") {
				p.Routes = []translate.ExtraRoute{{To: netip.MustParsePrefix("192.0.2.0/24"), By: []netip.Addr{by}}}
			}
		}
		require.NoError(t, translate.Check(site.Routers()+p.Name(), p.Value()), p.Value())
		got, err := site.RouterPort(p.Name(), []byte(p.Value()))
		require.NoError(t, err)
		got.Net = toldNet(got.Net)
		require.Equal(t, p.Value(), got.Value())
		require.JSONEq(t, said(t, p), said(t, got))
	}))
	t.Run("floating IPs", rapid.MakeCheck(func(t *rapid.T) {
		f := translate.FloatingIP{
			ID: drawUUID.Draw(t, "id"), External: drawNet.Draw(t, "external"), Internal: drawNet.Draw(t, "internal"),
			Floating: draw4.Draw(t, "floating"), Fixed: draw4.Draw(t, "fixed"),
		}
		if f.External == f.Internal || f.Floating == f.Fixed {
			t.Skip("one network, or one address")
		}
		require.NoError(t, translate.Check(site.Routers()+f.Name(), f.Value()), f.Value())
		got, err := site.FloatingIP(f.Name(), []byte(f.Value()))
		require.NoError(t, err)
		got.External, got.Internal = toldNet(got.External), toldNet(got.Internal)
		require.Equal(t, f, got)
	}))
	t.Run("groups", rapid.MakeCheck(func(t *rapid.T) {
		rules := rapid.SliceOfN(drawRule, 0, 4)
		g := acl.SecurityGroup{Name: drawUUID.Draw(t, "name"), Ingress: rules.Draw(t, "ingress"), Egress: rules.Draw(t, "egress")}
		text := translate.GroupValue(g)
		require.NoError(t, translate.Check(translate.Groups+g.Name, text), text)
		got, err := translate.Group(g.Name, []byte(text))
		require.NoError(t, err)
		require.Equal(t, append([]acl.GroupRule{}, g.Ingress...), append([]acl.GroupRule{}, got.Ingress...))
		require.Equal(t, append([]acl.GroupRule{}, g.Egress...), append([]acl.GroupRule{}, got.Egress...))
	}))
	t.Run("members", rapid.MakeCheck(func(t *rapid.T) {
		addrs := rapid.SliceOfN(drawAddr, 1, 4).Draw(t, "addresses")
		got, err := translate.Member([]byte(translate.MemberValue(addrs...)))
		require.NoError(t, err)
		require.Equal(t, addrs, got)
	}))
	for _, serves := range []bool{true, false} {
		got, err := translate.Serves([]byte(translate.ServesValue(serves)))
		require.NoError(t, err)
		require.Equal(t, serves, got)
	}
}

// A rule about types of ICMP that the driver has no word for permits the same in several.
func TestRulesOfSeveralTypes(t *testing.T) {
	g := acl.SecurityGroup{Name: id, Ingress: []acl.GroupRule{
		{Family: acl.IPv4, Protocol: acl.ICMP, ICMPTypes: acl.Between(3, 5), ICMPCodes: acl.Between(0, 1)},
		{Family: acl.IPv6, Protocol: acl.ICMPv6, ICMPTypes: acl.Between(128, 129)},
	}, Egress: []acl.GroupRule{{Remote: netip.MustParsePrefix("2001:db8::/32")}}}
	got, err := translate.Group(id, []byte(translate.GroupValue(g)))
	require.NoError(t, err)
	var want []acl.GroupRule
	for kind := uint16(3); kind <= 5; kind++ {
		for code := range uint16(2) {
			want = append(want, acl.GroupRule{Family: acl.IPv4, Protocol: acl.ICMP, ICMPTypes: acl.Between(kind, kind), ICMPCodes: acl.Between(code, code), Remote: netip.MustParsePrefix("0.0.0.0/0")})
		}
	}
	for kind := uint16(128); kind <= 129; kind++ {
		want = append(want, acl.GroupRule{Family: acl.IPv6, Protocol: acl.ICMPv6, ICMPTypes: acl.Between(kind, kind), Remote: netip.MustParsePrefix("::/0")})
	}
	require.Equal(t, want, got.Ingress)
	require.Equal(t, []acl.GroupRule{{Family: acl.IPv6, Remote: netip.MustParsePrefix("2001:db8::/32")}}, got.Egress)
}

// What a host would refuse or leave out, a controller is told before it is written.
func TestCheck(t *testing.T) {
	site := translate.Anywhere("compute-1")
	port := string(secured(map[string]any{"fixed_ips": []any{}}))
	for name, c := range map[string]struct{ key, value, why string }{
		"a port":               {site.Ports() + id, port, ""},
		"no MAC":               {site.Ports() + id, string(value(map[string]any{"mac_address": "x"})), "mac_address"},
		"a part":               {site.Ports() + id, string(secured(map[string]any{"security_groups": []string{"web"}})), "not a UUID"},
		"no name":              {site.Ports() + "vm1", port, "UUID"},
		"another host's state": {translate.Root + "state/compute-1/alive", "1", "not a key that hosts read"},
		"no host":              {translate.Root + "nodes//ports/" + id, port, "not a key that hosts read"},
		"no family":            {site.Keys() + "lamps/" + id, "{}", "hosts serve no"},
		"elsewhere":            {"/other", "{}", "not a key that hosts read"},
		"a rule":               {translate.Groups + id, `{"ingress_rules":[{}],"egress_rules":[]}`, "is_ipv6"},
		"a member's name":      {translate.Members + id, `[]`, "UUID/UUID"},
		"a member":             {translate.Members + id + "/" + id, `["x"]`, "address 0"},
		"a sighting":           {translate.Networks + "7/h/10.0.0.1", `{"mac":"fa:16:3e:00:00:01","host":"2001:db8::1"}`, ""},
		"ha":                   {site.Routers() + translate.HAKey, "perhaps", "want 1 or 0"},
	} {
		err := translate.Check(c.key, c.value)
		if c.why == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, c.why, name)
		require.ErrorContains(t, err, strings.TrimSuffix(c.key, "/"), name)
	}
}
