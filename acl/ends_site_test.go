// SPDX-License-Identifier: Apache-2.0

//go:build linux

package acl_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/vlib"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A site is a VM behind security groups, and a peer that nobody filters, both machines of
// Linux, on a bridge domain of a real VPP.
type site struct {
	vpp      *vpptest.RealVPP
	e        *desiredstate.Engine
	vm, peer netrig.NetNS
	other    netrig.NetNS
	control  []*talk // of the peer with somebody else whom nobody filters
	mac      vppnet.MAC
	want     policyOf
	before   bool // VPP is as it starts, and bound by somebody else
}

// policyOf is what is permitted at a site.
type policyOf struct {
	groups  []acl.SecurityGroup
	members acl.Members
	port    []string // the VM's groups
	pairs   []acl.AddressPair
}

var (
	vm4, vm6     = ip("10.0.0.10"), ip("fd00::10")
	pair4, pair6 = ip("10.0.0.20"), ip("fd00::20") // the VM's too
	peer4, peer6 = ip("10.0.0.11"), ip("fd00::11")
)

func newSite(t *testing.T) *site {
	t.Helper()
	ns := netrig.New(t, "vpp")
	l := &site{
		vpp: vpptest.Real(t, vpptest.InNetNS(string(ns))), mac: vppnet.MAC{2, 0, 0, 0, 0, 10},
		vm:   netrig.Host(t, "vm", ns, "to-vm", "10.0.0.10/24", "fd00::10/64"),
		peer: netrig.Host(t, "peer", ns, "to-peer", "10.0.0.11/24", "fd00::11/64"),
	}
	l.vm.IP(t, "link", "set", "dev", "eth0", "address", l.mac.String())
	l.connect(t)
	_, err := l.e.Ensure(t.Context(), vppnet.HostInterface{Name: "vm", Device: "to-vm"}) // it is VPP's first
	require.NoError(t, err)
	l.other = netrig.Host(t, "other", ns, "to-other", "10.0.0.12/24")
	serve(t, l.vm, ":22", ":7777")
	serve(t, l.peer, ":53", ":8080")
	push(t, l.vm, ":7778")
	push(t, l.vm, ":23")
	push(t, l.peer, ":54")
	push(t, l.peer, ":8081")
	return l
}

// connect is what a program does that starts.
func (l *site) connect(t *testing.T) *vppnet.Conn {
	t.Helper()
	c := dial(t, l.vpp.Socket(), "me", vppnet.WithReplyTimeout(20*time.Second))
	l.e = desiredstate.New(append(kinds(c), vppnet.HostInterfaces(c))...)
	l.e.MaxPrune = 1
	return c
}

// permit makes VPP permit what is wanted, after a change of it, and says when it was told to.
func (l *site) permit(t *testing.T, change func(*policyOf)) time.Time {
	t.Helper()
	if change != nil {
		change(&l.want)
	}
	port, err := acl.BridgedPort{Bridge: "net", Security: acl.PortSecurity{
		Interface: "vm", MAC: l.mac, Addrs: []netip.Addr{vm4, vm6}, Groups: l.want.port, Pairs: l.want.pairs,
	}}.Objects()
	require.NoError(t, err)
	want := append(port, vppnet.BridgeDomain{Name: "net"},
		vppnet.HostInterface{Name: "vm", Device: "to-vm"}, vppnet.HostInterface{Name: "peer", Device: "to-peer"},
		vppnet.BridgePort{Bridge: "net", Interface: "peer"}, vppnet.LinkState{Interface: "peer", Up: true},
		vppnet.HostInterface{Name: "other", Device: "to-other"}, vppnet.BridgePort{Bridge: "net", Interface: "other"}, vppnet.LinkState{Interface: "other", Up: true})
	for _, g := range l.want.groups {
		to, from, err := g.Sets(l.want.members)
		require.NoError(t, err)
		want = append(want, to, from)
	}
	var bind acl.Binding
	if l.before {
		want = slices.DeleteFunc(want, func(o desiredstate.Object) (is bool) {
			if b, ok := o.(acl.Binding); ok {
				bind, is = b, true
			}
			return is
		})
		for i, o := range want {
			if link, ok := o.(vppnet.LinkState); ok {
				link.After = nil
				want[i] = link
			}
		}
	}
	begin := time.Now()
	_, err = l.e.Sync(t.Context(), want...)
	require.NoError(t, err)
	if l.before {
		l.bind(t, bind)
	}
	return begin
}

