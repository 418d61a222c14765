// SPDX-License-Identifier: Apache-2.0

package classify_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/classify"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A table of ours that somebody has packets of an interface of his looked up in stays, as it is: VPP 25.10 died of the
// next packet. What an interface left behind that has gone holds none.
func TestTableThatOthersLookInto(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		them := kindrig.Engine(vppnet.Loopbacks(kindrig.Dial(t, vpp.Socket(), "others")))
		lo := vppnet.Loopback{Name: "lo"}
		c := kindrig.Dial(t, vpp.Socket(), "someone")
		c.Uses(&binding.InputACLSetInterface{}, &binding.PolicerClassifySetInterface{}, &binding.FlowClassifySetInterface{})
		by := binding.NewServiceClient(c)
		mine, other := classify.Table{Name: "t", Mask: "\xff"}, classify.Table{Name: "t", Mask: "\x0f"}
		_, us := open(t, vpp.Socket())
		for what, put := range map[string]func(i interface_types.InterfaceIndex, table uint32, on bool) error{
			"input_acl_set_interface": func(i interface_types.InterfaceIndex, table uint32, on bool) error {
				_, err := by.InputACLSetInterface(t.Context(), &binding.InputACLSetInterface{SwIfIndex: i, IP4TableIndex: table, IP6TableIndex: none, L2TableIndex: none, IsAdd: on})
				return err
			},
			"policer_classify_set_interface": func(i interface_types.InterfaceIndex, table uint32, on bool) error {
				_, err := by.PolicerClassifySetInterface(t.Context(), &binding.PolicerClassifySetInterface{SwIfIndex: i, IP4TableIndex: none, IP6TableIndex: table, L2TableIndex: none, IsAdd: on})
				return err
			},
			"flow_classify_set_interface": func(i interface_types.InterfaceIndex, table uint32, on bool) error {
				_, err := by.FlowClassifySetInterface(t.Context(), &binding.FlowClassifySetInterface{SwIfIndex: i, IP4TableIndex: table, IP6TableIndex: none, IsAdd: on})
				return err
			},
		} {
			report, err := them.Sync(t.Context(), lo)
			require.NoError(t, err)
			is, _ := report.Of(lo.Key())
			report, err = us.Ensure(t.Context(), mine)
			require.NoError(t, err)
			table, _ := report.Of(mine.Key())
			at := interface_types.InterfaceIndex(is.ID)
			require.NoError(t, put(at, table.ID, true))
			before := state()
			_, err = us.Remove(t.Context(), mine.Key())
			require.ErrorIs(t, err, desiredstate.ErrInUse)
			require.ErrorContains(t, err, what)
			_, err = us.Ensure(t.Context(), other)
			require.ErrorIs(t, err, desiredstate.ErrInUse)
			require.Equal(t, before, state())
			_, err = them.Sync(t.Context())
			require.NoError(t, err)
			_, err = them.Sync(t.Context(), lo) // gets the index
			require.NoError(t, err)
			_, err = us.Ensure(t.Context(), other)
			require.NoError(t, err)
			_, err = us.Remove(t.Context(), mine.Key())
			require.NoError(t, err)
			_ = put(at, table.ID, false)
		}
		ours := vppnet.Loopback{Name: "ours"}
		_, err := us.Ensure(t.Context(), ours, mine, classify.Input{Interface: "ours", Table: "t"}, classify.Input{Interface: "ours", Table: "t", Use: classify.CountFlows})
		require.NoError(t, err)
		_, err = us.Ensure(t.Context(), other)
		require.NoError(t, err, "our own goes before, and comes again")
		_, err = us.Sync(t.Context())
		require.NoError(t, err)
	})
}
