// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/vppnet"
)

func TestTags(t *testing.T) {
	c := newWire(t).dial()
	require.Equal(t, "me", c.Owner())
	require.Equal(t, "me/vm1", c.Tag("vm1"))
	require.Equal(t, "me/vm1+q4,server", c.Tag("vm1", "q4", "server"))

	for tag, want := range map[string]string{
		"me/vm1": "vm1", "me/vm1+q4,server": "vm1", "me/a/b": "a/b",
		"": "", "me": "", "me/": "", "me/+q4": "", "you/vm1": "", "meme/vm1": "", "vm1": "",
	} {
		name, ours := c.Untag(tag)
		require.Equal(t, want, name, tag)
		require.Equal(t, want != "", ours, tag)
	}
	require.Equal(t, []string{"q4", "server"}, c.TagOptions("me/vm1+q4,server"))
	require.Nil(t, c.TagOptions("me/vm1"))
	require.Nil(t, c.TagOptions("me/vm1+"))
	require.Nil(t, c.TagOptions("you/vm1+q4"))
}

func TestNames(t *testing.T) {
	c := newWire(t).dial()
	var none *vppnet.Conn
	for _, name := range []string{"", "a b", "a+b", "a\x00", "a\n", "é", "a,b", `a"b`} {
		require.Error(t, c.CheckName(name), name)
		require.Error(t, none.CheckName(name), name)
		require.Error(t, vppnet.CheckName(name), name)
	}
	for _, name := range []string{"vm1", "A-Z.a_z", "10.0.0.1:80", "user@host", "a/b#1"} {
		require.NoError(t, c.CheckName(name), name)
		require.NoError(t, none.CheckName(name), name)
	}
	long := strings.Repeat("x", 61)
	require.NoError(t, vppnet.CheckName(long))
	require.Error(t, vppnet.CheckName(long+"x"))
	require.NoError(t, c.CheckName(long[1:]))
	require.ErrorContains(t, c.CheckName(long), "at most 60")
	require.Error(t, c.CheckName(long[1:], "q4"))
	require.ErrorContains(t, c.CheckName("vm1", long), "no room")
	require.Error(t, c.CheckName("vm1", "a,b"))
}

func TestEveryAcceptedNameSurvivesItsTag(t *testing.T) {
	c := newWire(t).dial()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[ -~]{0,64}`).Draw(t, "name")
		opts := rapid.SliceOfN(rapid.StringMatching(`[a-z0-9=+,]{0,9}`), 0, 4).Draw(t, "opts")
		if c.CheckName(name, opts...) != nil {
			return
		}
		tag := c.Tag(name, opts...)
		require.LessOrEqual(t, len(tag), 63)
		got, ours := c.Untag(tag)
		require.True(t, ours)
		require.Equal(t, name, got)
		require.Equal(t, len(opts), len(c.TagOptions(tag)))
	})
}
