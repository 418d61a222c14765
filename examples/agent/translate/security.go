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
func (p *Port) secure(groups []string, fixed, pairs []json.RawMessage) error {
	for i, g := range groups {
		if !uuid.MatchString(g) {
			return fmt.Errorf("security_groups %d: %.40q is not a UUID", i, g)
		}
	}
	p.Groups = groups
	for i, raw := range fixed {
		addr, err := fixedIP(raw)
		if err != nil {
			return fmt.Errorf("fixed_ips %d: %w", i, err)
		}
		p.Addrs = append(p.Addrs, addr)
	}
	for i, raw := range pairs {
		pair, err := addressPair(raw)
		if err != nil {
			return fmt.Errorf("allowed_address_pairs %d: %w", i, err)
		}
		p.Pairs = append(p.Pairs, pair)
	}
	_, err := p.bridged().Objects()
	return err
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
	if err != nil {
		err = fmt.Errorf("ip_address: %w", err)
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

// addressPair reads a pair, whose MAC is the port's if it has none.
func addressPair(raw []byte) (pair acl.AddressPair, err error) {
	var ip, mac string
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
	if mac != "" {
		if pair.MAC, err = vppnet.ParseMAC(mac); err != nil || pair.MAC.IsZero() || pair.MAC.IsMulticast() {
			return pair, fmt.Errorf("mac_address: %.40q is no unicast MAC", mac)
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
		Security: acl.PortSecurity{
			Interface: p.Interface(), Off: !p.Filtered, MAC: p.mac, Addrs: p.Addrs, Pairs: p.Pairs, Groups: p.Groups,
		},
		Bridge: p.Network(),
	}
}
