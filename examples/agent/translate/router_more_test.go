// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// legOf is the key of a router's port with these addresses, of which the driver describes the first.
func legOf(t *testing.T, bits int, addrs ...string) translate.RouterPort {
	t.Helper()
	var fixed []any
	for _, a := range addrs {
		fixed = append(fixed, members{"subnet_id": a, "ip_address": a})
	}
	p, err := site.RouterPort(routerID(1)+"/"+portID(1), leg(members{"gateway_ip": addrs[0], "prefixlen": bits, "is_ipv6": netip.MustParseAddr(addrs[0]).Is6(), "fixed_ips": fixed}))
	require.NoError(t, err)
	require.NoError(t, p.Lacks)
	return p
}

func routed(p translate.RouterPort) (translate.Routing, translate.Part) {
	r := site.Routing(map[string]translate.RouterPort{p.Name(): p}, nil, true, nil)
	return r, r.Parts[p.Name()]
}

// Neutron puts a router's subnets of IPv6 in one network on one port, and the driver describes one of them. The other is
// served as long as anybody ever said how long it is: an earlier value, or VPP. If nobody did, that is said.
func TestLegsOfSeveralSubnets(t *testing.T) {
	const one, two = "2001:db8:1::1", "2001:db8:2::1"
	only := legOf(t, 64, one)
	for _, order := range [][]string{{one, two}, {two, one}} {
		_, part := routed(legOf(t, 64, order...))
		require.NoError(t, part.Wrong)
		require.ErrorContains(t, part.Lacks, "fixed_ips: nobody says how long the subnet of "+order[1]+" is")
	}
	_, part := routed(legOf(t, 64, one, two).After(only))
	require.ErrorContains(t, part.Lacks, two)

	both := legOf(t, 64, two, one).After(only)
	r, part := routed(both)
	require.NoError(t, part.Lacks)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix(two + "/64"), netip.MustParsePrefix(one + "/64")}, both.Addrs)

	before, _ := routed(only)
	for k, o := range objects(t, before) {
		if k.Space == "address" {
			require.Equal(t, o, objects(t, r)[k], "who was served stays")
		}
	}
	again := legOf(t, 64, two, one) // for an agent that starts anew
	require.Equal(t, both.Addrs, again.Led(objects(t, r)).Addrs)
	require.NotEmpty(t, site.Held(objects(t, before), map[string]translate.RouterPort{again.Name(): again}, nil)[again.Name()], "it has the network's interface")
	require.Equal(t, only.Addrs, legOf(t, 64, one).After(both).Addrs, "a subnet goes")
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix(two + "/64")}, legOf(t, 64, two).After(only).Addrs)
}

// An address in the same subnet is as long, and one of both families is described by one.
func TestLegsOfSeveralAddresses(t *testing.T) {
	p := legOf(t, 64, "2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::2")
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("2001:db8:1::1/64"), netip.MustParsePrefix("2001:db8:1::2/64")}, p.Addrs)
	r, part := routed(p)
	require.NoError(t, part.Lacks)
	objects(t, r)
	_, part = routed(legOf(t, 24, "192.168.1.1", "2001:db8:1::1"))
	require.ErrorContains(t, part.Lacks, "2001:db8:1::1")
	require.ErrorContains(t, translate.Check("/networking-vpp/nodes/h/routers/"+p.Name(), string(leg(members{"fixed_ips": []any{members{"ip_address": "192.168.9.1"}}}))), "192.168.9.1")
}
