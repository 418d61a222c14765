// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"os"
	"slices"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/abf"
	"go.fd.io/govpp/binapi/af_packet"
	"go.fd.io/govpp/binapi/arping"
	"go.fd.io/govpp/binapi/bond"
	"go.fd.io/govpp/binapi/classify"
	"go.fd.io/govpp/binapi/fib_types"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/lcp"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/nat44_ed"
	"go.fd.io/govpp/binapi/nat44_ei"
	"go.fd.io/govpp/binapi/nat64"
	"go.fd.io/govpp/binapi/pipe"
	"go.fd.io/govpp/binapi/tapv2"
	"go.fd.io/govpp/binapi/vhost_user"
	"go.fd.io/govpp/binapi/vlib"
	"go.fd.io/govpp/binapi/vrrp"
	"go.fd.io/govpp/binapi/wireguard"
)

// neverSend says why m must not follow what was sent in this life of VPP; "" if it may.
// Most of it kills VPP 25.10; what no kind of ours sends is here all the same, in case
// one comes to use it.
func neverSend(m api.Message, past []api.Message) string {
	if why, ok := never[m.GetMessageName()]; ok {
		return why
	}
	switch m := m.(type) {
	case *memclnt.GetFirstMsgID, *memclnt.GetAPIJSON, *memclnt.ControlPing:
		return "says nothing of VPP's state"
	case *vlib.CliInband:
		return "text differs between builds"
	case *arping.Arping:
		return "it waits for an answer a second at a time; and is_garp on local0 kills VPP, which looks for its hardware address"
	case *l2.SwInterfaceSetL2Bridge:
		if m.PortType == l2.L2_API_PORT_TYPE_BVI && (m.RxSwIfIndex == 0 || onLocal0(past)) {
			return "local0 or a sub-interface of it as a BVI kills VPP, as it has no hardware address"
		}
		if m.RxSwIfIndex == 0 && m.BdID == 0 {
			return "taking local0 out of bridge domain 0 kills VPP"
		}
	case *af_packet.AfPacketCreateV3:
		if m.NumRxQueues > 16 || m.NumTxQueues > 16 {
			return "tens of thousands of queues kill VPP"
		}
		if len(m.HostIfName) > 31 {
			return "a device name too long for its place kills VPP"
		}
	case *tapv2.TapCreateV3:
		if _, err := os.Stat("/dev/vhost-net"); err == nil {
			return "it makes devices of Linux, and fails where that has it"
		}
		if m.TapFlags&tapv2.TAP_API_FLAG_ATTACH != 0 {
			return "it takes a device that others made"
		}
	case *bond.BondCreate2:
		if !m.UseCustomMac {
			return "VPP draws the MAC at random, and link-local addresses with it"
		}
	case *bond.BondAddMember:
		if m.SwIfIndex == 0 || onLocal0(past) {
			return "a member without a hardware address kills VPP"
		}
	case *pipe.PipeCreate:
		if m.IsSpecified {
			return "VPP refuses with the indices that it finds in its memory"
		}
	case *interfaces_api.SwInterfaceSetTable:
		if m.VrfID == none {
			return "the number by which VPP finds tables that have none kills it sooner or later"
		}
	case *classify.ClassifyAddDelTable:
		if m.DelChain && !m.IsAdd {
			return "a chain without end kills VPP"
		}
		if !m.IsAdd && slices.ContainsFunc(past, looksIntoTables) {
			return "the next packet kills VPP, if a table that is looked into has gone"
		}
		if m.SkipNVectors > 1000 || m.Nbuckets > 1<<20 || m.MemorySize > 1<<30 {
			return "memory that there is not kills VPP"
		}
	case *classify.PolicerClassifyDump:
		if m.SwIfIndex != 0 && m.SwIfIndex != interface_types.InterfaceIndex(none) || m.Type > 1 {
			return "VPP takes what lies before the interface's entry for a length, and dies"
		}
	case *classify.FlowClassifyDump:
		if m.SwIfIndex != 0 && m.SwIfIndex != interface_types.InterfaceIndex(none) || m.Type > 1 {
			return "VPP takes what lies before the interface's entry for a length, and dies"
		}
	case *wireguard.WireguardInterfaceCreate:
		if m.GenerateKey {
			return "VPP draws the key at random"
		}
		if p := m.Interface.Port; p == 0 || 2 < p && p < 4400 || slices.Contains([]uint16{4789, 4790, 6081}, p) {
			return "VPP takes the port from what else listens there"
		}
	case *pipe.PipeDump:
		if slices.ContainsFunc(past, func(m api.Message) bool { _, is := m.(*pipe.PipeCreate); return is }) && slices.ContainsFunc(past, makesSub) {
			return "a pipe with a sub-interface besides its ends has VPP write into its stack, and die of it or not"
		}
	case *abf.AbfPolicyAddDel, *abf.AbfItfAttachAddDel:
		return killsByPolicy(m, past)
	case *pipe.PipeDelete:
		return "VPP takes apart any device whose number a pipe has too"
	case *vhost_user.CreateVhostUserIfV2:
		return elsewhere(m.SockFilename)
	case *vhost_user.ModifyVhostUserIfV2:
		return elsewhere(m.SockFilename)
	case *interfaces_api.CreateSubif:
		if m.OuterVlanID > 4095 || m.InnerVlanID > 4095 {
			return "a VLAN beyond 4095 has VPP write behind its tables, and die sooner or later"
		}
	case *vrrp.VrrpVrPeerDump:
		if m.SwIfIndex == 0 || m.SwIfIndex == interface_types.InterfaceIndex(none) {
			return "VPP answers with the details of another dump"
		}
	case *vrrp.VrrpVrTrackIfAddDel:
		if len(m.Ifs) > 1 {
			return "if one of them cannot be tracked, VPP undoes what it happens to find in its memory"
		}
	case *vrrp.VrrpVrAddDel:
		if 0 < m.Interval && m.Interval < 20000 {
			return "elections within minutes would be seen at one time or another"
		}
	case *lcp.LcpDefaultNsGet:
		if !pairsSomewhere(past) {
			return "VPP answers with what lies in its memory while linux-cp has no namespace"
		}
	case *l2.BridgeDomainAddDelV2:
		if m.BdID == none && m.IsAdd {
			return "VPP draws a number at random"
		}
	case *interfaces_api.SwInterfaceAddDelAddress:
		if m.IsAdd && unnumbered(past, m.SwIfIndex) {
			return "an address of an interface whose lender's address was removed hangs VPP: its list of addresses goes round"
		}
		if !m.IsAdd && ip_types.Prefix(m.Prefix).Address.ToIP().IsLinkLocalUnicast() {
			return "deleting a link-local address where IPv6 is off kills VPP"
		}
		if m.IsAdd && m.Prefix.Address.Af == ip_types.ADDRESS_IP6 && (m.SwIfIndex == 0 || onLocal0(past)) {
			return randomLinkLocal
		}
	case *ip.SwInterfaceIP6EnableDisable:
		if m.SwIfIndex == 0 || onLocal0(past) {
			return randomLinkLocal
		}
	case *nat64.Nat64PluginEnableDisable, *nat64.Nat64AddDelInterface, *nat64.Nat64AddDelStaticBib, *nat64.Nat64AddDelPoolAddrRange:
		return killsByNAT64(m, past)
	case *nat44_ed.Nat44EdPluginEnableDisable:
		if m.Sessions > 1<<12 {
			return "VPP allocates all sessions at once"
		}
	case *nat44_ei.Nat44EiPluginEnableDisable:
		if m.Sessions > 1<<12 || m.Users > 1<<12 || m.UserSessions > 1<<12 {
			return "VPP allocates all sessions at once"
		}
	case *nat44_ei.Nat44EiUserSessionV2Dump, *nat44_ei.Nat44EiUserSessionDump, *nat44_ei.Nat44EiDelSession:
		if !natIsOn(past) {
			return "sessions of NAT44-EI that is off, or for static mappings only, kill VPP"
		}
	case *nat44_ei.Nat44EiAddDelStaticMapping:
		return farIndex(m.ExternalSwIfIndex)
	case *nat44_ei.Nat44EiAddDelIdentityMapping:
		return farIndex(m.SwIfIndex)
	case *nat44_ed.Nat44AddDelStaticMappingV2:
		return farIndex(m.ExternalSwIfIndex)
	case *nat44_ed.Nat44AddDelIdentityMapping:
		return farIndex(m.SwIfIndex)
	case *ip.IPRouteLookupV2:
		if m.Prefix.Len > 32 && (m.Prefix.Address.Af == ip_types.ADDRESS_IP4 || m.Prefix.Len > 128) {
			return "looking up a prefix longer than addresses are kills VPP"
		}
	case *nat44_ed.Nat44AddDelAddressRange:
		if tooWide(m.FirstIPAddress, m.LastIPAddress) {
			return "VPP adds addresses one by one"
		}
	case *nat44_ei.Nat44EiAddDelAddressRange:
		if tooWide(m.FirstIPAddress, m.LastIPAddress) {
			return "VPP adds addresses one by one"
		}
	case *ip.IPRouteAddDelV2:
		if m.Route.Src > 40 {
			return "a source that VPP does not have: it looks behind its list of them, and dies now and then"
		}
		for _, p := range m.Route.Paths {
			if p.Proto > fib_types.FIB_API_PATH_NH_PROTO_IP6 {
				return "a path of MPLS, BIER or Ethernet in an IP route kills VPP, or is not imitated"
			}
			if p.Type == fib_types.FIB_API_PATH_TYPE_UDP_ENCAP || p.Type == fib_types.FIB_API_PATH_TYPE_BIER_IMP || p.Type > fib_types.FIB_API_PATH_TYPE_SOURCE_LOOKUP {
				return "a path by an object that is not there kills VPP"
			}
			if p.Type != fib_types.FIB_API_PATH_TYPE_NORMAL && p.SwIfIndex != none && p.SwIfIndex != 0 {
				return "a special path by an interface that is not there kills VPP"
			}
			if m.IsMultipath && p.Type != fib_types.FIB_API_PATH_TYPE_NORMAL {
				return "ICMP and other special paths as one of several kill VPP"
			}
		}
		if outlived(m.Route, past) {
			return "changing a route whose interface has gone kills VPP"
		}
	}
	return ""
}

