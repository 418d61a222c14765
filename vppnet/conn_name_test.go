// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

func TestTags(t *testing.T) {
	c := newWire(t).dial()
	require.Equal(t, "me", c.Owner())
	require.Equal(t, "me/vm1", tag(t, c, "vm1"))
	require.Equal(t, "me/vm1+q4,server", tag(t, c, "vm1", "q4", "server"))

	for tag, want := range map[string]string{
		"me/vm1": "vm1", "me/vm1+q4,server": "vm1", "me/a/b": "",
		"": "", "me": "", "me/": "", "me/+q4": "", "me/#7": "", "me/vpp:7": "", "you/vm1": "", "meme/vm1": "", "vm1": "",
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
	for _, name := range []string{"", "a b", "a+b", "a/b", "#7", "vpp:7", "a~b", "a\x00", "a\n", "é", "a,b", `a"b`} {
		require.Error(t, c.CheckName(name), name)
		require.Error(t, none.CheckName(name), name)
		require.Error(t, vppnet.CheckName(name), name)
	}
	for _, name := range []string{"vm1", "A-Z.a_z", "10.0.0.1:80", "user@host", "a#1"} {
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
		tag := tag(t, c, name, opts...)
		require.LessOrEqual(t, len(tag), 63)
		got, ours := c.Untag(tag)
		require.True(t, ours)
		require.Equal(t, name, got)
		require.Equal(t, len(opts), len(c.TagOptions(tag)))
	})
}

func tag(t require.TestingT, c *vppnet.Conn, name string, opts ...string) string {
	tag, err := c.Tag(name, opts...)
	require.NoError(t, err)
	return tag
}

func TestATagIsNeverCut(t *testing.T) {
	c := newWire(t).dial()
	_, err := c.Tag(strings.Repeat("x", 61))
	require.ErrorIs(t, err, desiredstate.ErrInvalid)
	_, err = c.Tag("a/b")
	require.ErrorIs(t, err, desiredstate.ErrInvalid)
}

// What is not ours never has a name that ours can have, and no two things have one.
func TestNamesMeanOneThing(t *testing.T) {
	c := newWire(t).dial()
	tags := rapid.SampledFrom([]string{"", "me/a", "me/b", "me/a+g", "you/a", "you/b+x", "us/a", "uplink", "a/b/c", "me/#1", "/a", "vpp/loop0"})
	rapid.Check(t, func(t *rapid.T) {
		var all []vppnet.Named
		for i := range rapid.IntRange(0, 9).Draw(t, "things") {
			all = append(all, vppnet.Named{Tag: tags.Draw(t, "tag"), VPP: fmt.Sprint("loop", i)})
		}
		seen := map[string]bool{}
		for i, n := range c.Names(all...) {
			require.False(t, seen[n.Name], "%s twice in %v", n.Name, all)
			seen[n.Name] = true
			require.True(t, c.Is(n.Name, all[i]), "%s is not %v", n.Name, all[i])
			require.Equal(t, n.Ours && !n.Surplus, vppnet.CheckName(n.Name) == nil, n.Name)
			if !strings.Contains(n.Name, "~") {
				require.NoError(t, vppnet.CheckRef("interface", n.Name))
			}
			if _, ours := c.Untag(all[i].Tag); ours != n.Ours {
				t.Fatalf("%v: ours %v", all[i], n.Ours)
			}
		}
	})
	require.Equal(t, []vppnet.Name{{Name: "you/a"}, {Name: "vpp:loop1"}, {Name: "a", Ours: true}, {Name: "a~loop3", Ours: true, Surplus: true}},
		c.Names(vppnet.Named{Tag: "you/a+q", VPP: "loop0"}, vppnet.Named{Tag: "mgmt", VPP: "loop1"},
			vppnet.Named{Tag: "me/a", VPP: "loop2"}, vppnet.Named{Tag: "me/a", VPP: "loop3"}))
	require.Equal(t, []vppnet.Name{{Name: "you/a~loop0"}, {Name: "you/a~loop1"}},
		c.Names(vppnet.Named{Tag: "you/a", VPP: "loop0"}, vppnet.Named{Tag: "you/a", VPP: "loop1"}), "two of one tag")
}

func TestRefs(t *testing.T) {
	for _, ok := range []string{"vm1", "you/vm1", "vpp:loop0", "vpp:GigabitEthernet0/8/0.100", "vpp:7"} {
		require.NoError(t, vppnet.CheckRef("interface", ok), ok)
	}
	for _, bad := range []string{"", "#7", "vpp:", "vpp:a b", "a/", "/a", "a/b/c", "a b", "you/a+q", "GigabitEthernet0/8/0", "vm1~loop3", strings.Repeat("x", 62)} {
		require.Error(t, vppnet.CheckRef("interface", bad), bad)
	}
	require.ErrorContains(t, vppnet.CheckRef("interface", "GigabitEthernet0/8/0"), `"vpp:GigabitEthernet0/8/0"`, "it says what to write")
}
