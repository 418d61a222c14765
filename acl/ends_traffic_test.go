// SPDX-License-Identifier: Apache-2.0

//go:build linux

package acl_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
)

// What is taken away ends within a second, whichever way it is taken; what may be is not
// disturbed.
func TestTrafficEndsWithItsRule(t *testing.T) {
	t.Run("a rule goes", func(t *testing.T) {
		l := opened(t)
		l.ends(t, "rule", slices.Concat(l.asked(t, 7777), l.pinged(t)), slices.Concat(l.asked(t, 22), l.asks(t, 8080), l.pinging(t)), func() time.Time {
			return l.permit(t, func(p *policyOf) { p.groups[1].Ingress = nil })
		})
	})
	t.Run("a group goes from the port", func(t *testing.T) {
		l := opened(t)
		l.ends(t, "binding", slices.Concat(l.asked(t, 7777), l.pinged(t)), slices.Concat(l.asked(t, 22), l.asks(t, 8080), l.pinging(t)), func() time.Time {
			return l.permit(t, func(p *policyOf) { p.port = p.port[:1] })
		})
	})
	t.Run("a member leaves", func(t *testing.T) {
		l := opened(t)
		l.permit(t, func(p *policyOf) {
			for i := range p.groups[1].Ingress {
				p.groups[1].Ingress[i].RemoteGroup = "peers"
			}
			p.members = acl.Members{"peers": {peer4, peer6, ip("10.0.0.99")}}
		})
		l.ends(t, "membership", slices.Concat(l.asked(t, 7777), l.pinged(t)), slices.Concat(l.asked(t, 22), l.asks(t, 8080), l.pinging(t)), func() time.Time {
			return l.permit(t, func(p *policyOf) { p.members["peers"] = p.members["peers"][2:] })
		})
	})
	t.Run("an egress rule goes", func(t *testing.T) {
		l := opened(t)
		l.permit(t, func(p *policyOf) {
			p.groups[0].Ingress = anything()
			p.groups[0].Egress = slices.Concat(both(acl.TCP, 53), both(acl.TCP, 54), both(acl.UDP, 53), both(acl.TCP, 8080), both(acl.TCP, 8081), both(acl.UDP, 8080), both(acl.ICMP, 0))
		})
		l.ends(t, "egress rule", slices.Concat(l.asks(t, 8080), l.pinging(t)), slices.Concat(l.asked(t, 22), l.asks(t, 53), l.pinged(t)), func() time.Time {
			return l.permit(t, func(p *policyOf) { p.groups[0].Egress = p.groups[0].Egress[:6] })
		})
	})
	t.Run("by a program that has just started", func(t *testing.T) {
		l := opened(t)
		end, stay := slices.Concat(l.asked(t, 7777), l.pinged(t)), slices.Concat(l.asked(t, 22), l.asks(t, 8080), l.pinging(t))
		l.connect(t)
		l.ends(t, "restart", end, stay, func() time.Time {
			return l.permit(t, func(p *policyOf) { p.groups[1].Ingress = nil })
		})
	})
	t.Run("what was bound by somebody who let VPP be as it starts", func(t *testing.T) {
		l := newSite(t)
		l.before = true
		l.open(t)
		end, early := slices.Concat(l.asked(t, 7777), l.pinged(t)), l.asks(t, 53)
		for _, k := range slices.Concat(end, early) {
			k.begun(t)
		}
		// Somebody else's interface, behind the VM's in VPP's order, is bound by us: from then
		// on VPP counts changes for both.
		_, err := l.e.Ensure(t.Context(), acl.Set{Name: "all", Rules: []acl.Rule{{Action: acl.PermitReflect, Family: acl.IPv4}, {Action: acl.PermitReflect, Family: acl.IPv6}}},
			acl.Binding{Interface: "other", Input: []string{"all"}, Output: []string{"all"}})
		require.NoError(t, err)
		stay := slices.Concat(early, l.asked(t, 22), l.asks(t, 8080), l.pinging(t))
		l.ends(t, "bound before", end, stay, func() time.Time {
			begin := time.Now()
			to, _, err := acl.SecurityGroup{Name: "more"}.Sets(nil)
			require.NoError(t, err)
			_, err = l.e.Ensure(t.Context(), to)
			require.NoError(t, err)
			return begin
		})
	})
}

// Who was called may be the first to speak after a change, to somebody who has nothing to say:
// to end all sessions, and have them begin anew, would silence him.
func TestTrafficOfQuietOnesGoesOn(t *testing.T) {
	l := opened(t)
	var quiets []quiet
	for i := range uint16(4) {
		quiets = append(quiets, isQuiet(t, l.vm, l.peer, netip.AddrPortFrom(peer4, 9000+i)), isQuiet(t, l.vm, l.peer, netip.AddrPortFrom(peer6, 9000+i)))
	}
	for i, change := range []func(*policyOf){
		func(p *policyOf) { p.groups[1].Ingress = nil },
		func(p *policyOf) { p.groups[0].Egress = append(p.groups[0].Egress, both(acl.TCP, 1)...) },
		func(p *policyOf) { p.port = p.port[:1] },
		func(p *policyOf) { p.groups[0].Egress = slices.Concat(both(acl.TCP, 0), both(acl.UDP, 53)) },
	} {
		l.permit(t, change)
		for _, q := range quiets[2*i : 2*i+2] { // each is quiet until its turn
			require.True(t, q.speaks(), "%s after change %d", q.what, i)
		}
	}
}

// A pair that is taken away is nobody's source any more, at once.
func TestTrafficEndsWithItsPair(t *testing.T) {
	l := opened(t)
	for _, a := range []string{"10.0.0.20/24", "fd00::20/64"} { // not to be chosen by itself
		l.vm.IP(t, "addr", "add", a, "dev", "eth0", "nodad", "preferred_lft", "0")
	}
	serve(t, l.vm, "10.0.0.20:24", "[fd00::20]:24") // UDP answers from there
	l.permit(t, func(p *policyOf) {
		p.groups[0].Ingress = append(p.groups[0].Ingress, slices.Concat(both(acl.TCP, 24), both(acl.UDP, 24))...)
		p.pairs = []acl.AddressPair{{Prefix: netip.PrefixFrom(pair4, 32)}, {Prefix: netip.PrefixFrom(pair6, 128)}}
	})
	var end []*talk
	for i, a := range []netip.Addr{pair4, pair6} {
		end = append(end, dials(t, l.peer, "tcp", netip.AddrPortFrom(a, 24)), dials(t, l.peer, "udp", netip.AddrPortFrom(a, 24)), pings(t, l.peer, a, uint16(20+i)))
	}
	stay := slices.Concat(l.asked(t, 22), l.asks(t, 8080), l.pinging(t), l.pinged(t))
	l.ends(t, "pair", end, stay, func() time.Time {
		return l.permit(t, func(p *policyOf) { p.pairs = nil })
	})
}