const randomLinkLocal = "VPP draws the link-local address of what has no hardware address at random"

// never is what is not sent at all.
var never = map[string]string{
	"vrrp_vr_del":                     "the next start of a virtual router on the interface kills VPP",
	"sw_interface_ip4_enable_disable": "does the opposite of what it says",
	"ip_table_add_del":                "kills VPP while the table has routes",
	"ip_table_flush":                  "takes interfaces down",
	"graph_node_get":                  "kills VPP for a client of the socket",
	"trace_capture_packets":           "kills VPP for an unknown node",
	"want_l2_macs_events2":            "kills VPP when the client goes while it looks",
	"ip_neighbor_flush":               "kills VPP if a static neighbour outlived its interface",
	"ip_neighbor_replace_end":         "kills VPP if a static neighbour outlived its interface",
	"memif_create_v2":                 "kills VPP for a mode that it does not know",
	"lisp_add_del_local_eid":          "kills VPP for a locator set other than that of the EID",
	"one_stats_dump":                  "kills VPP",
	"policer_input_v2":                "writes out of bounds for an interface without a policer",
	"show_vpe_system_time":            "is another each time",
	"memclnt_keepalive":               "says nothing of VPP's state",
}

// killsByPolicy says why a message of the abf plugin may kill VPP.
func killsByPolicy(m api.Message, past []api.Message) string {
	made, given := map[uint32]bool{}, map[abf.AbfItfAttach]bool{}
	for _, p := range past {
		switch p := p.(type) {
		case *abf.AbfPolicyAddDel:
			made[p.Policy.PolicyID] = made[p.Policy.PolicyID] || p.IsAdd
		case *abf.AbfItfAttachAddDel:
			if p.IsAdd {
				given[abf.AbfItfAttach{PolicyID: p.Attach.PolicyID}] = true
				given[abf.AbfItfAttach{PolicyID: p.Attach.PolicyID, SwIfIndex: p.Attach.SwIfIndex, IsIPv6: p.Attach.IsIPv6}] = true
			}
		}
	}
	switch m := m.(type) {
	case *abf.AbfPolicyAddDel:
		switch {
		case m.IsAdd && made[m.Policy.PolicyID]:
			return "a path that the policy has already kills VPP sooner or later"
		case !m.IsAdd && given[abf.AbfItfAttach{PolicyID: m.Policy.PolicyID}]:
			return "a policy that loses its last path while an interface has it kills VPP"
		}
	case *abf.AbfItfAttachAddDel:
		switch {
		case m.IsAdd && (!made[m.Attach.PolicyID] || slices.ContainsFunc(past, func(p api.Message) bool { d, is := p.(*abf.AbfPolicyAddDel); return is && !d.IsAdd })):
			return "a policy that is not there kills VPP"
		case m.IsAdd && m.Attach.SwIfIndex > 50:
			return "VPP makes a list as long as the interface's index"
		case !m.IsAdd && given[abf.AbfItfAttach{PolicyID: m.Attach.PolicyID, SwIfIndex: m.Attach.SwIfIndex, IsIPv6: !m.Attach.IsIPv6}]:
			return "VPP writes before the list of the other family"
		}
	}
	return ""
}

