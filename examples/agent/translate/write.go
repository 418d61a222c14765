// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"encoding/json"
	"net/netip"

	"github.com/vppkit/vppkit/acl"
)

// What the driver writes is also what a controller of another make writes. The values here
// are read as what they were made of; Check says what of one would not be.

// written is the text of a value, which marshals whatever is in it.
func written(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return "" // strings, numbers and addresses always marshal
	}
	return string(out)
}

type fixedIPValue struct {
	Addr netip.Addr `json:"ip_address"`
}

type pairValue struct {
	Prefix netip.Prefix `json:"ip_address"`
	MAC    string       `json:"mac_address,omitempty"`
}

// filtersValue is what ports and subports have in common.
type filtersValue struct {
	Filtered bool           `json:"port_security_enabled"`
	Groups   []string       `json:"security_groups"`
	Fixed    []fixedIPValue `json:"fixed_ips"`
	Pairs    []pairValue    `json:"allowed_address_pairs"`
}

func (p Port) filtersValue() filtersValue {
	f := filtersValue{p.Filtered, append([]string{}, p.Groups...), []fixedIPValue{}, []pairValue{}}
	for _, a := range p.Addrs {
		f.Fixed = append(f.Fixed, fixedIPValue{a})
	}
	for _, pair := range p.Pairs {
		v := pairValue{Prefix: pair.Prefix}
		switch {
		case pair.AnyMAC:
			v.MAC = anyMAC
		case !pair.MAC.IsZero():
			v.MAC = pair.MAC.String()
		}
		f.Pairs = append(f.Pairs, v)
	}
	return f
}

// Value is the value of the port's key, by its exported fields. Uplink and Lacks, which are
// the host's, play no role.
func (p Port) Value() string {
	binding := "vhostuser"
	if p.TAP {
		binding = "tap"
	}
	return written(struct {
		MAC     string `json:"mac_address"`
		Binding string `json:"binding_type"`
		Physnet string `json:"physnet"`
		Type    string `json:"network_type"`
		Segment uint32 `json:"segmentation_id"`
		filtersValue
	}{p.MAC, binding, p.Physnet, p.Type, p.Segment, p.filtersValue()})
}

// Value is the value of the trunk's key, by its exported fields and those of its subports.
func (t Trunk) Value() string {
	type subport struct {
		UUID    string `json:"port_id"`
		VLAN    uint16 `json:"segmentation_id"`
		Sort    string `json:"segmentation_type"`
		MAC     string `json:"mac_address"`
		Physnet string `json:"physnet"`
		Type    string `json:"uplink_seg_type"`
		Segment uint32 `json:"uplink_seg_id"`
		filtersValue
	}
	subs := []subport{}
	for _, p := range t.Subports {
		subs = append(subs, subport{p.UUID, p.VLAN, "vlan", p.MAC, p.Physnet, p.Type, p.Segment, p.filtersValue()})
	}
	return written(map[string][]subport{"sub_ports": subs})
}

// Value is the value of the key of the router's interface, by its exported fields.
func (p RouterPort) Value() string {
	type common struct {
		VRF uint32 `json:"vrf_id"`
		MAC string `json:"loopback_mac"`
		MTU uint32 `json:"mtu"`
	}
	both := common{p.VRF, p.MAC.String(), p.MTU}
	if !p.External {
		var a netip.Prefix
		if len(p.Addrs) > 0 {
			a = p.Addrs[0]
		}
		return written(struct {
			common
			Physnet string     `json:"physnet"`
			Type    string     `json:"net_type"`
			Segment uint32     `json:"segmentation_id"`
			Addr    netip.Addr `json:"gateway_ip"`
			Bits    int        `json:"prefixlen"`
			Is6     bool       `json:"is_ipv6"`
		}{both, p.Physnet, p.Type, p.Segment, a.Addr(), a.Bits(), a.Addr().Is6()})
	}
	type route struct {
		To netip.Prefix `json:"destination"`
		By netip.Addr   `json:"nexthop"`
	}
	gateways, routes := [][]any{}, []route{}
	for _, a := range p.Addrs {
		gateways = append(gateways, []any{a.Addr(), a.Bits(), a.Addr().Is6()})
	}
	for _, r := range p.Routes {
		for _, by := range r.By {
			routes = append(routes, route{r.To, by})
		}
	}
	return written(struct {
		common
		Info     map[string]bool `json:"external_gateway_info"`
		Physnet  string          `json:"external_physnet"`
		Type     string          `json:"external_net_type"`
		Segment  uint32          `json:"external_segmentation_id"`
		Gateways [][]any         `json:"gateways"`
		Next     []netip.Addr    `json:"external_gateway_ips"`
		Routes   []route         `json:"routes"`
	}{
		both,
		map[string]bool{"enable_snat": p.SNAT},
		p.Physnet, p.Type, p.Segment,
		gateways, append([]netip.Addr{}, p.Next...), routes,
	})
}