// bind is what the library does, but for what VPP is told of sessions.
func (l *site) bind(t *testing.T, b acl.Binding) {
	t.Helper()
	c := dial(t, l.vpp.Socket(), "me")
	c.Uses(&binding.ACLInterfaceSetACLList{}, &vlib.CliInband{})
	says, err := vlib.NewServiceClient(c).CliInband(t.Context(), &vlib.CliInband{Cmd: "show acl-plugin sessions"})
	require.NoError(t, err)
	require.Contains(t, says.Reply, "Reclassify sessions: 0")
	index := func(k desiredstate.Key) (id uint32) {
		found, err := l.e.Found(t.Context())
		require.NoError(t, err)
		for _, f := range found {
			if f.Key == k {
				id = f.ID
			}
		}
		return id
	}
	m := &binding.ACLInterfaceSetACLList{SwIfIndex: interface_types.InterfaceIndex(index(vppnet.InterfaceKey(b.Interface)))}
	for _, s := range slices.Concat(b.Input, b.Output) {
		m.Acls = append(m.Acls, index(acl.SetKey(s)))
	}
	m.Count, m.NInput = uint8(len(m.Acls)), uint8(len(b.Input))
	_, err = binding.NewServiceClient(c).ACLInterfaceSetACLList(t.Context(), m)
	require.NoError(t, err)
}

// both is a rule for each family.
func both(p acl.Protocol, port uint16) (out []acl.GroupRule) {
	for _, f := range []acl.Family{acl.IPv4, acl.IPv6} {
		r := acl.GroupRule{Family: f, Protocol: p}
		switch {
		case p == acl.ICMP && f == acl.IPv6:
			r.Protocol = acl.ICMPv6
		case port != 0:
			r.Ports = acl.Only(port)
		}
		out = append(out, r)
	}
	return out
}

func anything() []acl.GroupRule { return both(0, 0) }

// opened is a site whose VM may be asked on all of its ports, and may ask whatever it likes.
func opened(t *testing.T) *site {
	l := newSite(t)
	l.open(t)
	return l
}

func (l *site) open(t *testing.T) {
	l.permit(t, func(p *policyOf) {
		p.groups = []acl.SecurityGroup{
			{Name: "base", Ingress: slices.Concat(both(acl.TCP, 22), both(acl.UDP, 22), both(acl.TCP, 23)), Egress: anything()},
			{Name: "more", Ingress: slices.Concat(both(acl.TCP, 7777), both(acl.UDP, 7777), both(acl.TCP, 7778), both(acl.ICMP, 0))},
		}
		p.port = []string{"base", "more"}
	})
	for _, a := range []netip.Addr{vm4, vm6} {
		l.peer.Reaches(t, a.String())
	}
	at := netip.AddrPortFrom(peer4, 53)
	l.control = []*talk{dials(t, l.other, "tcp", at), dials(t, l.other, "udp", at)} // one that asks again, and one that does not
}

// asked are talks of the peer to a port of the VM, and to the next one, which pushes.
func (l *site) asked(t *testing.T, port uint16) (out []*talk) {
	for _, a := range []netip.Addr{vm4, vm6} {
		p := netip.AddrPortFrom(a, port)
		out = append(out, dials(t, l.peer, "tcp", p), dials(t, l.peer, "udp", p), hears(t, l.peer, netip.AddrPortFrom(a, port+1)))
	}
	return out
}

// asks are talks of the VM to a port of the peer, and to the next one.
func (l *site) asks(t *testing.T, port uint16) (out []*talk) {
	for _, a := range []netip.Addr{peer4, peer6} {
		p := netip.AddrPortFrom(a, port)
		out = append(out, dials(t, l.vm, "tcp", p), dials(t, l.vm, "udp", p), hears(t, l.vm, netip.AddrPortFrom(a, port+1)))
	}
	return out
}

// pinged are pings of the VM, asPinged pings by it.
func (l *site) pinged(t *testing.T) []*talk {
	return []*talk{pings(t, l.peer, vm4, 7), pings(t, l.peer, vm6, 7)}
}

func (l *site) pinging(t *testing.T) []*talk {
	return []*talk{pings(t, l.vm, peer4, 9), pings(t, l.vm, peer6, 9)}
}

// ends demands that, from a change on, some talks end at once and for good, and others are not
// disturbed.
func (l *site) ends(t *testing.T, what string, end, stay []*talk, change func() time.Time) {
	t.Helper()
	for _, k := range slices.Concat(end, stay, l.control) {
		k.begun(t)
	}
	at := change()
	done := time.Since(at)
	time.Sleep(4 * time.Second) // TCP has asked again five times meanwhile
	// Linux asks again after 200 ms what is lost. A busy machine does nothing at all for a while.
	idle := time.Duration(0)
	for _, k := range l.control {
		idle = max(idle, k.longest())
	}
	most := 190*time.Millisecond + 2*idle
	for _, k := range stay {
		require.Less(t, k.longest(), most, "%s: %s is disturbed", what, k.name)
	}
	longest := time.Duration(0)
	for _, k := range end {
		after := k.ended(at)
		longest = max(longest, after)
		require.Less(t, after, time.Second+2*idle, "%s: %s goes on", what, k.name)
		require.Less(t, k.ended(at.Add(done)), 500*time.Millisecond+2*idle, "%s: %s goes on after VPP was told", what, k.name)
	}
	t.Logf("%s: the last packet passed %s after the change was begun, which took %s; %d talks ended, %d were not disturbed", what, longest, done, len(end), len(stay))
}
