// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/dirty"
	"github.com/vppkit/vppkit/vppnet"
)

// A loopback that announced a VM may go unheard, when events are lost. Whoever has its number then is heard.
func TestALoopbackThatWentUnheard(t *testing.T) {
	v := &voice{fresh: dirty.New[uint32](), mine: map[uint32]bool{5: true, 6: true}}
	require.True(t, v.hear(vppnet.LinkEvent{Index: 5, LinkUp: true}))
	require.True(t, v.hear(vppnet.LinkEvent{Index: 5, Deleted: true}))
	require.False(t, v.hear(vppnet.LinkEvent{Index: 5, LinkUp: true}))
	require.Contains(t, v.fresh.Take(), uint32(5))

	require.False(t, v.hear(vppnet.LinkEvent{Index: ^uint32(0), Lost: 3}))
	require.False(t, v.hear(vppnet.LinkEvent{Index: 6, LinkUp: true}))
	require.Contains(t, v.fresh.Take(), uint32(6))
}
