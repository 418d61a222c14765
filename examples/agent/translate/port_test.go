// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

var update = flag.Bool("update", false, "write the golden files")

const id = "2f6a0f66-38b1-4ac2-a1a1-3b6a6d0c0001"

var site = translate.Site{
	Host:     "compute-1",
	Physnets: map[string]string{"physnet1": "GigabitEthernet0/8/0", "physnet2": "BondEthernet0"},
	Dir:      "/run/vpp-sockets",
}

// value is a port as the driver writes it, with some members changed; nil
// leaves one out.
func value(with map[string]any) []byte {
	v := map[string]any{
		"mac_address": "fa:16:3e:00:10:01", "mtu": 1500, "physnet": "physnet1", "network_type": "vlan",
		"segmentation_id": 142, "binding_type": "vhostuser", "security_groups": []string{},
		"allowed_address_pairs": []any{map[string]any{"ip_address": "10.9.0.0/24"}},
		"fixed_ips":             []any{map[string]any{"subnet_id": "77aa", "ip_address": "10.1.4.9"}},
		"port_security_enabled": false, "device_id": "d1",
	}
	maps.Copy(v, with)
	for k, x := range with {
		if x == nil {
			delete(v, k)
		}
	}
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

// secured is a port with port security.
func secured(with map[string]any) []byte {
	with["port_security_enabled"] = true
	return value(with)
}

func uuids(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("%08x-38b1-4ac2-a1a1-3b6a6d0c0001", i))
	}
	return out
}

var null = json.RawMessage("null")

func TestWhatIsServed(t *testing.T) {
	server := site
	server.Server = true
	flat := map[string]any{"network_type": "flat", "segmentation_id": null, "physnet": "physnet2"}
	veth := site
	veth.Veth = true
	tunnelled := overlaid
	tunnelled.Overlay = translate.VXLAN{Underlay: under}
	for name, c := range map[string]struct {
		site translate.Site
		with map[string]any
	}{
		"vlan": {site, nil},
		"flat": {site, flat},
		"secured": {site, map[string]any{
			"port_security_enabled": true, "security_groups": []string{otherGroup, groupID},
			"fixed_ips": []any{map[string]any{"subnet_id": "a", "ip_address": "10.1.4.9"}, map[string]any{"ip_address": "2001:db8::9"}},
			"allowed_address_pairs": []any{
				map[string]any{"ip_address": "10.9.0.7/24"},
				map[string]any{"ip_address": "10.1.4.200", "mac_address": "00:00:5e:00:01:07"},
				map[string]any{"ip_address": "10.1.4.201", "mac_address": nil},
			},
		}},
		"no-group":    {site, map[string]any{"port_security_enabled": true, "security_groups": nil, "fixed_ips": null, "allowed_address_pairs": nil}},
		"gpe":         {overlaid, map[string]any{"network_type": "gpe", "physnet": null, "segmentation_id": 1<<24 - 1}},
		"vxlan":       {tunnelled, map[string]any{"network_type": "vxlan", "segmentation_id": 1}},
		"tap":         {site, map[string]any{"binding_type": "tap", "port_security_enabled": true, "security_groups": []string{groupID}}},
		"tap-veth":    {veth, map[string]any{"binding_type": "plugtap"}},
		"vlan-server": {server, map[string]any{"device_id": null, "unknown": map[string]any{"a": 1}, "segmentation_id": 4094}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := c.site.Port(id, value(c.with))
			require.NoError(t, err)
			var b strings.Builder
			for _, o := range p.Objects() {
				require.NoError(t, o.Validate())
				if s, ok := o.(fmt.Stringer); ok {
					fmt.Fprintf(&b, "%s %s\n", o.Key(), s)
				} else {
					fmt.Fprintf(&b, "%s %s\n", o.Key(), set(t, o))
				}
			}
			fmt.Fprintf(&b, "%s\n", p.State(translate.Handles{Interface: 7, Bridge: 3, Uplink: 5}, 0))
			golden(t, name, b.String())
		})
	}
}