// looksIntoTables: an interface may look into a table of the classifier.
func looksIntoTables(m api.Message) bool {
	switch m.(type) {
	case *classify.InputACLSetInterface, *classify.OutputACLSetInterface, *classify.PolicerClassifySetInterface, *classify.FlowClassifySetInterface:
		return true
	}
	return false
}

// natIsOn: NAT44-EI is surely on, and not for static mappings only. Who enables it while
// it is on changes nothing.
func natIsOn(past []api.Message) (sure bool) {
	on := false
	for _, m := range past {
		if m, ok := m.(*nat44_ei.Nat44EiPluginEnableDisable); ok {
			if !on || !m.Enable {
				sure = m.Enable && m.Flags&nat44_ei.NAT44_EI_STATIC_MAPPING_ONLY == 0 && m.InsideVrf < 100 && m.OutsideVrf < 100
			}
			on = m.Enable
		}
	}
	return sure
}

// elsewhere: VPP, as root, removes what lies at the path of a socket.
func elsewhere(path string) string {
	if path == "" || strings.HasPrefix(path, dirMark+"/") || strings.HasPrefix(path, "/none/") {
		return ""
	}
	return "VPP would remove and make files anywhere"
}

// pairsSomewhere: linux-cp has a namespace.
func pairsSomewhere(past []api.Message) (named bool) {
	for _, m := range past {
		if m, ok := m.(*lcp.LcpDefaultNsSet); ok {
			named = m.Netns != ""
		}
	}
	return named
}

