// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"strings"

	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/ip_types"
)

// starters make what others work on. They come first, and again and again.
var starters = []string{
	"create_loopback_instance", "create_loopback_instance", "ip_table_add_del_v2", "bridge_domain_add_del_v2", "create_subif",
	"sw_interface_set_flags", "sw_interface_set_flags", "sw_interface_add_del_address",
}

var (
	indexes = []uint64{0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 99, none}
	tables  = []uint64{0, 0, 7, 7, 10, 99, none}
	vlans   = []uint64{0, 5, 6, 7, 4094, 4095}
	ports   = []uint64{0, 22, 80, 1024, 65535}
	few     = []uint64{0, 1, 2, 3}
)

// numbers are pools by "message.field", or "field" of any message; "" is for the rest.
var numbers = map[string][]uint64{
	"":                       {0, 1, 2, 3, 5, 7, 255},
	"sw_if_index":            indexes,
	"rx_sw_if_index":         indexes,
	"tx_sw_if_index":         indexes,
	"parent_sw_if_index":     indexes,
	"bond_sw_if_index":       indexes,
	"bond_create2.id":        {none, none, none, 0, 1, 2, 5, none - 1},
	"bond_create2.mode":      {1, 2, 2, 3, 4, 5, 5, 0, 6},
	"bond_create2.lb":        {0, 1, 2, 3},
	"unnumbered_sw_if_index": indexes,
	"bd_id":                  {1, 1, 2, 2, 3, 0, 99, 1 << 24, 1<<24 - 1},
	"table_id":               tables,
	"vrf_id":                 tables,
	"rx_vrf_id":              tables,
	"server_vrf_id":          tables,
	"table_vrf_id":           tables,
	"vrf_table_id":           tables,
	"outside_vrf":            tables,
	"inside_vrf":             tables,
	"outer_vlan_id":          vlans,
	"inner_vlan_id":          vlans,
	"vlan_id":                vlans,
	"tag1":                   vlans,
	"tag2":                   vlans,
	"sub_id":                 {0, 1, 2, 5, 7},
	"user_instance":          {0, 1, 2, 3, 5, none},
	"acl_index":              {0, 1, 2, 3, 9, none},
	"policy_id":              {7, 7, 8, 9, 10},
	"acls":                   {0, 1, 2, 3, 9},
	"sessions":               {0, 64, 1024},
	"users":                  {0, 64, 1024},
	"user_sessions":          {0, 64, 1024},
	"max_number":             {0, 1, 2, 3, 50000},
	"max_age":                {0, 3600, none}, // beyond the time that a comparison takes
	"vr_id":                  {1, 1, 1, 1, 2, 0, 255},
	"vrrp_vr_add_del.priority": {
		1, 100, 100, 200, 254, 0, 255,
	},
	"interval":      {30000, 30000, 65535, 0},
	"local_port":    ports,
	"external_port": ports,
	"port":          ports,
	"ext_port":      ports,
	"mss_value":     {0, 536, 1400, 65535},
	"protocol":      {0, 1, 6, 6, 17, 58, 255},
	"proto":         {0, 0, 0, 1, 1, 2, 3, 4, 5},
	"weight":        {0, 1, 1, 1, 2, 255},
	"preference":    {0, 0, 0, 1, 255},
	"n_labels":      {0},
	"rpf_id":        {0, none},
	"mtu":           {0, 64, 1500, 9000, 65535},
	"mac_age":       {0, 1, 60, 255},
	"ip_mtu":        {0, 1280, 1500, 9000},
	"cursor":        {0, none},
	"dump_all":      few,

	"acl_add_replace.acl_index":       {none, none, none, 0, 1, 2},
	"macip_acl_add_replace.acl_index": {none, none, none, 0, 1, 2},
	"acl_add_replace.proto":           {0, 1, 6, 17, 58},
	"ip_route_add_del_v2.type":        {0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7},
	"ip_route_add_del_v2.flags":       {0, 0, 0, 0, 1, 2},
	"ip_route_add_del_v2.proto":       {0, 0, 0, 1, 1, 2},
	"ip_route_add_del_v2.src":         {0, 0, 0, 1, 5, 8, 10},
	"ip_route_v2_dump.src":            {0, 0, 0, 1, 2, 3, 10},

	"sw_interface_ip6nd_ra_config.max_interval":  {0, 200, 600, 2000},
	"sw_interface_ip6nd_ra_config.min_interval":  {0, 100, 150},
	"sw_interface_ip6nd_ra_config.lifetime":      {0, 1800, 600, 10000},
	"sw_interface_ip6nd_ra_prefix.val_lifetime":  {0, 600, 2592000, none},
	"sw_interface_ip6nd_ra_prefix.pref_lifetime": {0, 600, 604800, none},
	"is_add":     {1, 1, 1, 0},
	"start_stop": {1, 1, 0},
	"is_ipv6":    {0, 0, 0, 1},
	"repeat":     {1},
	"vrrp_vr_track_if_add_del.priority": {
		1, 10, 100, 254, 0, 255,
	},
	"enable_disable":                       {1, 1, 0},
	"port_type":                            {0, 0, 0, 1, 2, 7},
	"shg":                                  {0, 0, 1, 255},
	"mode":                                 {0, 1},
	"learn_limit":                          {0, 1, 100, 1 << 20},
	"push_dot1q":                           {0, 1},
	"vtr_op":                               {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
	"feature_bitmap":                       {0, 0, 1, 2, 4, 8, 0xff},
	"queue_size":                           {256},
	"num_rx_queues":                        {1},
	"num_tx_queues":                        {1},
	"tx_frames_per_block":                  {0}, // what Linux can refuse is not imitated
	"rx_frames_per_block":                  {0},
	"rx_frame_size":                        {0},
	"tx_frame_size":                        {0},
	"af_packet_create_v3.mode":             {1, 1, 1, 2, 2, 0},
	"nat44_ei_plugin_enable_disable.flags": {0, 0, 0, 1, 2, 3}, // OUT2IN_DPO is not imitated
	"default_age":                          {0, 60},

	"bib_buckets":                    {0, 1, 1},
	"st_buckets":                     {0, 1},
	"bib_memory_size":                {0, 1 << 20},
	"st_memory_size":                 {0, 1 << 20},
	"i_port":                         {0, 80, 80, 2000},
	"o_port":                         {0, 80, 2000}, // what VPP counts of port 65535 is not imitated
	"nat64_bib_dump.proto":           {255, 255, 1, 6, 17, 47, 58},
	"nat64_add_del_static_bib.proto": {1, 6, 6, 17, 47, 58},

	"classify_add_del_table.table_index":      {none, none, none, 0, 1, 2},
	"classify_add_del_table.nbuckets":         {0, 1, 2, 2, 5},
	"classify_add_del_table.memory_size":      {0, 1 << 20, 1 << 20, 1 << 20},
	"classify_add_del_table.skip_n_vectors":   {0, 0, 1},
	"classify_add_del_table.match_n_vectors":  {1, 1, 2, 0, 6},
	"classify_add_del_table.next_table_index": {none, none, none, 0, 1, 9},
	"classify_add_del_table.mask":             {0, 0, 0, 255, 1},
	"classify_add_del_session.match":          {0, 0, 0, 0, 1, 2, 255},
	"classify_add_del_session.hit_next_index": {none, 0, 1},
	"classify_add_del_session.action":         {0, 0, 0, 3, 77},
	"classify_add_del_session.table_index":    {0, 0, 1, 1, 2, 9},
	"table_index":                             {0, 1, 2, 9},
	"ip4_table_index":                         {none, 0, 1, 1, 9},
	"ip6_table_index":                         {none, none, 0, 1, 9},
	"l2_table_index":                          {none},
	"policer_classify_dump.type":              {0, 1},
	"policer_classify_dump.sw_if_index":       {0, none},
	"flow_classify_dump.type":                 {0, 1},
	"flow_classify_dump.sw_if_index":          {0, none},

	"wireguard_interface_create.user_instance": {none, none, 0, 1, 5, 1 << 14},
	"wireguard_interface_create.port":          {1, 2, 51820, 4444},
	"private_key":                              {1, 2},
	"public_key":                               {1, 2, 3},
	"peer_index":                               {0, 1, 2, none},
	"wireguard_peer_add.table_id":              {0},
	"queue_id":                                 {0, 0, 1},
	"worker_id":                                {0, 1},
}

// lengths are pools of how long lists are.
var lengths = map[string][]int{
	"classify_add_del_table.mask":    {16, 16, 16, 32, 0, 96},
	"classify_add_del_session.match": {16, 16, 32, 32, 48, 0},
}

// texts are pools of strings.
var texts = map[string][]string{
	"":               {"", "a", "b", "me/a", "me/b", "no-text-\xff", strings.Repeat("x", 63), strings.Repeat("y", 64)},
	"host_if_name":   {"vt0", "vt1", "vt0", "none", "", strings.Repeat("n", 31)},
	"host_namespace": {"", "", "none"},
	"sock_filename":  {"$DIR/a", "$DIR/b", "$DIR/c", "/none/such", ""},
	"cmd":            {"show version"},
	"arc_name":       {"ip4-unicast", "ip4-output", "ip6-unicast", "ip6-output", "arp", "l2-input-ip4", "l2-output-nonip", "none"},
	"feature_name": {
		"nat-pre-in2out", "nat-pre-out2in", "nat-pre-in2out-output", "nat44-ed-classify", "nat44-ei-in2out", "nat44-ei-out2in",
		"nat44-ei-classify", "nat44-ei-in2out-output", "ip4-inacl", "ip6-inacl", "ip4-outacl", "ip6-outacl", "arp-proxy", "none", "error-drop", "interface-output", "ip4-lookup",
		"acl-plugin-in-ip4-fa", "acl-plugin-out-ip4-fa", "acl-plugin-out-ip6-fa", "acl-plugin-in-ip4-l2", "acl-plugin-out-nonip-l2",
	},
}

// trueOf is how often a bool is true.
func trueOf(field string) float64 {
	switch field {
	case "is_add", "enable", "is_ip6", "is_set":
		return map[bool]float64{true: 0.3, false: 0.75}[field == "is_ip6"]
	case "del_all", "disable_ip6", "is_ipv6", "is_shm", "packed", "flush":
		return 0.1
	}
	return 0.3
}

var macs = []ethernet_types.MacAddress{
	{}, {2, 0xbb, 0, 0, 0, 1}, {2, 0xbb, 0, 0, 0, 2}, {2, 0xbb, 0, 0, 0, 3}, {2, 0xaa, 0, 0, 0, 1}, {1, 0, 0x5e, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
}

const ip4Addresses = 8

var addresses = parsed(ip_types.ParseAddress,
	"10.0.0.1", "10.0.0.2", "10.0.0.9", "10.0.1.1", "192.0.2.1", "0.0.0.0", "224.0.0.5", "255.255.255.255",
	"2001:db8::1", "2001:db8::2", "2001:db8:1::9", "fe80::5", "::", "ff02::1",
)

var prefixes = append(parsed(ip_types.ParsePrefix,
	"10.0.0.1/24", "10.0.0.2/24", "10.0.0.1/32", "10.0.0.0/24", "10.0.1.1/24", "10.0.0.0/16", "192.0.2.1/32", "192.0.2.0/31", "0.0.0.0/0", "224.1.0.0/16",
	"2001:db8::1/64", "2001:db8::2/64", "2001:db8::1/128", "2001:db8::/32", "fe80::5/128", "fe80::5/64", "::/0", "ff00::/8",
), ip_types.Prefix{Address: addresses[0], Len: 33}, ip_types.Prefix{Address: addresses[ip4Addresses], Len: 129})

func parsed[T any](parse func(string) (T, error), all ...string) (out []T) {
	for _, text := range all {
		v, err := parse(text)
		if err != nil {
			panic(err)
		}
		out = append(out, v)
	}
	return out
}