// set is an object without what is left to VPP.
func set(t *testing.T, o desiredstate.Object) string {
	t.Helper()
	var fields map[string]any
	out, err := json.Marshal(o)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out, &fields))
	zero := []any{nil, "", false, 0.0, vppnet.MAC{}.String()}
	maps.DeleteFunc(fields, func(_ string, v any) bool {
		sub, isMap := v.(map[string]any)
		if isMap {
			maps.DeleteFunc(sub, func(_ string, v any) bool { return slices.Contains(zero, v) })
			return len(sub) == 0
		}
		return slices.Contains(zero, v)
	})
	out, err = json.Marshal(fields)
	require.NoError(t, err)
	return string(out)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name + ".golden"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test -update writes it anew")
}

func TestTwoPortsShareTheirNetwork(t *testing.T) {
	other := strings.Replace(id, "2f6a", "3f6a", 1)
	s := desiredstate.NewStore()
	for _, name := range []string{id, other} {
		p, err := site.Port(name, value(nil))
		require.NoError(t, err)
		require.NoError(t, s.Assign(name, p.Objects()...))
	}
	var spaces []string
	for k := range s.Statuses() {
		spaces = append(spaces, k.Space)
	}
	require.Equal(t, []string{
		"bridge-domain", "bridge-port", "bridge-port", "bridge-port", "interface", "interface", "interface",
		"link", "link", "link", "link",
	}, spaces)
	require.NoError(t, s.Assign(uplinkSource, site.UplinkObjects("physnet1")...), "the uplink's state is one thing to all")
}

const uplinkSource = "physnet/physnet1"

func TestWhatIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		key   string
		value []byte
		err   string
	}{
		"gpe":                    {id, value(map[string]any{"network_type": "gpe", "physnet": null, "segmentation_id": 5000}), "gpe: this host has no address in an underlay"},
		"vxlan":                  {id, value(map[string]any{"network_type": "vxlan"}), "gpe: this host has no address in an underlay"},
		"VNI 0":                  {id, value(map[string]any{"network_type": "gpe", "segmentation_id": null}), "segmentation_id: 0 is no VNI"},
		"VNI -1":                 {id, value(map[string]any{"network_type": "gpe", "segmentation_id": -1}), "segmentation_id: -1 is no VNI"},
		"VNI 2^24":               {id, value(map[string]any{"network_type": "gpe", "segmentation_id": 1 << 24}), "segmentation_id: 16777216 is no VNI"},
		"VNI 2^32+1":             {id, value(map[string]any{"network_type": "vxlan", "segmentation_id": 1<<32 + 1}), "segmentation_id: 4294967297 is no VNI"},
		"odd binding":            {id, value(map[string]any{"binding_type": "ovs"}), "binding_type: \"ovs\" is unknown"},
		"no binding":             {id, value(map[string]any{"binding_type": nil}), "binding_type: \"\" is unknown"},
		"odd network":            {id, value(map[string]any{"network_type": "geneve"}), "network_type: \"geneve\" is unknown"},
		"no vlan":                {id, value(map[string]any{"segmentation_id": null}), "segmentation_id: 0 is no VLAN"},
		"vlan 4095":              {id, value(map[string]any{"segmentation_id": 4095}), "segmentation_id: 4095 is no VLAN"},
		"vlan -1":                {id, value(map[string]any{"segmentation_id": -1}), "segmentation_id: -1 is no VLAN"},
		"vlan 65678":             {id, value(map[string]any{"segmentation_id": 65536 + 142}), "segmentation_id: 65678 is no VLAN"},
		"vlan 1e99":              {id, value(map[string]any{"segmentation_id": json.RawMessage("1e99")}), "segmentation_id: 1e99 is no int64"},
		"vlan 1.5":               {id, value(map[string]any{"segmentation_id": 1.5}), "segmentation_id: 1.5 is no int64"},
		"vlan text":              {id, value(map[string]any{"segmentation_id": "142"}), "segmentation_id: \"142\" is no int64"},
		"flat with vlan":         {id, value(map[string]any{"network_type": "flat"}), "segmentation_id: a flat network has no 142"},
		"foreign physnet":        {id, value(map[string]any{"physnet": "physnet9"}), "physnet: this host has no \"physnet9\""},
		"no physnet":             {id, value(map[string]any{"physnet": null}), "physnet: this host has no \"\""},
		"physnet is a list":      {id, value(map[string]any{"physnet": []int{1}}), "physnet: [1] is no string"},
		"no MAC":                 {id, value(map[string]any{"mac_address": nil}), "mac_address: \"\" is no unicast MAC"},
		"multicast MAC":          {id, value(map[string]any{"mac_address": "01:00:5e:00:00:01"}), "mac_address: \"01:00:5e:00:00:01\" is no unicast MAC"},
		"not JSON":               {id, []byte("hello"), "not a JSON object"},
		"cut JSON":               {id, value(nil)[:40], "not JSON: unexpected EOF at byte 40"},
		"empty":                  {id, nil, "not a JSON object"},
		"null":                   {id, []byte("null"), "not a JSON object"},
		"list":                   {id, []byte("[]"), "not a JSON object"},
		"two values":             {id, append(value(nil), "{}"...), "not JSON: something follows the object"},
		"trailing junk":          {id, append(value(nil), "}"...), "not JSON: something follows the object"},
		"signed":                 {id, []byte(`{"jwt":"a.b.c","certificate":"PEM"}`), "mac_address"},
		"not UTF-8":              {id, []byte("{\"mac_address\":\"\xff\"}"), "not UTF-8"},
		"a megabyte":             {id, make([]byte, 1<<20), "longer than the 65536 bytes that are read"},
		"twice":                  {id, append([]byte(`{"mac_address":"fa:16:3e:00:10:01",`), value(nil)[1:]...), "mac_address is given twice"},
		"deep":                   {id, []byte(strings.Repeat(`{"a":`, 12000)), "not JSON"},
		"traversal":              {"../../../etc/passwd", value(nil), "the key's name is not a UUID"},
		"traversal after a uuid": {id + "/../x", value(nil), "the key's name is not a UUID"},
		"newline after a uuid":   {id + "\n", value(nil), "the key's name is not a UUID"},
		"NUL":                    {id[:35] + "\x00", value(nil), "the key's name is not a UUID"},
		"no name":                {"", value(nil), "the key's name is not a UUID"},
		"dashes":                 {strings.Repeat("-", 36), value(nil), "the key's name is not a UUID"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := site.Port(c.key, c.value)
			require.ErrorContains(t, err, c.err)
			require.Less(t, len(err.Error()), 200, "errors do not repeat junk at length")
		})
	}
}

func TestSites(t *testing.T) {
	require.NoError(t, site.Validate())
	for name, c := range map[string]struct {
		with func(*translate.Site)
		err  string
	}{
		"no host":            {func(s *translate.Site) { s.Host = "" }, "host \"\""},
		"host of two parts":  {func(s *translate.Site) { s.Host = "a/b" }, "host \"a/b\""},
		"relative directory": {func(s *translate.Site) { s.Dir = "run" }, "vhost-user directory"},
		"no directory":       {func(s *translate.Site) { s.Dir = "" }, "vhost-user directory"},
		"detour":             {func(s *translate.Site) { s.Dir = "/run/../etc" }, "vhost-user directory"},
		"long directory":     {func(s *translate.Site) { s.Dir = "/" + strings.Repeat("d", 71) }, "vhost-user directory"},
		"no physnet":         {func(s *translate.Site) { s.Physnets = nil }, "no physical network"},
		"dot in physnet":     {func(s *translate.Site) { s.Physnets = map[string]string{"a.b": "eth0"} }, "physical network \"a.b\""},
		"long physnet":       {func(s *translate.Site) { s.Physnets = map[string]string{strings.Repeat("p", 33): "eth0"} }, "physical network"},
		"no interface":       {func(s *translate.Site) { s.Physnets = map[string]string{"a": ""} }, "physical network \"a\": interface"},
		"one for two physnets": {
			func(s *translate.Site) { s.Physnets = map[string]string{"b": "eth0", "a": "eth0"} },
			"physical networks \"a\" and \"b\" share eth0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := site
			s.Physnets = maps.Clone(site.Physnets)
			c.with(&s)
			require.ErrorContains(t, s.Validate(), c.err)
		})
	}
}