// onLocal0: there may be a sub-interface of local0.
func onLocal0(past []api.Message) bool {
	return slices.ContainsFunc(past, func(m api.Message) bool {
		switch m := m.(type) {
		case *interfaces_api.CreateSubif:
			return m.SwIfIndex == 0
		case *interfaces_api.CreateVlanSubif:
			return m.SwIfIndex == 0
		}
		return false
	})
}

// makesSub: it may make a sub-interface of a pipe.
func makesSub(m api.Message) bool {
	switch m.(type) {
	case *interfaces_api.CreateSubif, *interfaces_api.CreateVlanSubif:
		return true
	}
	return false
}

// farIndex: NAT looks into the list of interfaces without looking how long it is.
func farIndex(i interface_types.InterfaceIndex) string {
	if 100 < i && i < none {
		return "an interface index far from any kills VPP"
	}
	return ""
}

// unnumbered: the interface may use another's address.
func unnumbered(past []api.Message, i interface_types.InterfaceIndex) bool {
	return slices.ContainsFunc(past, func(m api.Message) bool {
		u, ok := m.(*interfaces_api.SwInterfaceSetUnnumbered)
		return ok && u.IsAdd && u.UnnumberedSwIfIndex == i
	})
}

func tooWide(first, last ip_types.IP4Address) bool {
	return first[0] != last[0] || first[1] != last[1] || first[2] != last[2]
}

// outlived: a path that the route was ever given led over an interface that was deleted
// since.
func outlived(r ip.IPRouteV2, past []api.Message) bool {
	over := map[uint32]bool{}
	for _, m := range past {
		switch m := m.(type) {
		case *ip.IPRouteAddDelV2:
			if m.Route.Prefix == r.Prefix && m.Route.TableID == r.TableID {
				for _, p := range m.Route.Paths {
					over[p.SwIfIndex] = true
				}
			}
		case *interfaces_api.DeleteLoopback:
			if over[uint32(m.SwIfIndex)] {
				return true
			}
		case *interfaces_api.DeleteSubif:
			if over[uint32(m.SwIfIndex)] {
				return true
			}
		case *l2.BviDelete:
			if over[uint32(m.SwIfIndex)] {
				return true
			}
		}
	}
	return false
}
