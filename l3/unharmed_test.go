// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/arping"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/memclnt"
	nat_ei "go.fd.io/govpp/binapi/nat44_ei"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// No sequence of calls of this package ends a VPP, however absurd they are, and
// whatever somebody else does in between.
func TestNothingHarmsVPP(t *testing.T) {
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t, vpptest.WithReport(func(text string) {
			if strings.Contains(text, "VPP died") || strings.Contains(text, beyond) {
				return // unharmed says of a death what led there
			}
			t.Error(text)
		}))
		mortal(t, vpp)
		rapid.Check(t, func(rt *rapid.T) {
			if vpp.Died() != "" { // in the sequence before, or in a try to make one smaller
				require.NoError(t, vpp.Restart())
			}
			unharmed(t, rt, vpp.Socket(), vpp.Died)
		})
	})
	t.Run("real", func(t *testing.T) {
		vpp, died := vpptest.Real(t), false
		rapid.Check(t, func(rt *rapid.T) {
			if died {
				require.NoError(t, vpp.Restart())
				died = false
			}
			unharmed(t, rt, vpp.Socket(), func() string {
				died = true
				return "a real one does not say of what"
			})
		})
	})
}

// lurking is how a VPP dies that nobody can see coming: somebody deleted an interface whose link a
// route of another table leads to, and what hid that route goes. VPP shows of a prefix what is in use alone.
const lurking = "used a route again to the link, in another table, of an interface that is gone"

// beyond is what the in-memory VPP does not imitate, and somebody's tables come to once in some 50 runs.
const beyond = "whose hosts are in the way of other routes"

// byHand is what somebody else does, who may end a VPP.
const byHand = "by hand"

// mortal fails the test where a real VPP would have died.
func mortal(t *testing.T, vpp *vpptest.VPP) {
	on := false
	vpptest.Handle(vpp, func(_ *vpptest.Call, q *nat_ei.Nat44EiPluginEnableDisable) *nat_ei.Nat44EiPluginEnableDisableReply {
		on = q.Enable
		return new(nat_ei.Nat44EiPluginEnableDisableReply)
	})
	vpptest.Handle(vpp, func(*vpptest.Call, *nat_ei.Nat44EiShowRunningConfig) *nat_ei.Nat44EiShowRunningConfigReply {
		r := new(nat_ei.Nat44EiShowRunningConfigReply)
		if on {
			r.Sessions, r.Users, r.UserSessions = 1000, 1024, 1000
		}
		return r
	})
	vpptest.HandleDump(vpp, func(*vpptest.Call, *nat_ei.Nat44EiUserSessionV2Dump) []*nat_ei.Nat44EiUserSessionV2Details {
		if !on {
			t.Error("sessions of a NAT that is off: VPP is dead")
		}
		return nil
	})
	vpptest.Handle(vpp, func(c *vpptest.Call, q *arping.Arping) *arping.ArpingReply {
		if q.SwIfIndex == 0 || !has(c, q.SwIfIndex) {
			t.Errorf("announced by interface %d: VPP is dead", q.SwIfIndex)
		}
		return new(arping.ArpingReply)
	})
}

