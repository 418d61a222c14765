// SPDX-License-Identifier: Apache-2.0

package binapi

import (
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"go.fd.io/govpp/api"
)

const (
	core    = "vpp core"
	unknown = "unknown" // no bindings for the message are linked in
)

// coreModules are the API modules that VPP has without any plugin.
var coreModules = strings.Fields(`
	arp bfd bier bond classify crypto dev feature fib flow gso interface ip
	ip6_nd ip_neighbor ipfix_export ipip ipsec l2 memclnt mpls p2p_ethernet pg
	pipe punt qos rd_cp session span sr sr_pt syslog tapv2 tcp teib udp
	virtio vlib vpe`)

// plugins names the plugins whose name is not that of the API module.
var plugins = map[string]string{
	"dhcp6_ia_na_client_cp": "dhcp",
	"dhcp6_pd_client_cp":    "dhcp",
	"graph":                 "tracedump",
	"ioam_cache":            "ioam",
	"ioam_export":           "ioam",
	"ioam_vxlan_gpe":        "ioam",
	"lcp":                   "linux_cp",
	"lisp_gpe":              "lisp",
	"nat44_ed":              "nat",
	"one":                   "lisp",
	"pot":                   "ioam",
	"sr_mobile":             "srv6mobile",
	"trace":                 "ioam",
	"udp_ping":              "ioam",
	"vhost_user":            "vhost",
	"vxlan_gpe":             "vxlan-gpe",
	"vxlan_gpe_ioam_export": "ioam",
}

// origins tells from which plugin each registered message comes, by "name_crc".
func origins() map[string]string {
	all := make(map[string]string)
	registered := api.GetRegisteredMessages()
	for _, tree := range slices.Sorted(maps.Keys(registered)) {
		for key, msg := range registered[tree] {
			// Trees agree on all that VPP has; if not, the first one counts.
			if _, ok := all[key]; !ok {
				all[key] = plugin(path.Base(reflect.TypeOf(msg).Elem().PkgPath()))
			}
		}
	}
	return all
}

func plugin(module string) string {
	if slices.Contains(coreModules, module) {
		return core
	}
	if p, ok := plugins[module]; ok {
		return p
	}
	return module
}

func origin(origins map[string]string, key string) string {
	if p, ok := origins[key]; ok {
		return p
	}
	return unknown
}

func splitCRC(key string) (name, crc string) {
	i := strings.LastIndexByte(key, '_')
	return key[:max(i, 0)], key[i+1:]
}
