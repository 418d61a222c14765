// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/feature"
	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/ip"
	nat_ed "go.fd.io/govpp/binapi/nat44_ed"
	nat_ei "go.fd.io/govpp/binapi/nat44_ei"

	"github.com/vppkit/vppkit/vpptest"
)

func ip6On(i index, on bool) api.Message {
	return &ip.SwInterfaceIP6EnableDisable{SwIfIndex: i, Enable: on}
}

func isOn(arc, name string, i index) vpptest.Step {
	return do(&feature.FeatureIsEnabled{ArcName: arc, FeatureName: name, SwIfIndex: i})
}

// aclFeatures asks for all of the acl plugin's.
func aclFeatures(i index) []vpptest.Step {
	return []vpptest.Step{
		isOn("l2-input-ip4", "acl-plugin-in-ip4-l2", i), isOn("l2-input-ip6", "acl-plugin-in-ip6-l2", i), isOn("l2-input-nonip", "acl-plugin-in-nonip-l2", i),
		isOn("l2-output-ip4", "acl-plugin-out-ip4-l2", i), isOn("l2-output-ip6", "acl-plugin-out-ip6-l2", i), isOn("l2-output-nonip", "acl-plugin-out-nonip-l2", i),
		isOn("ip4-unicast", "acl-plugin-in-ip4-fa", i), isOn("ip6-unicast", "acl-plugin-in-ip6-fa", i),
		isOn("ip4-output", "acl-plugin-out-ip4-fa", i), isOn("ip6-output", "acl-plugin-out-ip6-fa", i),
		do(features(i)),
	}
}

func steps(all ...any) (out []vpptest.Step) {
	for _, s := range all {
		switch s := s.(type) {
		case vpptest.Step:
			out = append(out, s)
		case []vpptest.Step:
			out = append(out, s...)
		}
	}
	return out
}

func routeBy(p fib_types.FibPath) api.Message {
	r := ip.IPRouteV2{Paths: []fib_types.FibPath{p}}
	r.Prefix.Address.Un.SetIP4(netip.MustParseAddr("30.0.0.0").As4())
	r.Prefix.Len = 8
	return &ip.IPRouteAddDelV2{IsAdd: true, Route: r}
}

func natOf(i index, local string) api.Message {
	return &nat_ed.Nat44AddDelStaticMappingV2{IsAdd: true, Flags: natAddress, LocalIPAddress: ip4(local), ExternalSwIfIndex: i}
}

func eiOf(i index, local string) api.Message {
	return &nat_ei.Nat44EiAddDelStaticMapping{IsAdd: true, Flags: eiAddress, LocalIPAddress: ip4(local), ExternalSwIfIndex: i}
}

const (
	noRoute = "ip_route_add_del_v2_reply.stats_index"
	twice   = "again"
)

// What VPP refuses, where no other script has come by it.
var refusalScripts = []vpptest.Script{
	{Name: "refusals-ip", About: "what VPP refuses of IPv6 and routes", Volatile: []string{noRoute}, Steps: []vpptest.Step{
		do(loopback()),
		do(ip6On(77, true)), do(ip6On(77, false)), note("it is off", ip6On(1, false)), do(ip6On(1, true)), note(twice, ip6On(1, true)),
		do(linkLocal(77)), do(linkLocal(0)), do(linkLocal(1)),
		note("too short", address(1, "fe80::7/64")), do(address(1, "fe80::7/128")), do(linkLocal(1)),
		note("not the one", unaddress(1, "fe80::8/128")), note("the one", unaddress(1, "fe80::7/128")), do(linkLocal(1)),
		note("no such protocol", routeBy(fib_types.FibPath{SwIfIndex: none, Proto: 9})),
		note("no such classifier", routeBy(fib_types.FibPath{SwIfIndex: none, Type: fib_types.FIB_API_PATH_TYPE_CLASSIFY})),
		note("no such type, which is local0", routeBy(fib_types.FibPath{SwIfIndex: none, Type: 11})), do(routes(0, false, 8)),
	}},
	{Name: "refusals-nat44", About: "what VPP refuses of mappings of an interface's address, and of their ports", Steps: []vpptest.Step{
		do(loopback()),
		do(natOf(1, "10.1.0.1")), do(natOn(1024, 0, 0)), do(natOf(1, "10.1.0.1")), note(twice, natOf(1, "10.1.0.1")), do(natMappings),
		do(address(1, "10.0.0.1/24")), do(natMappings), note("another of the same address", natOf(1, "10.1.0.2")), do(natMappings), do(natOff),
		note("NAT is off, which is not looked at", eiOf(1, "10.1.0.1")), note(twice, eiOf(1, "10.1.0.1")), do(eiMappings),
		do(&nat_ei.Nat44EiPluginEnableDisable{Enable: true}), do(eiRange(true, "192.0.2.1", "192.0.2.1", none)),
		do(eiSame(true, "192.0.2.1", 80, 6, 0, 0)), note("an identity mapping does not keep the address", eiRange(false, "192.0.2.1", "192.0.2.1", none)),
		note("its port is nowhere now", eiSame(false, "192.0.2.1", 80, 6, 0, 0)), do(eiIdentities),
	}},
	{Name: "acl-features", About: "what feature_is_enabled and l2_flags tell of the acl plugin", Steps: steps(
		do(loopback()), note("no such interface", &feature.FeatureIsEnabled{ArcName: "l2-input-ip4", FeatureName: "acl-plugin-in-ip4-l2", SwIfIndex: 77}),
		aclFeatures(1), do(putACL(none, "me/set", aclRule(acl_types.ACL_ACTION_API_PERMIT, aclNet("10.0.0.0/8"), aclNet("0.0.0.0/0")))), do(join(1, 5)), do(bind(1, 1, 0)),
		aclFeatures(1), do(loopback()), note("beyond", features(2)), aclFeatures(2), do(bind(1, 0, 0)), aclFeatures(1), do(bind(1, 1, 0, 0)), aclFeatures(1),
		do(allow(1, 1, 0x806, 0x806)), aclFeatures(1), note("to L3 and back: still on, of no effect", leave(1)), aclFeatures(1), do(join(1, 5)), aclFeatures(1),
		do(bind(1, 0)), aclFeatures(1), do(bind(1, 1, 0, 0)), aclFeatures(1),
		do(putMACIP(none, "me/macs", macipRule(1, aclNet("0.0.0.0/0"), mac(1), mac(0xff)))), do(bindMACIP(1, true, 0)), aclFeatures(1), do(unloop(1)), do(loopback()), aclFeatures(1),
	)},
}
