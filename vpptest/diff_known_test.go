// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"go.fd.io/govpp/binapi/fib_types"
)

// What is known about differences stands here and in diff_never_test.go, and only there: what
// is arbitrary in answers, which differences are explained, and what is never sent.

// arbitrary are fields whose values mean nothing to compare, beside those of volatile.
var arbitrary = []string{
	"ip_neighbor_add_del_reply.stats_index", // of VPP's counters, of which the in-memory VPP has none
	"ip_route_add_del_v2_reply.stats_index", // the same
	"ip_route_lookup_v2_reply.route.stats_index",
	"dhcp_proxy_details.vss_type",                // not initialised
	"nat44_ed_output_interface_get_reply.cursor", // not initialised for an empty pool
	"nat44_ei_output_interface_get_reply.cursor",
	"lcp_itf_pair_get_reply.cursor",
	"wireguard_peers_details.peer.flags",         // a session that does not begin is given up after a while
	"sw_interface_vhost_user_details.sock_errno", // of a client's attempts, which come later
	"sw_interface_ip6nd_ra_details.@bytes",       // of a prefix too long for fields to say, with its times
	"gre_tunnel_details.@bytes",                  // behind an IPv4 address, in the place of an IPv6 one
	"gre_tunnel_details_v2.@bytes",               // behind an IPv4 address, in the place of an IPv6 one
	"show_version_reply.@bytes",                  // behind its texts, of whatever was there
	"lcp_default_ns_get_reply.@bytes",            // behind its text, too
}

// An explanation says why a kind of difference is none that matters.
type explanation struct {
	group *regexp.Regexp // request|shape
	when  func(real, fake []said) bool
	why   string
	ends  bool // the two go different ways from there on
}

// ownMAC begins the MACs that VPP gives to loopbacks, and that no request says.
const ownMAC = `"mac_address":"de:ad:00:00:00:`

var explanations = []explanation{
	{
		group: regexp.MustCompile(`^ip_neighbor_dump\|only real ip_neighbor_details$`),
		when:  onlyMore(`"fe80::`, ownMAC),
		why:   "a loopback hears its own neighbour solicitation, or answers its own ARP for another, and learns itself, sooner or later",
	},
	{
		group: regexp.MustCompile(`^nat44_(ei_)?user(_session_v[23])?_dump\|only real `),
		when:  onlyMore(`"255.255.255.255"`),
		why:   "a loopback hears its own DHCP client, and NAT takes that for a host",
	},
	{
		group: regexp.MustCompile(`^classify_session_dump\|only real classify_session_details$`),
		when:  onlyMore(`"hit_next_index":65535`),
		why:   "where flows are classified, VPP makes a session of each packet of its own that a loopback hears, such as a DHCP client's",
		ends:  true,
	},
	{
		group: regexp.MustCompile(`^l2_fib_table_dump\|only (real|fake) l2_fib_table_details$`),
		when: func(real, fake []said) bool {
			return slices.Equal(staticOf(real), staticOf(fake))
		},
		why: "a bridge domain learns where VPP's own packets come from, and forgets what is not static, sooner or later",
	},
	{
		group: regexp.MustCompile(`^l2fib_add_del\|retval real (0, fake -6|-6, fake 0)$`),
		why:   "it is one that the bridge domain has learned so, or forgotten",
	},
	{
		group: regexp.MustCompile(`^vrrp_vr_peer_dump\|only fake vrrp_vr_peer_details$`),
		why:   "VPP looks for a virtual router by bytes of which it has not set all",
	},
	{
		group: regexp.MustCompile(`^nat44_ed_vrf_tables_v2_dump\|nat44_ed_vrf_tables_details \.vrf_ids$`),
		when: func(real, fake []said) bool {
			for i := range fake {
				r, f := tablesOf(real[i]), tablesOf(fake[i])
				if len(r) != len(f) {
					return false
				}
				for n := range f { // none of those that are is all zeros behind another
					if r[n] != f[n] && !slices.Equal(f[n:], make([]uint32, len(f)-n)) {
						return false
					}
				}
			}
			return true
		},
		why: "in the place of tables that were stands what lies in the memory behind a list",
	},
	{
		group: regexp.MustCompile(`_get\|only fake .*_details$`),
		when: func(real, _ []said) bool {
			return len(real) > 0 && strings.Contains(real[len(real)-1].String(), `"retval":-165`)
		},
		why: "VPP lists no more than what it has time for, and says where it stopped",
	},
	{
		group: regexp.MustCompile(`^create_(vlan_)?subif\|retval real (-1|-31), fake 0$`),
		why:   "VPP does not clear its tables of VLANs: what is in the memory of a new one can say that a VLAN is taken",
		ends:  true,
	},
	{
		group: regexp.MustCompile(`^sw_interface_ip6nd_ra_dump\|sw_interface_ip6nd_ra_details \.prefixes\.(pref_lifetime|val_lifetime|pref_lifetime,\.prefixes\.val_lifetime)$`),
		why:   "VPP counts lifetimes down when it advertises, second by second",
	},
	{
		group: regexp.MustCompile(`^sw_interface_ip6_get_link_local_address\|sw_interface_ip6_get_link_local_address_reply \.ip$`),
		when: func(real, fake []said) bool {
			return !refused(real) && !refused(fake) && !ofMAC(real[0]) && !ofMAC(fake[0])
		},
		why:  randomLinkLocal,
		ends: true,
	},
	{
		group: regexp.MustCompile(`^ip_route_v2_dump\|ip_route_v2_details `),
		when:  sameButRandom,
		why:   randomLinkLocal,
		ends:  true,
	},
	{
		group: regexp.MustCompile(`^ip_route_v2_dump\|`),
		when:  sameButOwn,
		why:   "a loopback hears its own neighbour solicitation, and learns itself: the neighbour takes the place of its own address, and goes when the loopback goes down, with the table if it was the last",
		ends:  true,
	},
	{
		group: regexp.MustCompile(`^sw_interface_get_mac_address\|`),
		when: func(_, fake []said) bool {
			return len(fake) == 1 && !strings.Contains(fake[0].String(), `"mac_address"`)
		},
		why: "in the place of the MAC of what has none stands what was in the memory before",
	},
	{
		group: regexp.MustCompile(`^(sw_interface_(get_mac_address|ip6_get_link_local_address)|classify_table_info)\|`),
		when:  func(real, fake []said) bool { return refused(real) && refused(fake) },
		why:   "beside a refusal stands what was in the memory before",
	},
}

