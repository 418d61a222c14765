// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

func pipes(c *vppnet.Conn) *desiredstate.Engine {
	return desiredstate.New(vppnet.SubInterfaces(c), vppnet.Pipes(c), vppnet.PipeEnds(c))
}

// VPP dies of pipe_dump when a pipe has a sub-interface besides its ends. Ours is none, and
// somebody's is read past.
func TestPipeWithAThirdSubInterface(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		all := []desiredstate.Object{vppnet.Pipe{Name: "p"}, vppnet.PipeEnd{Name: "near", Pipe: "p"}, vppnet.PipeEnd{Name: "far", Pipe: "p", Second: true}}
		r, err := pipes(c).Sync(t.Context(), all[:2]...)
		require.NoError(t, err)
		for _, parent := range []string{"p", "near"} {
			e := pipes(c)
			_, err := e.Ensure(t.Context(), vppnet.SubInterface{Name: "sub", Parent: parent, Outer: 5})
			require.ErrorContains(t, err, parent+" is a pipe or an end of one")
		}
		p, ok := r.Of(vppnet.InterfaceKey("p"))
		require.True(t, ok)
		theirs := o.subInterface(interface_types.InterfaceIndex(p.ID), 7, 7, 0)
		e := pipes(dialVPP(t, socket))
		r, err = e.Sync(t.Context(), all...)
		require.NoError(t, err)
		require.Equal(t, 1, r.Changed())
		e.Forget()
		plan, err := e.Plan(t.Context(), all...)
		require.NoError(t, err)
		require.Equal(t, "3 as wanted\n", plan.String())

		o.Uses(&interfaces.DeleteSubif{})
		_, err = o.DeleteSubif(t.Context(), &interfaces.DeleteSubif{SwIfIndex: theirs})
		require.NoError(t, err)
		e.MaxPrune = 1
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
	})
}
