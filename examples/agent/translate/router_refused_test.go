// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

func TestWhatIsRefusedOfRouters(t *testing.T) {
	key := routerID(1) + "/" + portID(1)
	for name, c := range map[string]struct {
		key   string
		value []byte
		err   string
	}{
		"one part":           {routerID(1), leg(nil), "the key's name is not that of a router and a port"},
		"three parts":        {key + "/x", leg(nil), "the key's name is not that of a router and a port"},
		"traversal":          {"../" + portID(1), leg(nil), "the key's name is not that of a router and a port"},
		"not JSON":           {key, []byte("hello"), "not a JSON object"},
		"null":               {key, []byte("null"), "not a JSON object"},
		"twice":              {key, append([]byte(`{"vrf_id":1,`), leg(nil)[1:]...), "vrf_id is given twice"},
		"no VRF":             {key, leg(members{"vrf_id": nil}), "vrf_id is missing"},
		"VRF 0":              {key, leg(members{"vrf_id": 0}), "vrf_id: 0, want 1 to 2147483647"},
		"VRF too large":      {key, leg(members{"vrf_id": 1 << 31}), "vrf_id: 2147483648, want 1 to"},
		"VRF text":           {key, leg(members{"vrf_id": "1"}), "vrf_id: \"1\" is no int64"},
		"no MAC":             {key, leg(members{"loopback_mac": nil}), "loopback_mac is missing"},
		"multicast MAC":      {key, leg(members{"loopback_mac": "01:00:5e:00:00:01"}), "loopback_mac: \"01:00:5e:00:00:01\" is no unicast MAC"},
		"no address":         {key, leg(members{"gateway_ip": nil}), "gateway_ip is missing"},
		"address text":       {key, leg(members{"gateway_ip": "10.0.0"}), "gateway_ip: \"10.0.0\" is no IP address"},
		"the network's own":  {key, leg(members{"gateway_ip": "192.168.1.0"}), "gateway_ip: address 192.168.1.0/24 is its subnet's own"},
		"broadcast":          {key, leg(members{"gateway_ip": "192.168.1.255"}), "gateway_ip: address 192.168.1.255/24 is its subnet's own"},
		"link-local":         {key, leg(members{"gateway_ip": "fe80::1", "prefixlen": 64, "is_ipv6": true}), "gateway_ip: address fe80::1/64: VPP makes link-local addresses itself"},
		"prefix 33":          {key, leg(members{"prefixlen": 33}), "gateway_ip: a subnet of 192.168.1.1 has no prefix of 33 bits"},
		"prefix 0":           {key, leg(members{"prefixlen": 0}), "gateway_ip: a subnet of 192.168.1.1 has no prefix of 0 bits"},
		"gpe":                {key, leg(members{"net_type": "gpe", "physnet": null}), "gpe: this host has no address in an underlay"},
		"foreign physnet":    {key, leg(members{"physnet": "physnet9"}), "physnet: this host has no \"physnet9\""},
		"no gateways":        {key, gateway(members{"gateways": nil}), "gateways is missing"},
		"empty gateways":     {key, gateway(members{"gateways": []any{}}), "gateways: there is none"},
		"gateway of one":     {key, gateway(members{"gateways": []any{[]any{"203.0.113.1"}}}), "gateways 0: [\"203.0.113.1\"] is no list of address"},
		"gateway junk":       {key, gateway(members{"gateways": []any{[]any{1, 2, 3}}}), "gateways 0: [1,2,3] is no list of address"},
		"gateway length":     {key, gateway(members{"gateways": []any{[]any{"203.0.113.1", 40, false}}}), "gateways 0: a subnet of 203.0.113.1 has no prefix of 40 bits"},
		"external GPE":       {key, gateway(members{"external_net_type": "gpe", "external_segmentation_id": 5}), "gpe: this host has no address in an underlay"},
		"floating IP's name": {"floatingip/x", float(nil), "the key's name is not a UUID"},
		"floating IPv6":      {floatID(1), float(members{"floating_ip_address": "2001:db8::1"}), "floating_ip_address: 2001:db8::1 is not IPv4"},
		"no fixed IP":        {floatID(1), float(members{"fixed_ip_address": nil}), "fixed_ip_address is missing"},
		"fixed IP null":      {floatID(1), float(members{"fixed_ip_address": null}), "fixed_ip_address is missing"},
		"itself":             {floatID(1), float(members{"fixed_ip_address": "203.0.113.102"}), "from an address to itself"},
		"one network":        {floatID(1), float(members{"internal_physnet": "physnet2", "internal_net_type": "flat", "internal_segmentation_id": null}), "physnet2.flat is external and internal"},
		"multicast":          {floatID(1), float(members{"floating_ip_address": "224.0.0.5"}), "224.0.0.5"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if translate.IsFloatingIP(c.key) {
				_, err = site.FloatingIP(c.key, c.value)
			} else {
				_, err = site.RouterPort(c.key, c.value)
			}
			require.ErrorContains(t, err, c.err)
			require.Less(t, len(err.Error()), 250, "errors do not repeat junk at length")
		})
	}
}

