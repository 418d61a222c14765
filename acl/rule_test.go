// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

var (
	ten  = netip.MustParsePrefix("10.0.0.0/8")
	docs = netip.MustParsePrefix("2001:db8::/32")
)

// What VPP refuses, or takes and never applies as it reads, is refused.
func TestRuleValidate(t *testing.T) {
	for refusal, r := range map[string]acl.Rule{
		"neither family nor prefix":            {},
		"family 5":                             {Family: 5},
		"action 3":                             {Action: 3, Family: acl.IPv4},
		"in a rule for ip6":                    {Family: acl.IPv6, Src: ten},
		"in a rule for ip4":                    {Src: ten, Dst: docs},
		"10.0.0.0/8 has none":                  {Src: netip.MustParsePrefix("10.1.0.0/8")},
		"2001:db8::/32 has none":               {Dst: netip.MustParsePrefix("2001:db8::1/32")},
		"IPv4 in IPv6":                         {Src: netip.MustParsePrefix("::ffff:10.0.0.0/104")},
		"impossible length":                    {Family: acl.IPv4, Src: netip.PrefixFrom(ten.Addr(), 33)},
		"destination ports 80 of protocol any": {Src: ten, DstPorts: acl.Only(80)},
		"source ports 80 of protocol 132":      {Src: ten, Protocol: 132, SrcPorts: acl.Only(80)},
		"destination ports 0 of protocol icmp": {Src: ten, Protocol: acl.ICMP, DstPorts: acl.Only(0)},
		"the first is after the last":          {Src: ten, Protocol: acl.TCP, DstPorts: acl.Between(2, 1)},
		"ICMP types 8 of protocol tcp":         {Src: ten, Protocol: acl.TCP, ICMPTypes: acl.Only(8)},
		"ICMP codes 0 of protocol any":         {Src: ten, ICMPCodes: acl.Only(0)},
		"want at most 255":                     {Src: ten, Protocol: acl.ICMP, ICMPCodes: acl.Between(0, 256)},
		"icmp is of IPv4":                      {Src: docs, Protocol: acl.ICMP},
		"icmpv6 is of IPv6":                    {Src: ten, Protocol: acl.ICMPv6},
		"extension header":                     {Src: docs, Protocol: 44},
		"sessions for types [8 13 15 17] only": {Action: acl.PermitReflect, Src: ten, Protocol: acl.ICMP, ICMPTypes: acl.Only(0)},
		"sessions for types [128 139] only":    {Action: acl.PermitReflect, Src: docs, Protocol: acl.ICMPv6, ICMPTypes: acl.Between(133, 136)},
		"TCP flags of protocol udp":            {Src: ten, Protocol: acl.UDP, FlagsMask: acl.SYN},
		"not all in the mask":                  {Src: ten, Protocol: acl.TCP, Flags: acl.SYN | acl.ACK, FlagsMask: acl.SYN},
	} {
		require.ErrorContains(t, r.Validate(), refusal, "%s", r)
		require.ErrorContains(t, acl.Set{Name: "s", Rules: []acl.Rule{{Src: ten}, r}}.Validate(), "rule 1 ("+r.String()+")")
	}
	rapid.Check(t, func(t *rapid.T) {
		r := drawRule(t)
		require.NoError(t, r.Validate(), "%s", r)
	})
	require.ErrorContains(t, acl.Set{Name: "s", Rules: make([]acl.Rule, acl.MaxRules+1)}.Validate(), "10001 rules, want at most 10000")
	for _, name := range []string{"", "#1", "a b", strings.Repeat("x", 62)} {
		require.ErrorContains(t, acl.Set{Name: name}.Validate(), "name")
	}
}

func TestMACIPValidate(t *testing.T) {
	wide, narrow := acl.MACIPRule{Action: acl.Permit, Src: ten}, acl.MACIPRule{Src: netip.MustParsePrefix("10.0.0.1/32"), MAC: mac(1)}
	for refusal, rules := range map[string][]acl.MACIPRule{
		"0 rules":                    nil,
		"1001 rules":                 make([]acl.MACIPRule, acl.MaxMACIPRules+1),
		"sources have no sessions":   {{Action: acl.PermitReflect, Src: ten}},
		"neither family nor prefix":  {{MAC: mac(1)}},
		"bits beyond its mask":       {{Src: ten, MAC: mac(1), Mask: vppnet.MAC{0xff}}},
		"no source":                  {{Src: ten, MAC: vppnet.MAC{1}}},
		"the same sources":           {wide, {Src: ten}},
		"is to decide before rule 1": {wide, narrow},
	} {
		require.ErrorContains(t, acl.MACIPSet{Name: "s", Rules: rules}.Validate(), refusal)
	}
	require.NoError(t, acl.MACIPSet{Name: "s", Rules: []acl.MACIPRule{narrow, wide}}.Validate(), "the narrow one is asked first")
	require.NoError(t, acl.MACIPSet{Name: "s", Rules: []acl.MACIPRule{wide, {Src: netip.MustParsePrefix("11.0.0.0/8")}}}.Validate(), "no source fits both")
	crowd := []acl.MACIPRule{narrow}
	for i := range byte(10) { // ten rules outweigh a mask of 80 bits
		crowd = append(crowd, acl.MACIPRule{Action: acl.Permit, Src: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, i}), 16)})
	}
	require.ErrorContains(t, acl.MACIPSet{Name: "s", Rules: crowd}.Validate(), "VPP would ask that first")
}

