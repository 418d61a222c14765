// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/vppnet"
)

// secure reads what the filters of a port are made of.
func (p *Port) secure(f fields, out *lacks) error {
	for i, raw := range list(f, "security_groups", out) {
		var g string
		if err := json.Unmarshal(raw, &g); err != nil || !uuid.MatchString(g) {
			out.add(fmt.Errorf("security_groups %d: %.40s is not a UUID", i, raw))
		} else {
			p.Groups = append(p.Groups, g)
		}
	}
	for i, raw := range list(f, "allowed_address_pairs", out) {
		if pair, err := addressPair(raw); err == nil {
			p.Pairs = append(p.Pairs, pair)
		} else {
			out.add(fmt.Errorf("allowed_address_pairs %d: %w", i, err))
		}
	}
	objs, err := p.bridged().Objects()
	if objs == nil {
		return err
	}
	out.add(err) // what is beyond what VPP holds
	return nil
}

// fixed reads the port's own addresses.
func (p *Port) fixed(f fields, out *lacks) {
	for i, raw := range list(f, "fixed_ips", out) {
		if addr, err := fixedIP(raw); err == nil {
			p.Addrs = append(p.Addrs, addr)
		} else {
			out.add(fmt.Errorf("fixed_ips %d: %w", i, err))
		}
	}
}

// list reads a member that is a list; of one that is none there is nothing.
func list(f fields, name string, out *lacks) (of []json.RawMessage) {
	out.add(read(f, name, &of))
	return of
}

func fixedIP(raw []byte) (netip.Addr, error) {
	var ip string
	f, err := parse(raw, maxPort)
	if err == nil {
		err = need(f, "ip_address", &ip)
	}
	if err != nil {
		return netip.Addr{}, err
	}
	a, err := address(ip)
	switch {
	case err != nil:
		err = fmt.Errorf("ip_address: %w", err)
	case !isOne(a):
		err = fmt.Errorf("ip_address: %s is nobody's own", a)
	}
	return a, err
}

func address(ip string) (netip.Addr, error) {
	a, err := netip.ParseAddr(ip)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%.60q is no IP address", ip)
	}
	return a.Unmap(), nil
}

// anyMAC is what Neutron writes for a pair of any MAC.
const anyMAC = "ANY"

// addressPair reads a pair, whose MAC is the port's if it has none.
func addressPair(raw []byte) (pair acl.AddressPair, err error) {
	var ip string
	var mac *string
	f, err := parse(raw, maxPort)
	if err != nil {
		return pair, err
	}
	if err := need(f, "ip_address", &ip); err != nil {
		return pair, err
	}
	if err := read(f, "mac_address", &mac); err != nil {
		return pair, err
	}
	if pair.Prefix, err = prefix(ip); err != nil {
		return pair, fmt.Errorf("ip_address: %w", err)
	}
	switch {
	case mac == nil:
	case *mac == anyMAC:
		pair.AnyMAC = true
	default:
		if pair.MAC, err = vppnet.ParseMAC(*mac); err != nil || pair.MAC.IsZero() || pair.MAC.IsMulticast() {
			return pair, fmt.Errorf("mac_address: %.40q is no unicast MAC, and not ANY", *mac)
		}
	}
	return pair, nil
}

// prefix reads an address or a prefix, whose host bits do not matter.
func prefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := address(s)
		return netip.PrefixFrom(a, a.BitLen()), err
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return p, fmt.Errorf("%.60q is neither address nor prefix", s)
	}
	return p.Masked(), nil
}

// bridged is the port in its network, behind its filters, but for the sets of its groups.
func (p Port) bridged() acl.BridgedPort {
	return acl.BridgedPort{
		Parent: p.parent,
		Security: acl.PortSecurity{
			Interface: p.Interface(), Off: !p.Filtered, MAC: p.mac, Addrs: p.Addrs, Pairs: p.Pairs, Groups: p.Groups,
		},
		Bridge: p.Network(),
	}
}
