// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/vlib"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// setting tells VPP something by its CLI, and whether it judges sessions again.
func setting(t *testing.T, vpp vpptest.Target, command string) (judged bool) {
	t.Helper()
	c := dial(t, vpp.Socket(), "someone")
	c.Uses(&vlib.CliInband{})
	for _, command := range []string{command, "show acl-plugin sessions"} {
		r, err := vlib.NewServiceClient(c).CliInband(t.Context(), &vlib.CliInband{Cmd: command})
		require.NoError(t, err)
		judged = strings.Contains(r.Reply, "Reclassify sessions: 1")
	}
	return judged
}

const off = "set acl-plugin reclassify-sessions 0"

// Sessions are judged again from the first change on that may end some, whichever it is, and
// whatever an earlier program, or somebody else, had left.
func TestSessionsAreJudgedAnew(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		require.False(t, setting(t, vpp, off))
		set := acl.Set{Name: "a", Rules: []acl.Rule{{Action: acl.PermitReflect, Family: acl.IPv4}}}
		bind := acl.Binding{Interface: "lo", Output: []string{"a"}}
		e := engine(dial(t, vpp.Socket(), "me"))
		ensure(t, e, vppnet.Loopback{Name: "lo"}, set)
		require.False(t, setting(t, vpp, "show version"), "nothing is bound that could end")
		ensure(t, e, bind)
		require.True(t, setting(t, vpp, "show version"), "bound")

		require.False(t, setting(t, vpp, off))
		e = engine(dial(t, vpp.Socket(), "me"))
		before := vpp.Writes()
		ensure(t, e, set, bind)
		require.Equal(t, before, vpp.Writes(), "what is as wanted writes nothing")
		set.Rules = nil
		ensure(t, e, set)
		require.True(t, setting(t, vpp, "show version"), "a rule went")
		require.Equal(t, before+3, vpp.Writes(), "the setting, what was bound before it, and the set")

		before = vpp.Writes()
		ensure(t, e, acl.Set{Name: "a", Rules: []acl.Rule{{Family: acl.IPv6}}})
		ensure(t, engine(dial(t, vpp.Socket(), "me")), set)
		require.Equal(t, before+2, vpp.Writes(), "one for each set then")
	})
}

// If VPP cannot be told, or not all of it, the rules do not change, and it is told again.
func TestSessionsAreJudgedOrNothingIsDone(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		set := acl.Set{Name: "a", Rules: []acl.Rule{{Action: acl.PermitReflect, Family: acl.IPv4}}}
		ensure(t, engine(dial(t, vpp.Socket(), "me")), vppnet.Loopback{Name: "lo"}, vppnet.Loopback{Name: "two"}, set,
			acl.Binding{Interface: "lo", Output: []string{"a"}}, acl.Binding{Interface: "two", Input: []string{"a"}})
		for _, lost := range []bool{false, true} {
			for nth := 1; nth <= 3; nth++ {
				require.False(t, setting(t, vpp, off))
				set.Rules = append(set.Rules, acl.Rule{Action: acl.Permit, Family: acl.IPv6})
				e := engine(dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond)))
				vpp.FailWrite(nth, lost)
				_, err := e.Ensure(t.Context(), set)
				vpp.Heal()
				if err == nil { // VPP refused to bind once more, as if that interface had gone
					require.False(t, lost && nth == 1)
				}
				if lost {
					require.True(t, setting(t, vpp, "show version"), "write %d: others rely on it by now", nth)
				}
				ensure(t, e, set)
				require.True(t, setting(t, vpp, "show version"), "write %d, lost %t", nth, lost)
			}
		}
	})
}

// Who dies on the way has told VPP nothing: the next program would find that VPP judges sessions, and not that of what
// was bound before it takes those of one direction for the other's.
func TestSessionsAreJudgedOfAllThatIsBound(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		set := acl.Set{Name: "a", Rules: []acl.Rule{{Action: acl.PermitReflect, Family: acl.IPv4}}}
		ensure(t, engine(dial(t, vpp.Socket(), "me")), vppnet.Loopback{Name: "lo"}, set, acl.Binding{Interface: "lo", Input: []string{"a"}})
		require.False(t, setting(t, vpp, off))
		set.Rules = nil
		sets := func() *desiredstate.Engine { return desiredstate.New(acl.Sets(dial(t, vpp.Socket(), "me"))) }
		vpp.Inject(vpptest.Fault{Message: "acl_interface_list_dump", Kind: vpptest.CutBefore})
		_, err := sets().Ensure(t.Context(), set)
		require.Error(t, err)
		before := len(vpp.Sent())
		ensure(t, sets(), set)
		require.True(t, setting(t, vpp, "show version"))
		require.Contains(t, vpp.Sent()[before:], "acl_interface_set_acl_list")
	})
}

// A set that becomes ours with other rules is changed as one of ours is.
func TestSessionsAreJudgedByWhatIsAdopted(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		permit := acl.Rule{Action: acl.PermitReflect, Family: acl.IPv4}
		theirs := acl.Set{Name: "a", Rules: []acl.Rule{permit}}
		ensure(t, engine(dial(t, vpp.Socket(), "hand")), vppnet.Loopback{Name: "lo"}, theirs, acl.Binding{Interface: "lo", Input: []string{"a"}})
		require.False(t, setting(t, vpp, off))
		e := engine(dial(t, vpp.Socket(), "me"))
		a, err := e.Adoption(t.Context(), acl.Set{Name: "mine"}, acl.SetKey("hand/a"))
		require.NoError(t, err)
		before := len(vpp.Sent())
		_, err = e.Adopt(t.Context(), a)
		require.NoError(t, err)
		require.True(t, setting(t, vpp, "show version"))
		sent := vpp.Sent()[before:]
		require.Contains(t, sent, "acl_interface_set_acl_list")
		require.Less(t, slices.Index(sent, "acl_interface_set_acl_list"), slices.Index(sent, "acl_add_replace"))
	})
}

// What is revocable means the same, but for what it starts sessions for: nothing from the
// middle of a connection, but a client's.
func TestRevocableMeansTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world(1)
		plain := rapid.SliceOfN(rapid.Custom(w.rule), 0, 8).Draw(t, "rules")
		rules := acl.Revocable(plain)
		require.NoError(t, acl.Set{Name: "s", Rules: rules}.Validate())
		require.Equal(t, rules, acl.Revocable(rules), "once is enough")
		for _, p := range rapid.SliceOfN(rapid.Custom(w.packet), 20, 40).Draw(t, "packets") {
			want, err := acl.Explain(p, acl.Set{Name: "s", Rules: plain})
			require.NoError(t, err)
			got, err := acl.Explain(p, acl.Set{Name: "s", Rules: rules})
			require.NoError(t, err)
			require.Equal(t, want.Passes(), got.Passes(), "%s: %v", p, rules)
			switch {
			case want.Action != acl.PermitReflect:
				require.Equal(t, want.Action, got.Action)
			case p.Protocol == acl.TCP && !p.LaterFragment && !p.Short && p.Flags&acl.ACK != 0:
				require.Equal(t, p.SrcPort >= 32768, got.Action == acl.PermitReflect, "%s: %v", p, rules)
			case !midway(p):
				require.Equal(t, want.Action, got.Action, "%s: %v", p, rules)
			}
		}
	})
}
