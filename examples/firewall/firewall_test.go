// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	vppacl "go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/acl_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

const (
	web  = `{"Name": "web", "Rules": [{"Action": "permit+reflect", "Family": 4, "Protocol": "tcp", "DstPorts": "443"}]}`
	ssh  = `{"Name": "ssh", "Rules": [{"Action": "permit+reflect", "Family": 4, "Protocol": "tcp", "DstPorts": "22"}]}`
	shut = `{"Name": "ssh", "Rules": [{"Action": "deny", "Family": 4, "Protocol": "tcp", "DstPorts": "22"}]}`
	nic  = "vpp:loop0"
)

func rules(sets []string, in, out string) []byte {
	return fmt.Appendf(nil, `{"acl": [%s], "acl-binding": [{"Interface": "%s", "Input": [%s], "Output": [%s]}]}`,
		strings.Join(sets, ","), nic, in, out)
}

// site is a VPP on which somebody else has sets on the interface already, in both directions.
type site struct {
	vpp   vpptest.Target
	other vppacl.RPCService
	nic   interface_types.InterfaceIndex
}

func both(t *testing.T, test func(t *testing.T, s site)) {
	run := func(vpp vpptest.Target) func(t *testing.T) {
		return func(t *testing.T) {
			c := dial(t, vpp.Socket(), "other")
			c.Uses(&interfaces.CreateLoopback{}, &vppacl.ACLAddReplace{}, &vppacl.ACLInterfaceSetACLList{}, &vppacl.ACLDump{},
				&vppacl.ACLInterfaceListDump{}, &vppacl.ACLDel{})
			r, err := interfaces.NewServiceClient(c).CreateLoopback(t.Context(), &interfaces.CreateLoopback{})
			require.NoError(t, err)
			s := site{vpp, vppacl.NewServiceClient(c), r.SwIfIndex}
			a, b, d := s.add(t, "theirs-1"), s.add(t, "theirs-2"), s.add(t, "theirs-3")
			s.list(t, 2, a, b, d, a)
			test(t, s)
		}
	}
	t.Run("memory", func(t *testing.T) { run(vpptest.New(t))(t) })
	t.Run("real", func(t *testing.T) { run(vpptest.NewProxy(t, vpptest.Real(t).Socket()))(t) })
}

