// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/lldp"
	"go.fd.io/govpp/binapi/vlib"

	"github.com/vppkit/vppkit/vpptest"
)

func lldpOn(i index, text string) api.Message {
	q := &lldp.SwInterfaceSetLldp{SwIfIndex: i, Enable: true, PortDesc: text, MgmtOid: make([]byte, 128), MgmtIP4: [4]byte{10, 0, 0, 1}, MgmtIP6: netip.MustParseAddr("2001:db8::1").As16()}
	copy(q.MgmtOid, "1.3.6.1")
	return q
}

func lldpOff(i index) api.Message {
	return &lldp.SwInterfaceSetLldp{SwIfIndex: i, MgmtOid: make([]byte, 128)}
}

func lldpConfig(hold, interval uint32, name string) api.Message {
	return &lldp.LldpConfig{TxHold: hold, TxInterval: interval, SystemName: name}
}

func hardware(name string) api.Message {
	return &vlib.CliInband{Cmd: "show hardware-interfaces brief " + name}
}

var lldpScripts = []vpptest.Script{
	{Name: "lldp", About: "who tells neighbours on a link who it is, by numbers of interfaces and of devices", Steps: steps(
		do(lldpConfig(0, 0, "")), do(lldpConfig(100, 3600, "vpp")), do(lldpConfig(101, 1, "")), do(lldpConfig(1, 3601, "")), do(lldpConfig(4, 30, "")),
		do(loopback()), do(lldpOn(1, "to the world")), note("again", lldpOn(1, "to others")), do(lldpOff(1)), note("off already", lldpOff(1)), do(lldpOn(77, "")), do(lldpOff(77)), note("local0", lldpOn(0, "")),
		do(hardware("loop0")), note("of a sub-interface, whose number no device has", vlan(1, 10)), do(lldpOn(2, "")), do(lldpOff(2)), do(hardware("loop0.10")),
		note("a device with another number than its interface", loopback()), do(hardware("loop1")), note("no device has this number", lldpOn(3, "")), note("the number of the sub-interface is its", lldpOn(2, "")), note("VPP looks for an interface", lldpOff(2)),
		do(lldpOn(1, "")), do(unloop(1)), do(hardware("loop0")), do(loopback()), do(hardware("loop0")), do(lldpOff(1)),
	)},
}
