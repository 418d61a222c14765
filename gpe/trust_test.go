// SPDX-License-Identifier: Apache-2.0

package gpe_test

import (
	"testing"

	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/lisp_gpe"
	"go.fd.io/govpp/binapi/one"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vpptest"
)

// Whoever dies while overlays come or go leaves no mode behind: one is only set while they are on, and
// found with them.
func TestAbandonedOverlay(t *testing.T) {
	modes := func(vpp *vpptest.Proxy) string {
		return vpp.State(&lisp.ShowLispStatus{}, &lisp_gpe.GpeGetEncapMode{}, &one.OneShowPetrMode{})
	}
	kindrig.Both(t, modes, func(t *testing.T, vpp vpptest.Target, state func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		kindrig.Abandoned(t, vpp, state, func() *desiredstate.Engine { return everything(c) }, gpe.Overlay{VXLAN: true, PETR: true})
	})
}