// unharmed makes calls, and looks after each whether VPP still answers, or else why it died.
func unharmed(t *testing.T, rt *rapid.T, socket string, why func() string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	soon, enough := context.WithTimeout(ctx, 30*time.Second) // one that died is not waited for
	defer enough()
	c, err := vppnet.Dial(soon, socket, "me", vppnet.WithReplyTimeout(5*time.Second))
	require.NoError(rt, err)
	defer func() { _ = c.Close() }()
	other, err := vppnet.Dial(soon, socket, "other")
	require.NoError(rt, err)
	defer func() { _ = other.Close() }()
	other.Uses(&memclnt.ControlPing{}, &interfaces.DeleteLoopback{}, &ip.IPTableAddDelV2{})
	over := false
	alive := func(after string) {
		if over {
			return
		}
		_, err := memclnt.NewServiceClient(other).ControlPing(ctx, &memclnt.ControlPing{})
		if err == nil {
			err = c.Err()
		}
		if err == nil {
			return
		}
		over = true
		died := why()
		if strings.Contains(died, lurking) || after == byHand { // such as of two interfaces that go with the same neighbour
			rt.Skip(died)
		}
		rt.Fatalf("after %s: %v; VPP died: %s", after, err, died)
	}
	v := kindrig.Pick(rt, "variant", natVariants...)
	e := desiredstate.New(everyKind(c, v)...)
	e.MaxPrune = 1
	defer func() {
		_, _ = e.Sync(ctx)
		e.Forget()
		_, _ = e.Sync(ctx)
		alive("all was taken away")
	}()
	if kindrig.Pick(rt, "plenty", true, true, true, false) {
		_, _ = e.Ensure(ctx, plenty()...)
	}
	strange := dice{rt, true}
	for range rapid.IntRange(1, 25).Draw(rt, "calls") {
		call := kindrig.Pick(rt, "call", "ensure", "ensure", "ensure", "ensure", "ensure", "ensure", "remove", "forget", "sync", "announce", "sessions", "end sessions", "states", byHand)
		switch call {
		case "ensure":
			var all []desiredstate.Object
			for range kindrig.Pick(rt, "objects", 1, 1, 2, 5) {
				all = append(all, anything(rt))
			}
			_, _ = e.Ensure(ctx, all...)
		case "remove":
			_, _ = e.Remove(ctx, anything(rt).Key())
		case "forget":
			e.Forget()
		case "sync":
			_, _ = e.Sync(ctx, anything(rt), anything(rt))
		case "announce":
			_ = l3.Announce(ctx, c, kindrig.Pick[uint32](rt, "index", 0, 1, 2, 3, 99, ^uint32(0)), strange.addr(false), strange.addr(true))
		case "sessions":
			_, _ = nat.Sessions(ctx, c, kindrig.Pick(rt, "variant", natVariants...), strange.addr(false), kindrig.Pick(rt, "table", numbers...))
		case "end sessions":
			_, _ = nat.EndSessions(ctx, c, kindrig.Pick(rt, "variant", natVariants...), strange.addr(false), kindrig.Pick(rt, "table", numbers...), func(nat.Session) bool { return true })
		case "states":
			_, err := vrrp.States(ctx, c)
			if c.Err() == nil {
				require.NoError(rt, err)
			}
		case byHand:
			if kindrig.Pick(rt, "what", "interface", "table") == "table" {
				_, _ = ip.NewServiceClient(other).IPTableAddDelV2(ctx, &ip.IPTableAddDelV2{
					IsAdd: kindrig.Pick(rt, "add", false, true), Table: ip.IPTable{TableID: kindrig.Pick[uint32](rt, "table", 7, 8, 9), IsIP6: kindrig.Pick(rt, "IPv6", false, true)},
				})
				break
			}
			_, _ = interfaces.NewServiceClient(other).DeleteLoopback(ctx, &interfaces.DeleteLoopback{SwIfIndex: kindrig.Pick[interface_types.InterfaceIndex](rt, "index", 1, 2, 3)})
		}
		alive(call)
	}
}

// everyKind manages all there is, whosever it is.
func everyKind(c *vppnet.Conn, v nat.Variant) []desiredstate.AnyKind {
	all := func(string) bool { return true }
	claim, tables := vppnet.ClaimInterfaces(all), l3.ClaimTables(all)
	kinds := []desiredstate.AnyKind{
		vppnet.Loopbacks(c), vppnet.LinkStates(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c),
		l3.Tables(c), l3.Memberships(c, claim), l3.Addresses(c, claim), l3.Unnumbereds(c, claim),
		l3.Routes(c, func(table string, p netip.Prefix) bool { return p.Bits() > 0 && p.Addr().Is4() }),
		l3.Neighbours(c, claim), l3.RouterAdvertisements(c, claim), l3.ProxyARPRanges(c, tables), l3.ProxyARPs(c, claim), l3.DHCPRelays(c, tables),
		vrrp.Routers(c, claim), nat.Plugins(c, v), nat.Interfaces(c, v, claim), nat.Addresses(c, v, prefix("0.0.0.0/0")),
		nat.Mappings(c, v), nat.Identities(c, v),
	}
	if v == nat.EndpointDependent {
		kinds = append(kinds, nat.Exits(c))
	}
	return kinds
}

// What would end a VPP is refused with words that say what to do.
func TestLethalCallsAreRefused(t *testing.T) {
	test := func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		for _, index := range []uint32{0, 99, ^uint32(0)} {
			require.Error(t, l3.Announce(t.Context(), c, index, addr("10.0.0.1"), addr("2001:db8::1")))
		}
		require.ErrorIs(t, l3.Announce(t.Context(), c, 99, addr("10.0.0.1")), api.INVALID_SW_IF_INDEX)
		require.ErrorContains(t, l3.Announce(t.Context(), c, 0, addr("10.0.0.1")), "name another one")
		_, err := vppnet.Loopbacks(c).Ensure(t.Context(), vppnet.Loopback{Name: "alive"})
		require.NoError(t, err)
	}
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { test(t, vpptest.Real(t).Socket()) })
}

var natVariants = []nat.Variant{nat.EndpointDependent, nat.EndpointIndependent}

func has(c *vpptest.Call, index interface_types.InterfaceIndex) bool {
	_, ok := c.Interface(uint32(index))
	return ok
}