// The longest names that are allowed fit VPP's tags.
func TestLongestNamesFit(t *testing.T) {
	long := strings.Repeat("p", 32)
	s := translate.Site{Host: "h", Dir: "/" + strings.Repeat("d", 69), Physnets: map[string]string{long: "e"}}
	require.NoError(t, s.Validate())
	p, err := s.Port(id, value(map[string]any{"physnet": long, "segmentation_id": 4094}))
	require.NoError(t, err)
	for _, o := range p.Objects() {
		require.NoError(t, o.Validate())
		if slices.Contains([]string{"interface", "bridge-domain"}, o.Key().Space) {
			require.LessOrEqual(t, len(translate.Owner+"/"+o.Key().Name), 63)
		}
	}
}

// Whoever does not say that a port shall be open gets a filtered one.
func TestSecurityIsTheDefault(t *testing.T) {
	for _, with := range []map[string]any{
		{"port_security_enabled": nil}, {"port_security_enabled": null}, {"port_security_enabled": true},
	} {
		p, err := site.Port(id, value(with))
		require.NoError(t, err)
		require.True(t, p.Filtered)
	}
	p, err := site.Port(id, []byte(strings.Replace(string(value(nil)), "port_security_enabled", "Port_Security_Enabled", 1)))
	require.NoError(t, err)
	require.True(t, p.Filtered, "another case is another member")
}

// FuzzPort: whatever lies in etcd, nothing panics, and what is served is valid,
// unfiltered by its own wish only, up behind its filters only, and confined to its
// directory.
func FuzzPort(f *testing.F) {
	f.Add(id, value(nil))
	f.Add(id, value(map[string]any{"network_type": "flat", "segmentation_id": 0}))
	f.Add(id, secured(map[string]any{"security_groups": []string{groupID}}))
	f.Add("../"+id, value(nil))
	f.Add(id, []byte(`{"port_security_enabled":true,"port_security_enabled":false}`))
	f.Add(id, []byte("\xff"))
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		p, err := site.Port(name, value)
		if err != nil {
			return
		}
		var says struct {
			Security *bool `json:"port_security_enabled"`
		}
		if json.Unmarshal(value, &says) == nil && p.Lacks == nil {
			require.Equal(t, says.Security == nil || *says.Security, p.Filtered)
		}
		require.Equal(t, site.Dir+"/"+name, p.Socket())
		s := desiredstate.NewStore()
		require.NoError(t, s.Assign(name, p.Objects()...))
		has := map[desiredstate.Key]bool{}
		for _, o := range p.Objects() {
			require.NoError(t, o.Validate())
			has[o.Key()] = true
		}
		if p.Filtered {
			for _, k := range []desiredstate.Key{acl.BindingKey(p.Interface()), acl.MACIPBindingKey(p.Interface())} {
				require.True(t, has[k])
				link, _ := s.Want(vppnet.LinkKey(p.Interface()))
				require.Contains(t, link.Deps(), k)
			}
		}
		require.True(t, json.Valid([]byte(p.State(translate.Handles{}, 0))))
	})
}