// The longest names fit VPP's tags.
func TestLongestNamesOfRoutersFit(t *testing.T) {
	long := strings.Repeat("p", 32)
	s := translate.Site{Host: "h", Dir: "/d", Physnets: map[string]string{long: "e"}}
	renamed := strings.NewReplacer("physnet1", long, "physnet2", long, `"flat"`, `"vlan"`, `"external_segmentation_id":null`, `"external_segmentation_id":4094`)
	all, given := keys{}, classic()
	given[routerID(3)+"/"+portID(9)] = gateway(members{"vrf_id": 3, "gateways": []any{[]any{"203.0.113.161", 24, false}}, "external_gateway_info": m{"enable_snat": false}})
	for name, value := range given {
		all[name] = []byte(renamed.Replace(string(value)))
	}
	has := objects(t, all.routing(t, s))
	require.Contains(t, has, vppnet.InterfaceKey("to-nat-"+long+".vlan.4094"), "of those that are not translated")
	for k := range has {
		if slices.Contains([]string{"interface", "bridge-domain", "table", "nat-mapping"}, k.Space) {
			require.LessOrEqual(t, len(translate.Owner+"/"+k.Name), 63, k.Name)
		}
	}
}

// FuzzRouters: whatever lies in etcd, nothing panics, what is served is valid and
// wanted without conflict beside a router that is well, and that one stays as it is.
func FuzzRouters(f *testing.F) {
	for name, value := range classic() {
		f.Add(name, value)
	}
	f.Add(routerID(2)+"/"+portID(1), leg(members{"vrf_id": 2, "gateway_ip": "2001:db8::1", "prefixlen": 64, "is_ipv6": true, "segmentation_id": 7}))
	f.Add(routerID(2)+"/"+portID(9), gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 24, false}, []any{"2001:db8::151", 64, true}}, "external_gateway_ips": []string{"fe80::1"}}))
	f.Add(floatID(2), float(members{"floating_ip_address": "203.0.113.103", "fixed_ip_address": "192.168.2.11", "internal_segmentation_id": 102}))
	f.Add("ha", []byte("1"))
	f.Add(routerID(2)+"/"+portID(1), []byte("\xff"))
	before := objects(f, classic().routing(f, site))
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		all := classic()
		if _, taken := all[name]; taken {
			return
		}
		var err error
		if translate.IsFloatingIP(name) {
			_, err = site.FloatingIP(name, value)
		} else {
			_, err = site.RouterPort(name, value)
		}
		if err != nil {
			return
		}
		all[name] = value
		r := all.routing(t, site)
		now := objects(t, r)
		if p := r.Parts[name]; p.Wrong != nil {
			require.Equal(t, before, now)
		}
		for k := range before {
			require.Contains(t, now, k)
		}
	})
}
