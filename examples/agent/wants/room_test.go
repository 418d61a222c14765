// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vppnet"
)

// Who is served stays, though there is no room for all, also when an agent starts anew: that one learns from VPP,
// or from what stands in etcd, who it was.
func TestWhoIsServedHasRoomOverARestart(t *testing.T) {
	start := func(t *testing.T) *box {
		b := newBox(t, node)
		b.Room = Room{Ports: 2, Filtered: 2}
		for _, n := range []int{2, 3, 1} {
			b.put(node.Ports()+uid(n), portIn(n, 101))
			b.settle()
		}
		return b
	}
	serves := func(b *box) {
		b.Helper()
		for n, want := range map[int]bool{1: false, 2: true, 3: true} {
			_, is := b.store.Want(vppnet.InterfaceKey("port-" + uid(n)))
			require.Equal(b, want, is, n)
		}
	}
	t.Run("VPP", func(t *testing.T) {
		b := start(t)
		serves(b)
		b = b.restarted()
		serves(b)
		b.put(node.Ports()+uid(3), "")
		b.settle()
		_, is := b.store.Want(vppnet.InterfaceKey("port-" + uid(1)))
		require.True(t, is, "there is room by now")
	})
	t.Run("etcd", func(t *testing.T) {
		next := emptyBox(t, node, start(t).etcd)
		next.Room = Room{Ports: 2, Filtered: 2}
		next.Bequeath([]string{uid(3), uid(2)})
		next.root()
		serves(next)
	})
}
