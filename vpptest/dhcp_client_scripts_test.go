// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/dhcp"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/vpptest"
)

func dhcpClient(i index, add bool, host, id string, broadcast bool, dscp ip_types.IPDscp) api.Message {
	q := &dhcp.DHCPClientConfig{IsAdd: add, Client: dhcp.DHCPClient{SwIfIndex: i, Hostname: host, ID: make([]byte, 64), SetBroadcastFlag: broadcast, Dscp: dscp}}
	copy(q.Client.ID, id)
	return q
}

var dhcpClients = &dhcp.DHCPClientDump{}

var dhcpClientScripts = []vpptest.Script{
	{Name: "dhcp-client", About: "who asks for an address by DHCP", Steps: steps(
		do(dhcpClients), do(loopback()), do(loopback()), do(vlan(2, 10)), do(dhcpClient(1, true, "vpp", "id1", true, 46)), do(dhcpClients), isOn("ip4-unicast", "ip4-dhcp-client-detect", 1), isOn("ip4-unicast", "ip4-dhcp-client-detect", 2),
		note("there is one", dhcpClient(1, true, "vpp2", "id1", false, 0)), do(dhcpClient(77, true, "vpp", "id", false, 0)), do(dhcpClient(2, false, "vpp", "id", false, 0)),
		note("of a sub-interface", dhcpClient(3, true, "a-name-of-63-bytes-0123456789012345678901234567890123456789012", "0123456789012345678901234567890123456789012345678901234567890123", false, 63)), do(dhcpClients), isOn("ip4-unicast", "ip4-dhcp-client-detect", 3),
		do(dhcpClient(3, false, "x", "y", false, 0)), do(dhcpClients), isOn("ip4-unicast", "ip4-dhcp-client-detect", 3),
		note("no name", dhcpClient(2, true, "", "id", false, 0)), do(dhcpClients), note("no identity", dhcpClient(3, true, "vpp", "", false, 0)), do(dhcpClients), do(dhcpClient(2, false, "", "", false, 0)), do(dhcpClient(3, false, "", "", false, 0)), do(dhcpClients),
		do(dhcpClient(1, false, "vpp", "id1", true, 46)), do(dhcpClients), isOn("ip4-unicast", "ip4-dhcp-client-detect", 1), note("of one that is up", admin(1, up)), do(dhcpClient(1, true, "vpp", "id1", true, 46)), do(dhcpClients),
	)},
	{Name: "dhcp-client-left", About: "an interface goes that asks for an address", Steps: steps(
		do(loopback()), do(dhcpClient(1, true, "vpp", "id1", false, 0)), do(unloop(1)), do(dhcpClients), do(dhcpClient(1, false, "vpp", "id1", false, 0)), do(loopback()), do(dhcpClients), isOn("ip4-unicast", "ip4-dhcp-client-detect", 1),
		do(dhcpClient(1, true, "vpp", "id1", false, 0)), do(dhcpClient(1, false, "vpp", "id1", false, 0)), do(dhcpClients), do(dhcpClient(1, true, "vpp", "id1", false, 0)), do(dhcpClients), isOn("ip4-unicast", "ip4-dhcp-client-detect", 1), do(dhcpClient(1, false, "vpp", "id1", false, 0)),
	)},
}
