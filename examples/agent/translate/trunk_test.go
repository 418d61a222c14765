// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

const subID = "2f6a0f66-38b1-4ac2-a1a1-3b6a6d0c0009"

// sub is a subport as the driver writes it, with some members changed.
func sub(with map[string]any) map[string]any {
	v := map[string]any{
		"port_id": subID, "segmentation_type": "vlan", "segmentation_id": 11, "physnet": "physnet1",
		"uplink_seg_type": "vlan", "uplink_seg_id": 139, "allowed_address_pairs": []any{}, "port_security_enabled": false,
		"security_groups": []string{}, "mac_address": "fa:16:3e:47:21:b8", "fixed_ips": []any{map[string]any{"ip_address": "10.5.0.231"}},
	}
	for k, x := range with {
		if v[k] = x; x == nil {
			delete(v, k)
		}
	}
	return v
}

func trunk(subs ...map[string]any) []byte {
	out, err := json.Marshal(map[string]any{"name": "t", "status": "DOWN", "sub_ports": subs})
	if err != nil {
		panic(err)
	}
	return out
}

func TestTrunk(t *testing.T) {
	parent, err := site.Port(id, value(nil))
	require.NoError(t, err)
	secured, err := site.Port(id, secured(map[string]any{}))
	require.NoError(t, err)
	tr, err := site.Trunk(id, trunk(
		sub(nil),
		sub(map[string]any{"port_id": otherGroup, "segmentation_id": 12, "uplink_seg_id": 140, "port_security_enabled": true, "security_groups": []string{groupID}}),
	))
	require.NoError(t, err)
	require.NoError(t, tr.Lacks)
	require.Len(t, tr.Subports, 2)
	var b strings.Builder
	for _, on := range []int{0, 1} {
		for _, p := range tr.Subports {
			p, err := p.On(parent)
			if on == 1 {
				p, err = p.On(secured)
			}
			require.NoError(t, err)
			for _, o := range p.Objects() {
				require.NoError(t, o.Validate())
				if s, ok := o.(fmt.Stringer); ok {
					fmt.Fprintf(&b, "%s %s\n", o.Key(), s)
				} else {
					fmt.Fprintf(&b, "%s %s\n", o.Key(), set(t, o))
				}
			}
		}
	}
	golden(t, "trunk", b.String())

	same, err := site.Trunk(id, trunk(sub(map[string]any{"uplink_seg_id": 142})))
	require.NoError(t, err)
	_, err = same.Subports[0].On(parent)
	require.ErrorContains(t, err, "physnet1.vlan.142 is its parent's network too")
	on, err := tr.Subports[0].On(parent)
	require.NoError(t, err)
	_, err = tr.Subports[1].On(on)
	require.ErrorContains(t, err, "is a subport")
}

func TestTrunksRefused(t *testing.T) {
	for name, c := range map[string]struct {
		key   string
		value []byte
		err   string
	}{
		"name":         {"x", trunk(), "the key's name is not a UUID"},
		"junk":         {id, []byte("junk"), "not a JSON object"},
		"no list":      {id, []byte(`{"sub_ports":{}}`), "sub_ports: {} is no list"},
		"no sub_ports": {id, []byte(`{}`), "sub_ports is missing"},
		"signed":       {id, []byte(`{"jwt":"a.b.c","certificate":"PEM"}`), "sub_ports is missing"},
	} {
		_, err := site.Trunk(c.key, c.value)
		require.ErrorContains(t, err, c.err, name)
	}
	// What is wrong with one subport is said of it, and the other is served.
	good := sub(map[string]any{"port_id": otherGroup, "segmentation_id": 12})
	for name, c := range map[string]struct {
		with map[string]any
		err  string
	}{
		"itself":       {map[string]any{"port_id": id}, "subport " + id + " is the trunk's parent"},
		"twice":        {map[string]any{"port_id": otherGroup}, "subport " + otherGroup + " is there twice"},
		"one VLAN":     {map[string]any{"segmentation_id": 12}, "subport " + subID + ": VLAN 12 is that of subport " + otherGroup},
		"no port":      {map[string]any{"port_id": nil}, "sub_ports 1: port_id is missing"},
		"odd port":     {map[string]any{"port_id": "../x"}, "sub_ports 1: port_id: \"../x\" is not a UUID"},
		"no VLAN":      {map[string]any{"segmentation_id": nil}, "segmentation_id is missing"},
		"VLAN 0":       {map[string]any{"segmentation_id": 0}, "segmentation_id: 0 is no VLAN"},
		"VLAN 4095":    {map[string]any{"segmentation_id": 4095}, "segmentation_id: 4095 is no VLAN"},
		"VLAN text":    {map[string]any{"segmentation_id": "11"}, "segmentation_id: \"11\" is no int64"},
		"inherit":      {map[string]any{"segmentation_type": "inherit"}, "segmentation_type: \"inherit\" is unknown"},
		"no MAC":       {map[string]any{"mac_address": nil}, "mac_address: \"\" is no unicast MAC"},
		"no network":   {map[string]any{"physnet": "physnet9"}, "physnet: this host has no \"physnet9\""},
		"network 4095": {map[string]any{"uplink_seg_id": 4095}, "uplink_seg_id: 4095 is no VLAN"},
		"geneve":       {map[string]any{"uplink_seg_type": "geneve"}, "uplink_seg_type: \"geneve\" is unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			tr, err := site.Trunk(id, trunk(good, sub(c.with)))
			require.NoError(t, err)
			require.ErrorContains(t, tr.Lacks, c.err)
			require.Len(t, tr.Subports, 1)
		})
	}
	tr, err := site.Trunk(id, trunk(sub(map[string]any{"port_security_enabled": true, "security_groups": []string{"x"}})))
	require.NoError(t, err)
	require.ErrorContains(t, tr.Subports[0].Lacks, "security_groups 0")
}

// A trunk can have a subport in each VLAN; what a list has beyond that costs nothing.
func TestALargeTrunk(t *testing.T) {
	var subs []map[string]any
	for n := range 4095 {
		subs = append(subs, sub(map[string]any{
			"port_id": fmt.Sprintf("%08x-38b1-4ac2-a1a1-3b6a6d0c0009", n), "segmentation_id": n%4094 + 1,
			"port_security_enabled": true, "security_groups": []string{groupID},
		}))
	}
	value := trunk(subs...)
	require.LessOrEqual(t, len(value), translate.Longest(site.Trunks()+id))
	tr, err := site.Trunk(id, value)
	require.NoError(t, err)
	require.Len(t, tr.Subports, 4094)
	require.EqualError(t, tr.Lacks, "sub_ports: 1 beyond the first 4094, more than there are VLANs")

	tr, err = site.Trunk(id, []byte(`{"sub_ports":[`+strings.Repeat("{},", 1<<20)+`{}]}`))
	require.NoError(t, err)
	require.ErrorContains(t, tr.Lacks, "sub_ports: 1044483 beyond the first 4094")
	require.ErrorContains(t, tr.Lacks, "and 4087 more")
	require.Less(t, translate.Longest(site.Ports()+id), 200<<10)
}
