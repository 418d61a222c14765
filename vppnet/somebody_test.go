// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/af_packet"
	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/vppnet"
)

// other does to VPP what neither our kinds nor our tag have a part in.
type other struct {
	interfaces.RPCService
	t *testing.T
	*vppnet.Conn
}

func somebody(t *testing.T, socket string) other {
	c, err := vppnet.Dial(t.Context(), socket, "other")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	c.Uses(&interfaces.CreateLoopbackInstance{}, &interfaces.CreateSubif{}, &interfaces.SwInterfaceSetFlags{}, &interfaces.SwInterfaceTagAddDel{},
		&interfaces.DeleteLoopback{}, &interfaces.DeleteSubif{}, &interfaces.SwInterfaceDump{},
		&l2.BviCreate{}, &l2.BviDelete{}, &l2.SwInterfaceSetL2Bridge{}, &l2.BridgeDomainAddDelV2{}, &l2.L2InterfaceVlanTagRewrite{}, &l2.L2fibAddDel{},
		&af_packet.AfPacketCreateV3{}, &af_packet.AfPacketDelete{})
	return other{interfaces.NewServiceClient(c), t, c}
}

func (o other) loopback(mac vppnet.MAC, instance ...uint32) interface_types.InterfaceIndex {
	req := &interfaces.CreateLoopbackInstance{MacAddress: ethernet_types.MacAddress(mac)}
	if len(instance) > 0 {
		req.IsSpecified, req.UserInstance = true, instance[0]
	}
	r, err := o.CreateLoopbackInstance(o.t.Context(), req)
	require.NoError(o.t, err)
	return r.SwIfIndex
}

func (o other) bvi(mac vppnet.MAC) interface_types.InterfaceIndex {
	r, err := l2.NewServiceClient(o).BviCreate(o.t.Context(), &l2.BviCreate{Mac: ethernet_types.MacAddress(mac), UserInstance: ^uint32(0)})
	require.NoError(o.t, err)
	return r.SwIfIndex
}

func (o other) subInterface(parent interface_types.InterfaceIndex, id uint32, outer uint16, more interface_types.SubIfFlags) interface_types.InterfaceIndex {
	r, err := o.CreateSubif(o.t.Context(), &interfaces.CreateSubif{
		SwIfIndex: parent, SubID: id, OuterVlanID: outer, SubIfFlags: interface_types.SUB_IF_API_FLAG_ONE_TAG | more,
	})
	require.NoError(o.t, err)
	return r.SwIfIndex
}

func (o other) up(i interface_types.InterfaceIndex, up bool) {
	var f interface_types.IfStatusFlags
	if up {
		f = interface_types.IF_STATUS_API_FLAG_ADMIN_UP
	}
	_, err := o.SwInterfaceSetFlags(o.t.Context(), &interfaces.SwInterfaceSetFlags{SwIfIndex: i, Flags: f})
	require.NoError(o.t, err)
}

func (o other) bridge(i interface_types.InterfaceIndex, id uint32, in bool) {
	_, err := l2.NewServiceClient(o).SwInterfaceSetL2Bridge(o.t.Context(), &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: i, BdID: id, Enable: in})
	require.NoError(o.t, err)
}

func (o other) remove(i interface_types.InterfaceIndex) {
	_, err := o.DeleteLoopback(o.t.Context(), &interfaces.DeleteLoopback{SwIfIndex: i})
	require.NoError(o.t, err)
}

func (o other) list() string {
	all, err := vppnet.Collect(o.SwInterfaceDump(o.t.Context(), &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	require.NoError(o.t, err)
	var b strings.Builder
	for _, d := range all {
		fmt.Fprintf(&b, "%s [%s]\n", d.InterfaceName, d.Tag)
	}
	return b.String()
}
