// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// While a group is read, or made, beside, its only port leaves it and comes back, so it is another group: that one
// is read, and made, as well.
func TestALateGroupIsAnother(t *testing.T) {
	rule := `{"is_ipv6":0,"remote_ip_addr":"10.0.0.0","ip_prefix_len":8,"remote_group_id":null,"protocol":6,"port_min":22,"port_max":22}`
	long := `{"ingress_rules":[` + strings.Repeat(rule+",", cheap) + rule + `],"egress_rules":[]}`
	back := func(b *box) {
		b.put(node.Ports()+uid(1), portIn(1, 101))
		b.put(node.Ports()+uid(1), portIn(1, 101, uid(7)))
		b.list()
	}
	enter := func(b *box) *group {
		b.etcd[translate.Groups+uid(7)] = long
		b.put(node.Ports()+uid(1), portIn(1, 101, uid(7)))
		b.list()
		return b.groups.all[uid(7)]
	}
	done := func(t *testing.T, b *box) {
		b.settle()
		b.Finish() // it is read
		b.Finish() // and made
		o, is := b.store.Want(acl.SetKey(acl.ToSet(uid(7))))
		require.True(t, is, "the group is never made")
		require.NotEmpty(t, o.(acl.Set).Rules)
	}
	t.Run("read", func(t *testing.T) {
		b := newBox(t, node)
		old := enter(b)
		require.NotNil(t, old.text)
		back(b)
		b.mu.Lock()
		b.readLong(uid(7), old)
		b.mu.Unlock()
		done(t, b)
	})
	t.Run("made", func(t *testing.T) {
		b := newBox(t, node)
		b.ReadAtOnce()
		old := enter(b)
		b.mu.Lock()
		b.groups.make()
		require.True(t, b.groups.late[uid(7)])
		b.mu.Unlock()
		b.groups.inLine = 1000
		back(b)
		b.mu.Lock()
		b.makeLong(uid(7), old)
		b.mu.Unlock()
		done(t, b)
	})
	t.Run("not there", func(t *testing.T) {
		b := newBox(t, node)
		enter(b)
		b.put(translate.Groups+uid(7), "")
		b.settle()
		b.Finish()
		_, is := b.store.Want(acl.SetKey(acl.ToSet(uid(7))))
		require.False(t, is, "its key is not there, and never was read")
	})
}
