// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
)

// Groups and Members are the prefixes of the keys of all security groups, and of
// the addresses of what is in them: Members/GROUP/PORT.
const (
	Groups  = Root + "global/secgroups/"
	Members = Root + "global/remote_group/"
)

// mostRemotes is to how many groups the rules of one may refer.
const mostRemotes = 256

// Group reads the key of a security group: what can be expressed of it, and an error that
// names all that cannot, which permits nothing. Other than a port, it means nothing by
// what it leaves out: a list or number that is missing is left out with its rule, lest
// junk be taken for a rule about everything. A value that is none permits nothing at all.
func Group(name string, value []byte) (acl.SecurityGroup, error) {
	g := acl.SecurityGroup{Name: name}
	if !uuid.MatchString(name) {
		return g, errors.New("the key's name is not a UUID")
	}
	f, err := parse(value, maxGroup)
	if err != nil {
		return g, err
	}
	var out lacks
	remotes := map[string]bool{}
	for _, way := range []struct {
		name string
		to   *[]acl.GroupRule
	}{{"ingress_rules", &g.Ingress}, {"egress_rules", &g.Egress}} {
		var raw []json.RawMessage
		out.add(need(f, way.name, &raw))
		for i, r := range raw {
			rule, err := groupRule(r)
			if err == nil && rule.RemoteGroup != "" && !remotes[rule.RemoteGroup] {
				if len(remotes) == mostRemotes {
					err = fmt.Errorf("remote_group_id: one more than the %d groups that a group may refer to", mostRemotes)
				} else {
					remotes[rule.RemoteGroup] = true
				}
			}
			if err == nil {
				*way.to = append(*way.to, rule)
			} else {
				out.add(fmt.Errorf("%s %d: %w", way.name, i, err))
			}
		}
	}
	return g, out.join()
}

func groupRule(raw []byte) (r acl.GroupRule, err error) {
	var (
		is6, protocol, low, high, bits int64
		addr, group                    string
	)
	f, err := parse(raw, maxGroup)
	if err != nil {
		return r, err
	}
	if err := errors.Join(
		need(f, "is_ipv6", &is6), need(f, "protocol", &protocol),
		need(f, "port_min", &low), need(f, "port_max", &high),
		read(f, "remote_ip_addr", &addr), read(f, "remote_group_id", &group),
	); err != nil {
		return r, err
	}
	switch {
	case is6 == 0:
		r.Family = acl.IPv4
	case is6 == 1:
		r.Family = acl.IPv6
	default:
		return r, fmt.Errorf("is_ipv6: %d, want 0 or 1", is6)
	}
	switch {
	case addr == "" && group == "":
		return r, errors.New("neither remote_ip_addr nor remote_group_id is given")
	case addr != "" && group != "":
		return r, errors.New("remote_ip_addr and remote_group_id are both given")
	case group != "" && !uuid.MatchString(group):
		return r, fmt.Errorf("remote_group_id: %.40q is not a UUID", group)
	case group != "":
		r.RemoteGroup = group
	default:
		a, err := netip.ParseAddr(addr)
		if err != nil || a.Zone() != "" || a.Is4In6() || a.Is6() != (r.Family == acl.IPv6) {
			return r, fmt.Errorf("remote_ip_addr: %.60q is no address of %s", addr, r.Family)
		}
		if err := need(f, "ip_prefix_len", &bits); err != nil { // none is no prefix of all
			return r, err
		}
		if bits < 0 || bits > int64(a.BitLen()) {
			return r, fmt.Errorf("ip_prefix_len: %s has no %d bits", a, bits)
		}
		r.Remote = netip.PrefixFrom(a, int(bits)).Masked()
	}
	if err := protocolOf(&r, protocol, low, high); err != nil {
		return r, err
	}
	return r, r.Validate()
}

// protocolOf reads what the numbers of a rule mean, which is another thing for
// each protocol.
func protocolOf(r *acl.GroupRule, protocol, low, high int64) error {
	if protocol < 0 || protocol > 255 {
		return fmt.Errorf("protocol: %d, want 0 to 255", protocol)
	}
	r.Protocol = acl.Protocol(protocol)
	if r.Protocol == acl.ICMP && r.Family == acl.IPv6 {
		r.Protocol = acl.ICMPv6 // Neutron has one word for both
	}
	span := func(low, high, most int64) (acl.Range, error) {
		if low < 0 || high > most || low > high {
			return acl.Range{}, fmt.Errorf("port_min and port_max: %d to %d is no range of protocol %s", low, high, r.Protocol)
		}
		return acl.Between(uint16(low), uint16(high)), nil
	}
	var err error
	switch r.Protocol {
	case acl.TCP, acl.UDP:
		r.Ports, err = span(low, high, 65535)
	case acl.ICMP, acl.ICMPv6: // type and code
		if low != -1 {
			r.ICMPTypes, err = span(low, low, 255)
		}
		switch {
		case err != nil || high == -1:
		case low == -1:
			err = fmt.Errorf("port_min and port_max: code %d of no type", high)
		default:
			r.ICMPCodes, err = span(high, high, 255)
		}
	default:
		all := low == 0 && (high == 0 || high == 65535) || low == -1 && high == -1
		if !all {
			err = fmt.Errorf("port_min and port_max: VPP sees no ports %d to %d of protocol %s", low, high, r.Protocol)
		}
	}
	return err
}

// Member reads the key of a port that is in a security group: its addresses, and an error
// that names what is none.
func Member(value []byte) ([]netip.Addr, error) {
	if err := text(value, maxPort); err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(value, &list); err != nil || list == nil {
		return nil, errors.New("not a JSON list of addresses")
	}
	var addrs []netip.Addr
	var out lacks
	for i, raw := range list {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			out.add(fmt.Errorf("address %d: %.40s is no text", i, raw))
		} else if a, err := address(s); err != nil {
			out.add(fmt.Errorf("address %d: %w", i, err))
		} else {
			addrs = append(addrs, a)
		}
	}
	return addrs, out.join()
}

// GroupObjects are what VPP shall hold for a security group: two sets, which all
// its ports share. The error names what is left out of them.
func GroupObjects(g acl.SecurityGroup, members acl.Members) ([]desiredstate.Object, error) {
	to, from, err := g.Sets(members)
	return []desiredstate.Object{to, from}, err
}

// MemberOf splits the name of a key below Members.
func MemberOf(name string) (group, port string) {
	group, port, _ = strings.Cut(name, "/")
	return group, port
}
