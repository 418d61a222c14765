// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A stranger's interface is ours to bridge while it is in a bridge domain of ours, or its frames go to an interface of ours. Once
// its owner has bridged it elsewhere, neither a change of ours nor a removal takes it from there.
func TestWhatAStrangerHasBridgedElsewhereStaysThere(t *testing.T) {
	const iface = "stranger/b"
	port := vppnet.BridgePort{Bridge: "mine", Interface: iface}
	changed := port
	changed.SplitHorizonGroup = 7
	x := vppnet.CrossConnect{From: iface, To: "m"}
	other := vppnet.CrossConnect{From: iface, To: "n"}
	for name, c := range map[string]struct{ mine, then desiredstate.Object }{
		"a port that goes":             {port, nil},
		"a port that changes":          {port, changed},
		"a cross-connect that goes":    {x, nil},
		"a cross-connect that changes": {x, other},
	} {
		t.Run(name, func(t *testing.T) {
			test := func(t *testing.T, socket string) {
				open := func(owner string) *desiredstate.Engine {
					c := kindrig.Dial(t, socket, owner)
					return kindrig.Engine(vppnet.Loopbacks(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.CrossConnects(c))
				}
				me, they := open("me"), open("stranger")
				theirs := []desiredstate.Object{vppnet.Loopback{Name: "b"}, vppnet.BridgeDomain{Name: "theirs"}}
				_, err := they.Sync(t.Context(), theirs...)
				require.NoError(t, err)
				_, err = me.Sync(t.Context(), vppnet.Loopback{Name: "m"}, vppnet.Loopback{Name: "n"}, vppnet.BridgeDomain{Name: "mine"}, c.mine)
				require.NoError(t, err)

				theirs = append(theirs, vppnet.BridgePort{Bridge: "theirs", Interface: "b"})
				they.Forget()
				_, err = they.Sync(t.Context(), theirs...)
				require.NoError(t, err)
				if c.then == nil {
					_, err = me.Remove(t.Context(), c.mine.Key())
					require.NoError(t, err)
				} else {
					_, err = me.Ensure(t.Context(), c.then)
					require.Error(t, err)
				}
				p, err := open("stranger").Plan(t.Context(), theirs...)
				require.NoError(t, err)
				require.Empty(t, p.Steps, "%s", p)
			}
			t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t).Socket()) })
			t.Run("real", func(t *testing.T) { test(t, vpptest.Real(t).Socket()) })
		})
	}
}