// Value is the value of the floating IP's key, by its exported fields.
func (f FloatingIP) Value() string {
	return written(struct {
		OutPhysnet string     `json:"external_physnet"`
		OutType    string     `json:"external_net_type"`
		OutSegment uint32     `json:"external_segmentation_id"`
		InPhysnet  string     `json:"internal_physnet"`
		InType     string     `json:"internal_net_type"`
		InSegment  uint32     `json:"internal_segmentation_id"`
		Floating   netip.Addr `json:"floating_ip_address"`
		Fixed      netip.Addr `json:"fixed_ip_address"`
	}{
		f.External.Physnet, f.External.Type, f.External.Segment,
		f.Internal.Physnet, f.Internal.Type, f.Internal.Segment, f.Floating, f.Fixed,
	})
}

// ServesValue is the value that Serves reads.
func ServesValue(serves bool) string {
	if serves {
		return "1"
	}
	return "0"
}

// MemberValue is the value of the key of a port in a group.
func MemberValue(addrs ...netip.Addr) string { return written(append([]netip.Addr{}, addrs...)) }

// GroupValue is the value of a group's key. A rule about several types of ICMP becomes one for
// each, as the driver has no word for them.
func GroupValue(g acl.SecurityGroup) string {
	return written(struct {
		Ingress []ruleValue `json:"ingress_rules"`
		Egress  []ruleValue `json:"egress_rules"`
	}{rulesValue(g.Ingress), rulesValue(g.Egress)})
}

type ruleValue struct {
	Is6      int         `json:"is_ipv6"`
	Remote   *netip.Addr `json:"remote_ip_addr"`
	Bits     int         `json:"ip_prefix_len"`
	Group    *string     `json:"remote_group_id"`
	Protocol uint8       `json:"protocol"`
	Low      int         `json:"port_min"`
	High     int         `json:"port_max"`
}

func rulesValue(rules []acl.GroupRule) []ruleValue {
	out := []ruleValue{}
	for _, r := range rules {
		v := ruleValue{Protocol: uint8(r.Protocol)}
		is6 := r.Family == acl.IPv6 || r.Family == 0 && r.Remote.Addr().Is6()
		all := netip.IPv4Unspecified()
		if is6 {
			v.Is6, all = 1, netip.IPv6Unspecified()
		}
		switch {
		case r.RemoteGroup != "":
			v.Group = &r.RemoteGroup
		case r.Remote.IsValid():
			a := r.Remote.Addr()
			v.Remote, v.Bits = &a, r.Remote.Bits()
		default:
			v.Remote = &all
		}
		for _, span := range spans(r) {
			v.Low, v.High = span[0], span[1]
			out = append(out, v)
		}
	}
	return out
}

// spans are what the numbers of a rule are, once or several times.
func spans(r acl.GroupRule) (out [][2]int) {
	switch r.Protocol {
	case acl.TCP, acl.UDP:
		low, high := r.Ports.Bounds(65535)
		return [][2]int{{int(low), int(high)}}
	case acl.ICMP, acl.ICMPv6:
	default:
		return [][2]int{{0, 0}}
	}
	if r.ICMPTypes.IsZero() && r.ICMPCodes.IsZero() {
		return [][2]int{{-1, -1}}
	}
	first, last := r.ICMPTypes.Bounds(255)
	for kind := int(first); kind <= int(last); kind++ {
		if r.ICMPCodes.IsZero() {
			out = append(out, [2]int{kind, -1})
			continue
		}
		low, high := r.ICMPCodes.Bounds(255)
		for code := int(low); code <= int(high); code++ {
			out = append(out, [2]int{kind, code})
		}
	}
	return out
}
