// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func TestAsk(t *testing.T) {
	vpp := vpptest.New(t)
	c := dialVPP(t, vpp.Socket())
	c.Uses(&interfaces.SwInterfaceGetTable{}, &interfaces.SwInterfaceDump{}, &memclnt.ControlPing{})
	none, err := vppnet.Ask(t.Context(), c)
	require.NoError(t, err)
	require.Empty(t, none)

	tables, err := vppnet.AskEach[*interfaces.SwInterfaceGetTableReply](t.Context(), c,
		&interfaces.SwInterfaceGetTable{}, &interfaces.SwInterfaceGetTable{SwIfIndex: 77}, &interfaces.SwInterfaceGetTable{IsIPv6: true})
	require.NoError(t, err)
	require.Len(t, tables, 3, "in order")
	require.Zero(t, tables[0].Retval)
	require.NotZero(t, tables[1].Retval, "there is no such interface; that is the caller's to see")
	require.Zero(t, tables[2].Retval)

	_, err = vppnet.AskEach[*interfaces.SwInterfaceDetails](t.Context(), c, &interfaces.SwInterfaceGetTable{})
	require.ErrorIs(t, err, vppnet.ErrUnexpectedReply)
	require.ErrorContains(t, err, "sw_interface_get_table_reply")
	_, err = vppnet.AskEach[*interfaces.SwInterfaceDetails](t.Context(), c, &interfaces.SwInterfaceDump{SwIfIndex: 77}, &interfaces.SwInterfaceDump{SwIfIndex: 78})
	require.ErrorIs(t, err, vppnet.ErrUnexpectedReply)
	require.ErrorContains(t, err, "0 answers to 2 requests sw_interface_dump")
}
