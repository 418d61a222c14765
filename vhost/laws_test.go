// SPDX-License-Identifier: Apache-2.0

package vhost_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/vhost_user"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Ports keep the laws of kinds, on both VPPs.
func TestLaws(t *testing.T) {
	run := func(t *testing.T, checks int, vpp lawTarget, dir string, state func() string) {
		pick := func(t *rapid.T, label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
		connect := func(t testing.TB) kindtest.World[vhost.Port] {
			s := &saboteur{vpp: vpp}
			c, err := vppnet.Dial(t.Context(), vpp.Socket(), "me", vppnet.WithReplyTimeout(500*time.Millisecond), vppnet.WithTrace(s.sent))
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.Close() })
			return kindtest.World[vhost.Port]{Kind: vhost.Ports(c, dir), State: state, Writes: vpp.Writes, Fault: s.plan, Heal: s.heal}
		}
		kindtest.Run(t, kindtest.Suite[vhost.Port]{
			Checks: checks,
			Gen: rapid.Custom(func(t *rapid.T) vhost.Port {
				return vhost.Port{
					Name: pick(t, "name", "vm1", "vm2"), Socket: dir + pick(t, "socket", "/a", "/b"),
					Server: rapid.Bool().Draw(t, "server"), GSO: rapid.Bool().Draw(t, "GSO"),
					Packed: rapid.Bool().Draw(t, "packed"), EventIndex: rapid.Bool().Draw(t, "event index"),
					MAC: rapid.SampledFrom([]vppnet.MAC{{}, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}).Draw(t, "MAC"),
				}
			}),
			Open: func(t testing.TB) kindtest.World[vhost.Port] {
				w := connect(t)
				w.Reopen = func() kindtest.World[vhost.Port] { return connect(t) }
				return w
			},
		})
	}
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		vpp, dir := vpptest.New(t), sockets(t)
		stranger(t, vpp.Socket(), dir)
		run(t, 8, vpp, dir, vpp.String)
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		socket, dir := vpptest.Real(t).Socket(), sockets(t)
		state := stranger(t, socket, dir)
		run(t, 4, vpptest.NewProxy(t, socket), dir, state)
	})
}

// stranger makes a port that is not ours, and returns a way to see all there is.
func stranger(t *testing.T, socket, dir string) (state func() string) {
	c, err := vppnet.Dial(t.Context(), socket, "stranger")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	k := vhost.Ports(c, dir)
	_, err = k.Ensure(t.Context(), vhost.Port{Name: "vm1", Socket: dir + "/theirs", Server: true})
	require.NoError(t, err)
	c.Uses(&interfaces.SwInterfaceDump{}, &vhost_user.SwInterfaceVhostUserDump{})
	return func() string {
		var b strings.Builder
		ifs, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(t.Context(), &interfaces.SwInterfaceDump{SwIfIndex: ^interfaces.SwInterfaceDump{}.SwIfIndex}))
		require.NoError(t, err)
		for _, i := range ifs {
			fmt.Fprintf(&b, "%+v\n", *i)
		}
		ports, err := vppnet.Collect(vhost_user.NewServiceClient(c).SwInterfaceVhostUserDump(t.Context(), &vhost_user.SwInterfaceVhostUserDump{SwIfIndex: ^interfaces.SwInterfaceDump{}.SwIfIndex}))
		require.NoError(t, err)
		for _, p := range ports {
			fmt.Fprintf(&b, "%+v\n", *p)
		}
		return b.String()
	}
}

// lawTarget is a vpptest.VPP, or a vpptest.Proxy before a real one.
type lawTarget interface {
	Socket() string
	Writes() int
	Inject(vpptest.Fault)
	Heal()
}

// A saboteur makes the nth message fail that can change VPP. It goes by what the
// connection traces, because faults count all messages of a name.
type saboteur struct {
	vpp lawTarget

	mu    sync.Mutex
	left  int // messages up to the one that fails, it included; 0: none will
	fault vpptest.FaultKind
}

var portWrites = []string{"create_vhost_user_if_v2", "delete_vhost_user_if", "sw_interface_set_mac_address"}

func (s *saboteur) plan(nth int, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.fault = nth, vpptest.Refuse
	if lost {
		s.fault = vpptest.Drop
	}
	s.arm()
}

// arm makes the next message fail, if that is the one.
func (s *saboteur) arm() {
	if s.left == 1 {
		for _, name := range portWrites {
			s.vpp.Inject(vpptest.Fault{Message: name, Kind: s.fault, Retval: -1})
		}
	}
}

// sent is told of each message when it has been answered, or was not in time.
func (s *saboteur) sent(tr vppnet.Trace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == 0 || strings.HasSuffix(tr.Message, "_dump") || tr.Message == "control_ping" {
		return
	}
	if s.left--; s.left == 0 {
		s.vpp.Heal()
	}
	s.arm()
}

func (s *saboteur) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = 0
	s.vpp.Heal()
}