func TestBindingValidate(t *testing.T) {
	many := make([]string, 256)
	for refusal, b := range map[string]acl.Binding{
		"interface: name is empty": {Input: []string{"a"}},
		"0 sets":                   {Interface: "vm"},
		"256 sets":                 {Interface: "vm", Output: many},
		`"a" twice`:                {Interface: "vm", Input: []string{"a", "b", "a"}},
		"name is empty":            {Interface: "vm", Output: []string{""}},
		"# stands":                 {Interface: "vm", Output: []string{"#3"}},
		"vpp:GigabitEth":           {Interface: "GigabitEthernet0/8/0", Output: []string{"a"}},
		"after itself":             {Interface: "vm", Input: []string{"a"}, After: []desiredstate.Key{acl.BindingKey("vm")}},
		"without a name":           {Interface: "vm", Input: []string{"a"}, After: make([]desiredstate.Key, 1)},
	} {
		require.ErrorContains(t, b.Validate(), refusal)
	}
	require.NoError(t, acl.Binding{Interface: "vm", Input: []string{"a"}, Output: []string{"a"}}.Validate(), "once in each direction")
	require.ErrorContains(t, acl.MACIPBinding{Interface: "vm"}.Validate(), "name is empty")
	for refusal, e := range map[string]acl.EtherTypes{
		"0 ethertypes": {Interface: "vm"},
		"0x0800 is IP": {Interface: "vm", Input: []uint16{0x800}},
		"0x86dd is IP": {Interface: "vm", Output: []uint16{0x86dd}},
		"the length":   {Interface: "vm", Output: []uint16{1500}},
		"twice":        {Interface: "vm", Output: []uint16{0x806, 0x806}},
	} {
		require.ErrorContains(t, e.Validate(), refusal)
	}
}

func TestString(t *testing.T) {
	require.Equal(t, `web
  0: permit+reflect ip4 tcp from 10.0.0.0/8 port 1024-65535 to any port 80
  1: permit ip6 icmpv6 from any to 2001:db8::/32 type 128 code 0
  2: permit ip4 tcp from any to any flags ack/syn+ack
  3: deny ip6 132 from any to any
  4: deny ip4 from any to any`, acl.Set{Name: "web", Rules: []acl.Rule{
		{Action: acl.PermitReflect, Src: ten, Protocol: acl.TCP, SrcPorts: acl.Between(1024, 65535), DstPorts: acl.Only(80)},
		{Action: acl.Permit, Dst: docs, Protocol: acl.ICMPv6, ICMPTypes: acl.Only(128), ICMPCodes: acl.Only(0)},
		{Action: acl.Permit, Family: acl.IPv4, Protocol: acl.TCP, Flags: acl.ACK, FlagsMask: acl.SYN | acl.ACK},
		{Family: acl.IPv6, Protocol: 132},
		{Src: netip.MustParsePrefix("0.0.0.0/0")},
	}}.String())
	require.Equal(t, `vm1
  0: permit ip4 from 10.0.0.0/8 at 02:00:00:00:00:01
  1: permit ip6 from any at any
  2: deny ip4 from any at 02:00:00:00:00:00/ff:ff:ff:00:00:00`, acl.MACIPSet{Name: "vm1", Rules: []acl.MACIPRule{
		{Action: acl.Permit, Src: ten, MAC: mac(1)},
		{Action: acl.Permit, Family: acl.IPv6},
		{Family: acl.IPv4, MAC: mac(0), Mask: vppnet.MAC{0xff, 0xff, 0xff}},
	}}.String())
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"", "any", "80", "80-90", "0", "90-80", "0-65535", "65536", "-", "1-", "+1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := acl.ParseRange(s)
		if err != nil {
			require.ErrorContains(t, err, "want")
			return
		}
		again, err := acl.ParseRange(r.String())
		require.NoError(t, err)
		require.Equal(t, r, again)
		first, last := r.Bounds(65535)
		require.LessOrEqual(t, first, last)
	})
}

// Specs survive JSON, in words that people read.
func TestJSON(t *testing.T) {
	text, err := json.Marshal(acl.Rule{Action: acl.PermitReflect, Src: ten, Protocol: acl.TCP, DstPorts: acl.Between(80, 90), FlagsMask: acl.SYN})
	require.NoError(t, err)
	require.JSONEq(t, `{"Action": "permit+reflect", "Family": 0, "Src": "10.0.0.0/8", "Dst": "", "Protocol": "tcp", "SrcPorts": "any", "DstPorts": "80-90",
		"ICMPTypes": "any", "ICMPCodes": "any", "Flags": "none", "FlagsMask": "syn"}`, string(text))
	for _, bad := range []string{`{"Action": "allow"}`, `{"Protocol": "tpc"}`, `{"Protocol": "256"}`, `{"Flags": "syn,ack"}`, `{"SrcPorts": "2-1"}`} {
		require.Error(t, json.Unmarshal([]byte(bad), &acl.Rule{}), bad)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := drawRule(t)
		text, err := json.Marshal(r)
		require.NoError(t, err)
		var again acl.Rule
		require.NoError(t, json.Unmarshal(text, &again))
		require.Equal(t, r, again)
	})
}

func prefix(a [16]byte, length int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16(a), length).Masked()
}
