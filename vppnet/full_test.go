// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Who asks for one more than VPP can have is told how many that are.
func TestFull(t *testing.T) {
	loopback := func(i int) desiredstate.Object { return vppnet.Loopback{Name: fmt.Sprint("lo", i)} }
	for name, s := range map[string]struct {
		most int
		one  func(int) desiredstate.Object
		says string
	}{
		"loopbacks": {16384, loopback, "there can be 16384 interfaces of the type Loopback"},
		"BVIs": {
			16384, func(i int) desiredstate.Object { return vppnet.Loopback{Name: fmt.Sprint("lo", i), BVI: true} },
			"there can be 16384 interfaces of the type BVI",
		},
		"pipes": {
			1024, func(i int) desiredstate.Object { return vppnet.Pipe{Name: fmt.Sprint("p", i)} },
			"there can be 1024 pipes of one owner",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := kindrig.Dial(t, vpptest.New(t).Socket(), "me")
			e := desiredstate.New(vppnet.Loopbacks(c), vppnet.Pipes(c))
			all := make([]desiredstate.Object, s.most)
			for i := range all {
				all[i] = s.one(i)
			}
			_, err := e.Ensure(t.Context(), all...)
			require.NoError(t, err)
			_, err = e.Ensure(t.Context(), s.one(s.most))
			require.ErrorContains(t, err, s.says)
			require.ErrorIs(t, err, api.INVALID_REGISTRATION)
		})
	}
}