// onlyMore tells whether the real VPP says nothing that the in-memory one does not, but where
// there is one of the texts.
func onlyMore(texts ...string) func(real, fake []said) bool {
	return func(real, fake []said) bool {
		return !slices.ContainsFunc(real, func(s said) bool {
			text := s.String()
			return !slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(text, t) }) &&
				!slices.ContainsFunc(fake, func(f said) bool { return f.String() == text })
		})
	}
}

// unreadable is of answers that end before what they say is in them.
var unreadable = regexp.MustCompile("decoding message classify_table_info_reply")

const unreadableWhy = "classify_table_info|an answer without an end: beside a refusal stands what was in the memory before, for a length too"

// sameButRandom tells whether routes are the same but for those to link-local addresses that
// were drawn at random.
func sameButRandom(real, fake []said) bool {
	given := func(all []said) (out []string) {
		for _, s := range all {
			if !randomHost(s) {
				out = append(out, s.String())
			}
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(given(real), given(fake))
}

// sameButOwn tells whether routes are the same but for those to link-local addresses of interfaces
// themselves, or are all that was in such an interface's table, whose place may be another's.
func sameButOwn(real, fake []said) bool {
	own := make(map[netip.Prefix]bool)
	for _, s := range fake {
		if r := routeOf(s); r.TableID == none && r.Src == srcND && slices.ContainsFunc(r.Paths, toSelf) {
			own[r.Prefix] = true
		}
	}
	others := func(all []said) (out []string) {
		for _, s := range all {
			if !own[routeOf(s).Prefix] {
				out = append(out, s.String())
			}
		}
		slices.Sort(out)
		return out
	}
	gone := !slices.ContainsFunc(real, func(s said) bool { return routeOf(s).TableID == none })
	return len(own) > 0 && (gone || slices.Equal(others(real), others(fake)))
}

type saidRoute struct {
	TableID uint32              `json:"table_id"`
	Prefix  netip.Prefix        `json:"prefix"`
	Src     uint8               `json:"src"`
	Paths   []fib_types.FibPath `json:"paths"`
}

func routeOf(s said) saidRoute {
	var d struct{ Route saidRoute }
	_ = json.Unmarshal(s[s.name()], &d)
	return d.Route
}

func randomHost(s said) bool {
	r := routeOf(s)
	return r.Src == srcND && r.Prefix.IsSingleIP() && !givenHost(r.Prefix.Addr())
}

func refused(answers []said) bool {
	return len(answers) == 1 && strings.Contains(answers[0].String(), `"retval":-`)
}

// ofMAC tells whether a link-local address was made of a MAC that is not drawn at random.
func ofMAC(s said) bool {
	var d struct {
		IP netip.Addr `json:"ip"`
	}
	_ = json.Unmarshal(s[s.name()], &d)
	return givenHost(d.IP)
}

// givenHost tells whether the end of an address is a MAC's, and not of one that VPP draws, which
// begins with 02:fe.
func givenHost(a netip.Addr) bool {
	b := a.As16()
	return b[11] == 0xff && b[12] == 0xfe && [2]byte(b[8:10]) != [2]byte{0, 0xfe}
}

// staticOf are the MACs of a bridge domain that it never forgets.
func staticOf(all []said) (out []string) {
	for _, s := range all {
		if strings.Contains(s.String(), `"static_mac":true`) {
			out = append(out, s.String())
		}
	}
	slices.Sort(out)
	return out
}

// tablesOf are those that NAT says that one leaves by.
func tablesOf(s said) []uint32 {
	var d struct {
		VrfIds []uint32 `json:"vrf_ids"`
	}
	_ = json.Unmarshal(s[s.name()], &d)
	return d.VrfIds
}

// ownPackets is why VPP dies without a request that it could have died of.
const ownPackets = "it sends packets by itself, which in bridge domains and cross-connects of loopbacks multiply, or find no way out"

func explain(d *difference) *explanation {
	for _, e := range explanations {
		if e.group.MatchString(d.group) && (e.when == nil || e.when(d.real, d.fake)) {
			return &e
		}
	}
	return nil
}
