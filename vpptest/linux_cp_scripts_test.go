// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"strings"

	"go.fd.io/govpp/api"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/lcp"

	"github.com/vppkit/vppkit/vpptest"
)

func pairOf(i index, name, netns string, add bool) *lcp.LcpItfPairAddDelV3 {
	return &lcp.LcpItfPairAddDelV3{SwIfIndex: i, IsAdd: add, HostIfName: name, Netns: netns}
}

func tunOf(i index, name string) api.Message {
	q := pairOf(i, name, "", true)
	q.HostIfType = lcp.LCP_API_ITF_HOST_TUN
	return q
}

func namespaceOf(pairs string) api.Message { return &lcp.LcpDefaultNsSet{Netns: pairs} }

var (
	pairs     = &lcp.LcpItfPairGet{}
	namespace = &lcp.LcpDefaultNsGet{} // where there is none, VPP answers with what lies in its memory
)

// The recordings are of a machine without /dev/vhost-net.
var linuxCPScripts = []vpptest.Script{
	{Name: "linux-cp", About: "pairs of interfaces and devices of Linux, where that has no vhost-net", Steps: steps(
		do(pairs), note("from elsewhere", &lcp.LcpItfPairGet{Cursor: 7}), do(&lcp.LcpItfPairGet{Cursor: none}), do(loopback()), note("no vhost-net", pairOf(1, "lcp1", "", true)), do(pairs), do(tunOf(1, "lcp1")), do(interfaces), do(taps),
		note("none", pairOf(1, "lcp1", "", false)), do(pairOf(77, "lcp1", "", true)), do(pairOf(77, "lcp1", "", false)), note("a name that Linux has not", pairOf(1, "a/b", "", true)), do(pairOf(1, "a b", "", true)), do(pairOf(1, "a-_@.Z9", "", true)), note("one that Linux refuses itself", pairOf(1, "a:b", "", true)), note("a template", pairOf(1, "a%b", "", true)),
		note("a name that is another's", pairOf(1, "lo", "", true)), note("no name", pairOf(1, "", "", true)), note("a namespace that is none", pairOf(1, "lcp1", "vpptest-none", true)), note("not Ethernet", pairOf(0, "lcp1", "", true)), do(tunOf(0, "lcp1")),
		do(&interfaces_api.CreateVlanSubif{SwIfIndex: 1, VlanID: 5}), note("whose parent has none", pairOf(2, "lcp1.5", "", true)),
		do(&interfaces_api.CreateSubif{SwIfIndex: 1, SubID: 6, OuterVlanID: 6, SubIfFlags: interface_types.SUB_IF_API_FLAG_ONE_TAG}), note("not an exact match", pairOf(3, "lcp1.6", "", true)), do(pairs),
	)},
	{Name: "linux-cp-namespace", About: "the namespace of Linux in which pairs are made", Steps: steps(
		note("that is not there", namespaceOf("vpptest-none")), do(namespace), do(loopback()), do(pairOf(1, "lcp1", "", true)), note("another one", namespaceOf("a")), do(namespace), note("as long as it can be", namespaceOf(strings.Repeat("n", 31))), do(namespace), note("too long", namespaceOf(strings.Repeat("n", 40))), do(namespace),
		do(namespaceOf("")), do(pairOf(1, "lcp1", "", true)),
	)},
}
