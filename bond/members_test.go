// SPDX-License-Identifier: Apache-2.0

package bond_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A member is one, whatever becomes of others meanwhile: what is asked of a bond is answered one by one.
func TestMemberAmongOthersThatComeAndGo(t *testing.T) {
	vpp := vpptest.New(t)
	e := everything(kindrig.Dial(t, vpp.Socket(), "me"))
	base := []desiredstate.Object{bond.Bond{Name: "up", Mode: bond.XOR}, vppnet.Loopback{Name: "lo"}, vppnet.Loopback{Name: "lo2"}, bond.Member{Bond: "up", Interface: "lo"}}
	r, err := e.Sync(t.Context(), base...)
	require.NoError(t, err)
	up, _ := r.Of(vppnet.InterfaceKey("up"))
	lo, _ := r.Of(vppnet.InterfaceKey("lo"))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			for _, want := range [][]desiredstate.Object{append(base[:len(base):len(base)], bond.Member{Bond: "up", Interface: "lo2"}), base} {
				_, err := e.Sync(t.Context(), want...)
				assert.NoError(t, err)
			}
		}
	}()
	other := kindrig.Dial(t, vpp.Socket(), "other")
	bond.Members(other) // declares its messages
	for range 30_000 {
		found, err := vppnet.BondMembers(t.Context(), other, up.ID)
		if !assert.NoError(t, err) || !assert.NotEmpty(t, found[up.ID]) || !assert.Equal(t, lo.ID, uint32(found[up.ID][0].SwIfIndex)) {
			break
		}
	}
	stop()
	<-done
}