func dial(t *testing.T, socket, owner string) *vppnet.Conn {
	c, err := vppnet.Dial(t.Context(), socket, owner, vppnet.WithLostAfter(20*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// add makes an ACL by hand.
func (s site) add(t *testing.T, tag string) uint32 {
	r, err := s.other.ACLAddReplace(t.Context(), &vppacl.ACLAddReplace{
		ACLIndex: ^uint32(0), Tag: tag, Count: 1, R: []acl_types.ACLRule{{IsPermit: acl_types.ACL_ACTION_API_PERMIT}},
	})
	require.NoError(t, err)
	return r.ACLIndex
}

// list puts ACLs on the interface by hand, n of them on its input.
func (s site) list(t *testing.T, n uint8, acls ...uint32) {
	_, err := s.other.ACLInterfaceSetACLList(t.Context(), &vppacl.ACLInterfaceSetACLList{
		SwIfIndex: s.nic, Count: uint8(len(acls)), NInput: n, Acls: acls,
	})
	require.NoError(t, err)
}

// state is what VPP has: the ACLs by tag, with their rules, and what is on the interface, by tag.
// Numbers are left out: what was removed and made again has others.
func (s site) state(t *testing.T) (out []string) {
	all, err := vppnet.Collect(s.other.ACLDump(t.Context(), &vppacl.ACLDump{ACLIndex: ^uint32(0)}))
	require.NoError(t, err)
	tags := map[uint32]string{}
	for _, a := range all {
		tags[a.ACLIndex] = a.Tag
		out = append(out, fmt.Sprintf("%s %+v", a.Tag, a.R))
	}
	slices.Sort(out)
	lists, err := vppnet.Collect(s.other.ACLInterfaceListDump(t.Context(), &vppacl.ACLInterfaceListDump{SwIfIndex: s.nic}))
	require.NoError(t, err)
	for _, l := range lists {
		for i, a := range l.Acls {
			side := "out"
			if i < int(l.NInput) {
				side = "in"
			}
			out = append(out, side+" "+tags[a])
		}
	}
	return out
}

// bound is what is on the interface.
func (s site) bound(t *testing.T) string {
	var out []string
	for _, line := range s.state(t) {
		if strings.HasPrefix(line, "in ") || strings.HasPrefix(line, "out ") {
			out = append(out, line)
		}
	}
	return strings.Join(out, ", ")
}

// start is a firewall that has just come: nothing is kept from the one before.
func (s site) start(t *testing.T) wall {
	w, err := open(dial(t, s.vpp.Socket(), "firewall"))
	require.NoError(t, err)
	w.MaxPrune = 1
	return w
}

func (s site) commit(t *testing.T, text []byte) desiredstate.Report {
	w := s.start(t)
	p, err := w.plan(t.Context(), text)
	require.NoError(t, err)
	r, err := w.Commit(t.Context(), p)
	require.NoError(t, err)
	return r
}

const theirs = "in theirs-1, in theirs-2, out theirs-3, out theirs-1"

// Others' sets keep content and order, in both directions, while ours come, change and go.
func TestOthersStay(t *testing.T) {
	both(t, func(t *testing.T, s site) {
		before := s.state(t)
		s.commit(t, rules([]string{web, ssh}, `"web", "ssh"`, `"web"`))
		require.Equal(t, "in firewall/web, in firewall/ssh, in theirs-1, in theirs-2, out firewall/web, out theirs-3, out theirs-1", s.bound(t))
		s.commit(t, rules([]string{web}, ``, `"web"`))
		require.Equal(t, "in theirs-1, in theirs-2, out firewall/web, out theirs-3, out theirs-1", s.bound(t))
		s.commit(t, []byte(`{}`))
		require.Equal(t, theirs, s.bound(t))
		require.Equal(t, before, s.state(t))
	})
}

// After a restart ours are known by their tags: what is as wanted costs nothing, what changed
// is changed in place, under who uses it.
func TestRestart(t *testing.T) {
	both(t, func(t *testing.T, s site) {
		s.commit(t, rules([]string{web, ssh}, `"web", "ssh"`, ``))
		s.vpp.ResetLog()
		s.commit(t, rules([]string{web, ssh}, `"web", "ssh"`, ``))
		require.Zero(t, s.vpp.Writes())
		r := s.commit(t, rules([]string{web, shut}, `"web", "ssh"`, ``))
		require.Equal(t, 1, r.Changed())
		x, _ := r.Of(acl.SetKey("ssh"))
		require.Equal(t, desiredstate.Update, x.Action)
	})
}

// Of several sets that bear one tag of ours, which a crash or an earlier version left behind,
// one is kept, and what is on the interface in place of it moves to that.
func TestDuplicatesGo(t *testing.T) {
	both(t, func(t *testing.T, s site) {
		s.commit(t, rules([]string{web}, `"web"`, ``))
		a, b := s.add(t, "theirs-4"), s.add(t, "firewall/web")
		s.list(t, 2, b, a)
		s.commit(t, rules([]string{web}, `"web"`, ``))
		require.Equal(t, "in firewall/web, in theirs-4", s.bound(t))
		ours := 0
		for _, line := range s.state(t) {
			if strings.HasPrefix(line, "firewall/web ") {
				ours++
				require.Contains(t, line, "443")
			}
		}
		require.Equal(t, 1, ours)
	})
}

// Whichever message of a commit fails, refused or with its answer lost, VPP has what it had;
// and the next commit does it all.
func TestAllOrNothing(t *testing.T) {
	both(t, func(t *testing.T, s site) {
		from, to := rules([]string{web, ssh}, `"web", "ssh"`, ``), rules([]string{shut}, `"ssh"`, `"ssh"`)
		for _, lost := range []bool{false, true} {
			for nth, failed := 1, true; failed; nth++ {
				s.commit(t, from)
				before := s.state(t)
				w := s.start(t)
				p, err := w.plan(t.Context(), to)
				require.NoError(t, err)
				s.vpp.FailWrite(nth, lost)
				_, err = w.Commit(t.Context(), p)
				s.vpp.Heal()
				if failed = err != nil; failed {
					var back *desiredstate.CommitError
					require.ErrorAs(t, err, &back)
					require.Equal(t, before, s.state(t), "message %d, lost %v: %v", nth, lost, err)
				} else {
					require.Greater(t, nth, 3, "some messages did fail")
				}
				s.commit(t, to)
				require.Equal(t, "in firewall/ssh, in theirs-1, in theirs-2, out firewall/ssh, out theirs-3, out theirs-1", s.bound(t))
			}
		}
	})
}

// A firewall that dies in the middle, without undoing anything, loses nothing: whose is what
// is written in VPP.
func TestKilledInTheMiddle(t *testing.T) {
	both(t, func(t *testing.T, s site) {
		for nth := 1; nth <= 4; nth++ {
			s.commit(t, rules([]string{web}, `"web"`, ``))
			w := s.start(t)
			p, err := w.plan(t.Context(), rules([]string{ssh}, `"ssh"`, `"ssh"`))
			require.NoError(t, err)
			ctx, die := context.WithCancel(t.Context())
			s.vpp.FailWrite(nth, true)
			w.Observe = func(e desiredstate.Event) {
				if e.Type == desiredstate.Failed {
					die()
				}
			}
			_, _ = w.Apply(ctx, p) // which, unlike Commit, does not undo
			die()
			s.vpp.Heal()
			s.commit(t, []byte(`{}`))
			require.Equal(t, theirs, s.bound(t))
			for _, line := range s.state(t) {
				require.NotContains(t, line, "firewall/")
			}
		}
	})
}

// The command says what it would do, does it when told, and nothing at all if one part of the
// file is wrong.
func TestCommand(t *testing.T) {
	both(t, func(t *testing.T, s site) {
		file := filepath.Join(t.TempDir(), "rules.json")
		run := func(text []byte, flags ...string) (string, error) {
			require.NoError(t, os.WriteFile(file, text, 0o600))
			var out bytes.Buffer
			c := command(&out)
			c.SetArgs(append([]string{"--vpp", s.vpp.Socket(), "--file", file}, flags...))
			err := c.ExecuteContext(t.Context())
			return out.String(), err
		}
		before := s.state(t)
		text := rules([]string{web}, `"web"`, ``)
		out, err := run(text)
		require.NoError(t, err)
		require.Equal(t, "   KIND         OBJECT                 WHAT\n+  acl          acl/web\n+  acl-binding  acl-binding/vpp:loop0\n2 to create\n", out)
		require.Equal(t, before, s.state(t), "who asks changes nothing")

		_, err = run(rules([]string{web}, `"web", "wbe"`, ``), "--commit")
		require.ErrorContains(t, err, "acl/wbe")
		_, err = run([]byte(`{"acl": [{"Name": "a", "Rulez": []}]}`), "--commit")
		require.ErrorContains(t, err, `acl 0: `)
		require.ErrorContains(t, err, `Rulez`)
		require.Equal(t, before, s.state(t))

		_, err = run(text, "--commit")
		require.NoError(t, err)
		_, err = run([]byte(`{}`), "--commit")
		require.ErrorIs(t, err, desiredstate.ErrMassDelete)
		more := rules([]string{strings.Replace(web, "443", "444", 1)}, `"web"`, ``)
		had := s.state(t)
		_, err = run(more, "--commit", "--gently")
		require.ErrorIs(t, err, desiredstate.ErrRefused)
		require.Equal(t, had, s.state(t))
		_, err = run(more, "--commit")
		require.NoError(t, err)
		_, err = run([]byte(`{}`), "--commit", "--remove")
		require.NoError(t, err)
		require.Equal(t, before, s.state(t))
	})
}

// The program is no longer than what it is a model of may be.
func TestSize(t *testing.T) {
	text, err := os.ReadFile("main.go")
	require.NoError(t, err)
	require.Less(t, bytes.Count(text, []byte("\n")), 150)
}
