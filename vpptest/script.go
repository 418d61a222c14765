// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"go.fd.io/govpp/api"
)

// A Script is a list of requests to be made one after the other of a fresh VPP.
//
// What is recorded, and compared by Replay, is what was on the wire. A message is
// written as the fields of its binding, without those that are zero; where fields cannot
// say all (a byte behind the end of a string, text that is no UTF-8, an address with an
// impossible length), "@bytes" beside them says what the rest of the wire was. Message
// ids, client indexes and contexts are left out: clients choose them, or VPP does anew
// for each. Nothing else is, but what differs from one VPP to the next, which is "*" in
// answers and events:
//
//   - the fields of Volatile, pids, ids, times and build details in VPP's own messages;
//   - the last four bytes of MACs that VPP makes up: 02:fe:*; use others in scripts;
//   - the number of a route's source that a plugin brought: it depends on what plugins there are;
//   - the directory given to Record and Replay: $DIR, which stands for it in requests too.
//
// The details of hash tables have no order: they are compared as a set.
type Script struct {
	Name     string
	About    string   // what it shows, in a sentence
	Volatile []string // more fields that differ each time: "message.field", "message.list.field", "message.@bytes"
	Steps    []Step
}

// A Step is one request and what is said about it. Steps with Pipeline wait for the
// next one without it and are sent with it in one go; their answers appear there.
//
// A step can be made of what earlier ones were answered, by whichever VPP answers:
//
//	{As: "lo", Request: &interfaces.CreateLoopback{}},
//	{Request: &interfaces.SwInterfaceSetFlags{Flags: 1}, From: map[string]string{"sw_if_index": "lo.sw_if_index"}},
//
// Names of fields are those of VPP, joined by dots, with numbers from 0 for elements of
// lists. A number right behind the name of a step says which of its answers is meant;
// without, it is the first.
type Step struct {
	Note     string
	Client   int // which connection makes it; each new number is a new connection
	Request  api.Message
	As       string            // what later steps call its answers; no dots
	From     map[string]string // fields of Request taken from answers: "field": "step.field"
	Pipeline bool
}

// volatile fields of the messages that every VPP has.
var volatile = []string{
	"control_ping_reply.vpe_pid",
	"control_ping_reply.client_index",
	"get_first_msg_id_reply.first_msg_id",
	"show_version_reply.build_date",
	"show_version_reply.build_directory",
	"show_version_reply.version", // which a VPP that somebody built says in words of its own
	"show_vpe_system_time_reply.vpe_system_time",
	"show_vpe_system_time_reply.@bytes", // of the same: JSON has whole microseconds
	"bridge_domain_details.sw_if_details.context",
	"dhcp_client_details.lease.host_mac", // once it has asked, which it does each second
	"ip_neighbor_details.age",
	"ip_route_v2_details.route.stats_index",
	"policer_details.scale", // and all that is scaled by it, or is the machine's clock
	"policer_details.cir_tokens_per_period",
	"policer_details.pir_tokens_per_period",
	"policer_details.current_limit",
	"policer_details.current_bucket",
	"policer_details.extended_limit",
	"policer_details.extended_bucket",
	"policer_details.last_update_time",
	"sw_interface_ip6nd_ra_details.last_radv_time",
	"sw_interface_ip6nd_ra_details.last_multicast_time",
	"sw_interface_ip6nd_ra_details.next_multicast_time",
	"sw_interface_ip6nd_ra_details.initial_adverts_sent",
	"sw_interface_ip6nd_ra_details.n_advertisements_sent",
	"sw_interface_ip6nd_ra_details.prefixes.valid_lifetime_expires",
	"sw_interface_ip6nd_ra_details.prefixes.pref_lifetime_expires",
}

// unordered are details that VPP dumps in the order of a hash table.
var unordered = []string{"l2_fib_table_details", "bd_ip_mac_details", "sw_interface_vhost_user_details", "ip_route_v2_details", "ip_neighbor_details", "ip_table_details", "memif_socket_filename_details", "qos_egress_map_details", "sw_interface_rx_placement_details"}
