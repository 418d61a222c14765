// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func committing(c *vppnet.Conn) *desiredstate.Engine {
	e := desiredstate.New(vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.LinkStates(c),
		acl.Sets(c), acl.MACIPSets(c), acl.Bindings(c), acl.MACIPBindings(c), acl.EtherTypeLists(c))
	e.MaxPrune = 1
	return e
}

// reading is all that VPP has, others' things included, but for their numbers.
func reading(t *testing.T, socket string) (lines []string) {
	t.Helper()
	found, err := committing(dial(t, socket, "me")).Found(t.Context())
	require.NoError(t, err)
	for _, f := range found {
		lines = append(lines, fmt.Sprintf("%s %v %+v", f.Key, f.Foreign, f.Spec))
	}
	return lines
}

// router is what a commit begins with, and what it is to lead to.
func router(t *testing.T) (from, to []desiredstate.Object) {
	port := func(name, bridge string) []desiredstate.Object {
		all, err := acl.BridgedPort{Security: acl.PortSecurity{Interface: name, MAC: hostMAC}, Bridge: bridge}.Objects()
		require.NoError(t, err)
		return all
	}
	from = append(port("a", "one"), vppnet.BridgeDomain{Name: "one"}, vppnet.BridgeDomain{Name: "two"}, vppnet.Loopback{Name: "a"},
		vppnet.SubInterface{Name: "sub", Parent: "a", Outer: 5}, acl.Set{Name: "old"})
	to = append(port("a", "two"), vppnet.BridgeDomain{Name: "one", NoLearn: true}, vppnet.BridgeDomain{Name: "two"}, vppnet.Loopback{Name: "a", BVI: true},
		vppnet.Loopback{Name: "b"}, vppnet.SubInterface{Name: "sub", Parent: "b", Outer: 6}, acl.Set{Name: "new", Rules: []acl.Rule{{Action: acl.Permit, Family: acl.IPv4}}})
	return from, to
}

// Whichever message of a commit fails, refused or with its answer lost, VPP has what it had
// before, with what others have in it.
func TestCommitLeavesVPPAsItWas(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		other := dial(t, vpp.Socket(), "other")
		_, err := desiredstate.New(vppnet.Loopbacks(other), vppnet.BridgeDomains(other), vppnet.BridgePorts(other)).Ensure(t.Context(),
			vppnet.Loopback{Name: "theirs"}, vppnet.BridgeDomain{Name: "theirs"}, vppnet.BridgePort{Bridge: "theirs", Interface: "theirs"})
		require.NoError(t, err)
		from, to := router(t)
		for _, lost := range []bool{false, true} {
			for nth, failed := 1, true; failed; nth += 2 {
				c := dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(100*time.Millisecond)) // a slow answer is none that is lost
				e := committing(c)
				_, err := e.Sync(t.Context(), from...)
				require.NoError(t, err)
				before := reading(t, vpp.Socket())
				p, err := e.Plan(t.Context(), to...)
				require.NoError(t, err)
				vpp.FailWrite(nth, lost)
				_, err = e.Commit(t.Context(), p)
				vpp.Heal()
				var back *desiredstate.CommitError
				if failed = err != nil; failed {
					require.ErrorAs(t, err, &back)
					require.Empty(t, back.Differs, "message %d, lost %v: %v", nth, lost, err)
					require.Empty(t, back.Unknown)
					require.Equal(t, before, reading(t, vpp.Socket()), "message %d, lost %v: %v", nth, lost, err)
				} else {
					require.Greater(t, nth, 10)
				}
				_, err = e.Sync(t.Context())
				require.NoError(t, err)
				require.NoError(t, c.Close())
			}
		}
	})
}

// A VPP that dies in the middle of a commit leaves nobody who could say what there is.
func TestCommitSaysWhatItDoesNotKnow(t *testing.T) {
	vpp := vpptest.New(t)
	c := dial(t, vpp.Socket(), "me")
	e := committing(c)
	from, to := router(t)
	_, err := e.Sync(t.Context(), from...)
	require.NoError(t, err)
	p, err := e.Plan(t.Context(), to...)
	require.NoError(t, err)
	done := 0
	e.Parallel = 1
	e.Observe = func(ev desiredstate.Event) {
		if ev.Type == desiredstate.Done {
			if done++; done == 3 {
				_ = c.Close() // as if it had died
			}
		}
	}
	_, err = e.Commit(t.Context(), p)
	var failed *desiredstate.CommitError
	require.ErrorAs(t, err, &failed)
	require.Empty(t, failed.Restored)
	require.NotEmpty(t, failed.Unknown)
	require.ErrorIs(t, err, vppnet.ErrClosed)
}

// A plan shows what it would do to whom, with what it makes, and why not.
func TestPlanInDetail(t *testing.T) {
	vpp := vpptest.New(t)
	e := committing(dial(t, vpp.Socket(), "me"))
	from, to := router(t)
	_, err := e.Sync(t.Context(), from...)
	require.NoError(t, err)
	p, err := e.Plan(t.Context(), append(to, vppnet.LinkState{Interface: "b"}, vppnet.BridgePort{Bridge: "three", Interface: "b"},
		vppnet.LinkState{Interface: "vpp:local0", Up: true})...)
	require.NoError(t, err)
	file := filepath.Join("testdata", "plan.txt")
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, []byte(p.Details()), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), p.Details())
}
